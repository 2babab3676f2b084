//! The real parts behind the traits. This file alone builds them.

use std::{sync::Arc, time::Duration};

use artifacts::{ArtifactStore, DecodedModels, ObjectArtifacts};
use clock::Clock;
use history::{History, SqliteHistory};
use messaging::{Access, Broker, SqliteBroker};
use registry::{Registry, SqliteRegistry};

use crate::{
    config::Config,
    data_folder::{self, DataFolderError, Ownership},
    failure::{ExitCode, Failure, OrExit as _},
};

/// How often, and how far apart, a process that is to run roles tries to own its data folder.
const OWN_TRIES: u32 = 10;
const OWN_PAUSE: Duration = Duration::from_millis(50);

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
    /// The trained models, decoded.
    pub models: Arc<DecodedModels>,
    /// Held for as long as this process owns the data folder.
    _ownership: Option<Ownership>,
}

impl Environment {
    /// The environment of a process that runs roles: it owns the data folder.
    ///
    /// # Errors
    /// If another process owns it, or a part cannot be opened.
    pub async fn own(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
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
        Self::open(config, clock, Some(ownership)).await
    }

    /// As [`own`](Self::own); none if another process owns the data folder.
    ///
    /// # Errors
    /// If the folder or a part cannot be opened.
    pub async fn own_if_free(config: Config, clock: Arc<dyn Clock>) -> Result<Option<Self>, Failure> {
        match data_folder::own(&config.data_folder) {
            Ok(ownership) => Self::open(config, clock, Some(ownership)).await.map(Some),
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
        // Only an owner makes what is missing.
        if !config.path(&config.broker.url).exists() {
            drop(Self::own_if_free(config.clone(), clock.clone()).await?);
        }
        Self::open(config, clock, None).await
    }

    async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        ownership: Option<Ownership>,
    ) -> Result<Self, Failure> {
        let access = if ownership.is_some() { Access::Owner } else { Access::Guest };
        let broker = SqliteBroker::open(&config.path(&config.broker.url), access, clock.clone()).await;
        let registry = SqliteRegistry::open(&config.path(&config.registry.url)).await;
        let history = SqliteHistory::open(&config.path(&config.history.url)).await;
        let artifacts = ObjectArtifacts::folder(config.path(&config.artifacts.url));
        let parts = Parts {
            broker: Arc::new(broker.or_exit(ExitCode::Unreachable)?),
            registry: Arc::new(registry.or_exit(ExitCode::Unreachable)?),
            history: Arc::new(history.or_exit(ExitCode::Unreachable)?),
            artifacts: Arc::new(artifacts.or_exit(ExitCode::Unreachable)?),
        };
        Ok(Self { _ownership: ownership, ..Self::of(config, clock, parts) })
    }

    /// An environment of the given parts, for tests: `Stack` puts in-memory ones here.
    pub fn of(config: Config, clock: Arc<dyn Clock>, parts: Parts) -> Self {
        let models = DecodedModels::new(parts.artifacts.clone(), config.artifacts.memory.as_u64());
        Self {
            clock,
            broker: parts.broker,
            registry: parts.registry,
            history: parts.history,
            models: Arc::new(models),
            artifacts: parts.artifacts,
            config,
            _ownership: None,
        }
    }
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
