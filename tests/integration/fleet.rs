//! One test's share of the servers of `scripts/servers`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use clock::{Clock, SystemClock};
use lapin::{
    Channel, Connection,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use protocol::messages::ForecastRequest;
use tempfile::TempDir;
use workers::{
    config::{Broker, Cache, Config, Part, PartUrl},
    environment::Environment,
};

use crate::{
    books::NEW_YEAR,
    command_line::{json, succeed},
    fresh::FreshDatabase,
    rabbit::Tenant,
    stack::{SMALL_MODEL, at, root},
};

const REDIS_URL: &str = "GATECAST_TEST_REDIS_URL";

/// A prefix on RabbitMQ, a database, and a folder; everything is deleted at its end.
pub(crate) struct Fleet {
    rabbit: Tenant,
    _database: FreshDatabase,
    /// Where PostgreSQL is; a test may put something in between.
    pub(crate) database_url: String,
    /// Where Redis is; likewise.
    pub(crate) redis_url: String,
    /// What the processes find in their environment beside the configuration of this share.
    pub(crate) variables: Vec<(&'static str, String)>,
    folder: TempDir,
    logs: AtomicU32,
}

impl Fleet {
    /// A share that nothing has used yet.
    pub(crate) async fn new() -> Self {
        Self::on(Tenant::new()).await
    }

    /// The same on a RabbitMQ of the test's own.
    pub(crate) async fn on(rabbit: Tenant) -> Self {
        let redis_url = std::env::var(REDIS_URL).unwrap_or_else(|_| {
            panic!("{REDIS_URL} is not set: run eval \"$(scripts/servers start)\" in this shell first")
        });
        let folder = tempfile::tempdir().expect("a folder");
        let database = FreshDatabase::new().await;
        let database_url = database.url.clone();
        let fleet = Self {
            rabbit,
            _database: database,
            database_url,
            redis_url,
            variables: Vec::new(),
            folder,
            logs: AtomicU32::new(0),
        };
        succeed(fleet.gatecast().arg("migrate"));
        fleet
    }

    /// A share with the bikes and a small model; nothing is trained.
    pub(crate) async fn with_bikes() -> Self {
        let fleet = Self::new().await;
        fleet.bring_bikes();
        fleet
    }

    /// The configuration of a process that works on this share.
    pub(crate) fn config(&self) -> Config {
        let defaults = Config::default();
        Config {
            data_folder: self.folder.path().join("data"),
            broker: Broker {
                url: PartUrl::from(self.rabbit.url.as_str()),
                prefix: self.rabbit.prefix.clone(),
                ..defaults.broker
            },
            registry: Part { url: PartUrl::from(self.database_url.as_str()) },
            history: Part { url: PartUrl::from(self.database_url.as_str()) },
            cache: Cache { url: PartUrl::from(self.redis_url.as_str()) },
            ..defaults
        }
    }

    /// The environment of the test itself beside the processes.
    pub(crate) async fn environment(&self, clock: Arc<dyn Clock>) -> Environment {
        Environment::own(self.config(), "test", clock).await.expect("the servers are there")
    }

    /// As [`environment`](Self::environment), with the clock of the processes.
    pub(crate) async fn environment_now(&self) -> Environment {
        self.environment(Arc::new(SystemClock)).await
    }

    /// The binary, configured for this share.
    pub(crate) fn gatecast(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatecast"));
        let config = self.config();
        command
            .env_clear()
            .current_dir(self.folder.path())
            .env("GATECAST__BROKER__URL", config.broker.url.with_password())
            .env("GATECAST__BROKER__PREFIX", &config.broker.prefix)
            .env("GATECAST__REGISTRY__URL", config.registry.url.with_password())
            .env("GATECAST__HISTORY__URL", config.history.url.with_password())
            .env("GATECAST__CACHE__URL", config.cache.url.with_password())
            .envs(self.variables.iter().cloned())
            .arg("--data-folder")
            .arg(&config.data_folder);
        command
    }

    /// URL and prefix on RabbitMQ.
    pub(crate) fn broker(&self) -> (String, String) {
        (self.rabbit.url.clone(), self.rabbit.prefix.clone())
    }

    /// A channel of a client that is not ours.
    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        self.rabbit.channel().await
    }

    /// A file for the log of a process.
    pub(crate) fn new_log(&self, name: &str) -> PathBuf {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("{number}-{name}.log"))
    }

    pub(crate) fn bring_bikes(&self) {
        let model = self.folder.path().join("model.toml");
        std::fs::write(&model, SMALL_MODEL).expect("writes");
        let example = |file: &str| root().join("examples").join(file);
        let apply = |what: &str, file: &Path| {
            succeed(self.gatecast().args([what, "apply"]).arg(file));
        };
        apply("datasets", &example("datasets/washington-bikes.toml"));
        apply("models", &model);
        let data = example("data/washington-bikes.csv.gz");
        succeed(self.gatecast().args(["import", "washington-bikes"]).arg(data));
    }

    /// Has the running workers train the model's first incumbent.
    pub(crate) fn promote_first(&self) {
        let trained = json(self.gatecast().args([
            "--json",
            "train",
            "bike-demand",
            "--learner",
            "small-trees",
            "--wait",
        ]));
        assert_eq!(trained["decision"], "promoted", "{trained}");
    }

    /// Applies an hourly dataset of this name.
    pub(crate) fn apply_dataset(&self, name: &str) {
        let file = self.folder.path().join("dataset.toml");
        let text = format!("name = \"{name}\"\nfrequency = \"PT1H\"\ntime_zone = \"UTC\"\n");
        std::fs::write(&file, text).expect("writes");
        succeed(self.gatecast().args(["datasets", "apply"]).arg(file));
    }

    /// Puts a queue of another type in the place of one of ours; returns its name on the server.
    pub(crate) async fn replace_queue(&self, queue: &str) -> String {
        let (_connection, channel) = self.rabbit.channel().await;
        let name = self.rabbit.name(queue);
        channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.expect("deletes");
        let declared = channel.queue_declare(
            name.as_str().into(),
            QueueDeclareOptions::durable(),
            FieldTable::default(),
        );
        declared.await.expect("declares");
        name
    }

    /// A request whose answer no later observation changes.
    pub(crate) fn request() -> ForecastRequest {
        ForecastRequest {
            model: "bike-demand".into(),
            series: Vec::new(),
            horizon: None,
            origin: Some(at(NEW_YEAR)),
            levels: Vec::new(),
            history: Vec::new(),
        }
    }
}
