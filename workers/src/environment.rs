//! The real parts behind the traits. This file alone builds them.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use artifacts::{ArtifactStore, CachedArtifacts, DecodedModels, ObjectArtifacts, RedisCache, RedisSettings};
use clock::Clock;
use database::{Migrated, PostgresError, PostgresSettings};
use history::{History, PostgresHistory, SqliteHistory};
use messaging::{Access, Broker, RabbitBroker, RabbitSettings, SqliteBroker, TracedBroker};
use registry::{PostgresRegistry, Registry, SqliteRegistry};

use tokio::time::{error::Elapsed, timeout};
use tracing::warn;

use crate::{
    config::{Config, PartUrl},
    data_folder::{self, DataFolderError, Ownership},
    failure::{ExitCode, Failure, OrExit as _},
    health::Health,
};

/// How often, and how far apart, a process that is to run roles tries to own its data folder.
const OWN_TRIES: u32 = 10;
const OWN_PAUSE: Duration = Duration::from_millis(50);
/// How long a start waits for PostgreSQL to say which tables it has. It is asked again with the first query.
const CHECK_LIMIT: Duration = Duration::from_secs(1);
/// What servers know a process by that runs a command.
pub const COMMAND: &str = "command";

/// Everything that roles and commands work with.
pub struct Environment {
    /// The configuration in force.
    pub config: Config,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The queues.
    pub broker: Arc<dyn Broker>,
    /// Specifications, versions, decisions, incumbents.
    pub registry: Arc<dyn Registry>,
    /// Observations and forecasts issued.
    pub history: Arc<dyn History>,
    /// The trained models as bytes.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// The cache in front of them, if there is one.
    pub cache: Option<Arc<RedisCache>>,
    /// The trained models, decoded.
    pub models: Arc<DecodedModels>,
    /// What readiness depends on.
    pub health: Arc<Health>,
    /// Held for as long as this process owns the data folder.
    _ownership: Option<Ownership>,
}

impl Environment {
    /// The environment of a process that runs roles. Where the broker is embedded, it owns the data folder.
    /// `name` is what servers know the process by.
    ///
    /// # Errors
    /// If another process owns the folder, or a part cannot be opened.
    pub async fn own(config: Config, name: &str, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        if !config.is_embedded() {
            return Self::open(config, name, clock, None).await;
        }
        // A command that owned the folder for a moment is given the time to end.
        let mut tries = 0;
        let ownership = loop {
            tries += 1;
            match data_folder::own(&config.data_folder) {
                Err(DataFolderError::Owned { .. }) if tries < OWN_TRIES => {
                    tokio::time::sleep(OWN_PAUSE).await;
                }
                outcome => break outcome.or_exit(ExitCode::Unreachable)?,
            }
        };
        Self::open(config, name, clock, Some(ownership)).await
    }

    /// As [`own`](Self::own); none if another process owns the data folder, or if the broker is a server,
    /// whose workers are processes of their own.
    ///
    /// # Errors
    /// If the folder or a part cannot be opened.
    pub async fn own_if_free(config: Config, clock: Arc<dyn Clock>) -> Result<Option<Self>, Failure> {
        if !config.is_embedded() {
            return Ok(None);
        }
        match data_folder::own(&config.data_folder) {
            Ok(ownership) => Self::open(config, COMMAND, clock, Some(ownership)).await.map(Some),
            Err(DataFolderError::Owned { .. }) => Ok(None),
            Err(unusable) => Err(Failure::new(ExitCode::Unreachable, unusable)),
        }
    }

    /// The environment of a command: it publishes, waits for replies and looks at the stores beside the
    /// process that owns the folder, if there is one.
    ///
    /// # Errors
    /// If the folder or a part cannot be opened.
    pub async fn visit(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Self::make_what_is_missing(&config, &clock).await?;
        Self::open(config, COMMAND, clock, None).await
    }

    /// An embedded queue is made by its owner only: this process is it for a moment.
    ///
    /// # Errors
    /// If the folder or a part cannot be opened.
    pub async fn make_what_is_missing(config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
        if config.is_embedded() && !config.path(&config.broker.url).exists() {
            drop(Self::own_if_free(config.clone(), clock.clone()).await?);
        }
        Ok(())
    }

    async fn open(
        config: Config,
        name: &str,
        clock: Arc<dyn Clock>,
        ownership: Option<Ownership>,
    ) -> Result<Self, Failure> {
        data_folder::create(&config.data_folder).or_exit(ExitCode::Unreachable)?;
        let access = if ownership.is_some() { Access::Owner } else { Access::Guest };
        let broker = Box::pin(open_broker(&config, name, access, &clock)).await?;
        let cache = open_cache(&config)?;
        // On the heap: what connects to a database is large, and every command would carry it along. At the same
        // time: each may wait for a server that is away.
        let databases = Box::pin(async { tokio::try_join!(open_registry(&config), open_history(&config)) });
        let (registry, history) = databases.await?;
        let parts = Parts { broker, registry, history, artifacts: open_artifacts(&config, cache.as_ref())? };
        Ok(Self { cache, _ownership: ownership, ..Self::of(config, clock, parts) })
    }

    /// An environment of the given parts, for tests: `Stack` puts in-memory ones here.
    pub fn of(config: Config, clock: Arc<dyn Clock>, parts: Parts) -> Self {
        let models = DecodedModels::new(parts.artifacts.clone(), config.artifacts.memory.as_u64());
        Self {
            clock,
            broker: parts.broker,
            registry: parts.registry,
            history: parts.history,
            cache: None,
            models: Arc::new(models),
            health: Arc::default(),
            artifacts: parts.artifacts,
            config,
            _ownership: None,
        }
    }
}

/// The queues.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open_broker(
    config: &Config,
    name: &str,
    access: Access,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Broker>, Failure> {
    let broker = open_untraced_broker(config, name, access, clock).await?;
    Ok(if config.traces.are_on() { Arc::new(TracedBroker::new(broker)) } else { broker })
}

async fn open_untraced_broker(
    config: &Config,
    name: &str,
    access: Access,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Broker>, Failure> {
    let url = &config.broker.url;
    if config.is_embedded() {
        let opened = SqliteBroker::open(&config.path(url), access, clock.clone()).await;
        return Ok(Arc::new(opened.or_exit(ExitCode::Unreachable)?));
    }
    let settings = RabbitSettings {
        prefix: config.broker.prefix.clone(),
        forecast_requests: config.broker.forecast_requests,
        certificate_authority: certificate_authority(config)?,
        ..RabbitSettings::new(url.with_password(), name)
    };
    Ok(Arc::new(RabbitBroker::start(settings, clock.clone()).or_exit(ExitCode::Invalid)?))
}

/// The registry.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open_registry(config: &Config) -> Result<Arc<dyn Registry>, Failure> {
    let url = &config.registry.url;
    if url.scheme() == "sqlite" {
        let opened = SqliteRegistry::open(&config.path(url)).await;
        return Ok(Arc::new(opened.or_exit(ExitCode::Unreachable)?));
    }
    let registry = PostgresRegistry::start(&postgres(config, url)?).or_exit(ExitCode::Invalid)?;
    may_be_away(timeout(CHECK_LIMIT, registry.check()).await)?;
    Ok(Arc::new(registry))
}

/// The history.
///
/// # Errors
/// If it cannot be opened.
pub(crate) async fn open_history(config: &Config) -> Result<Arc<dyn History>, Failure> {
    let url = &config.history.url;
    if url.scheme() == "sqlite" {
        let opened = SqliteHistory::open(&config.path(url)).await;
        return Ok(Arc::new(opened.or_exit(ExitCode::Unreachable)?));
    }
    let history = PostgresHistory::start(&postgres(config, url)?).or_exit(ExitCode::Invalid)?;
    may_be_away(timeout(CHECK_LIMIT, history.check()).await)?;
    Ok(Arc::new(history))
}

/// The artifact store, behind the cache if there is one.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open_artifacts(
    config: &Config,
    cache: Option<&Arc<RedisCache>>,
) -> Result<Arc<dyn ArtifactStore>, Failure> {
    let store = ObjectArtifacts::folder(config.path(&config.artifacts.url));
    let store = Arc::new(store.or_exit(ExitCode::Unreachable)?);
    Ok(match cache {
        Some(cache) => Arc::new(CachedArtifacts::new(cache.clone(), store)),
        None => store,
    })
}

/// The cache; none if the configuration names none.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open_cache(config: &Config) -> Result<Option<Arc<RedisCache>>, Failure> {
    if config.cache.url.is_empty() {
        return Ok(None);
    }
    let settings = RedisSettings {
        url: config.cache.url.with_password().to_owned(),
        certificate_authority: certificate_authority(config)?,
    };
    let cache = RedisCache::start(&settings).or_exit(ExitCode::Invalid)?;
    Ok(Some(Arc::new(cache)))
}

/// A server that is away may come back while we run; tables of another version need somebody.
fn may_be_away(checked: Result<Result<(), PostgresError>, Elapsed>) -> Result<(), Failure> {
    match checked {
        Err(silence) => {
            warn!("PostgreSQL is away for now: {silence}");
            Ok(())
        }
        Ok(Err(PostgresError::Unavailable(fault))) => {
            warn!("PostgreSQL is away for now: {:#}", anyhow::Error::from(fault));
            Ok(())
        }
        Ok(checked) => checked.or_exit(ExitCode::Unreachable),
    }
}

/// Brings the tables of registry and history up to date, where they lie in PostgreSQL; embedded ones are
/// whenever they are opened. Returns what was done, by schema.
///
/// # Errors
/// If a newer program wrote them, or the server cannot be reached.
pub async fn migrate(config: &Config) -> Result<Vec<(&'static str, Migrated)>, Failure> {
    let mut done = Vec::new();
    if config.registry.url.scheme() != "sqlite" {
        let registry = PostgresRegistry::start(&postgres(config, &config.registry.url)?);
        let migrated = registry.or_exit(ExitCode::Invalid)?.migrate().await;
        done.push(("registry", migrated.or_exit(ExitCode::Unreachable)?));
    }
    if config.history.url.scheme() != "sqlite" {
        let history = PostgresHistory::start(&postgres(config, &config.history.url)?);
        let migrated = history.or_exit(ExitCode::Invalid)?.migrate().await;
        done.push(("history", migrated.or_exit(ExitCode::Unreachable)?));
    }
    Ok(done)
}

fn postgres(config: &Config, url: &PartUrl) -> Result<PostgresSettings, Failure> {
    let certificate_authority = certificate_authority(config)?;
    Ok(PostgresSettings { url: url.with_password().to_owned(), certificate_authority })
}

/// The certificates that those of the servers must come from; none: those that the machine trusts.
///
/// # Errors
/// If the file that is to hold them cannot be read.
pub fn certificate_authority(config: &Config) -> Result<Option<String>, Failure> {
    let file = &config.tls.certificate_authority;
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = std::fs::read_to_string(file)
        .with_context(|| format!("tls.certificate_authority = {}: cannot be read", file.display()));
    read.map(Some).or_exit(ExitCode::Invalid)
}

/// The parts that keep something.
pub struct Parts {
    /// The queues.
    pub broker: Arc<dyn Broker>,
    /// Specifications, versions, decisions, incumbents.
    pub registry: Arc<dyn Registry>,
    /// Observations and forecasts issued.
    pub history: Arc<dyn History>,
    /// The trained models as bytes.
    pub artifacts: Arc<dyn ArtifactStore>,
}
