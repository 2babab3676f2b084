//! What a forecaster answers with, and who keeps it up to date.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use artifacts::{ArtifactStore, DecodedModels};
use clock::Clock;
use history::History;
use registry::Registry;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    RecentHistory, ServingModels,
    local_copy::{LocalCopy, LocalFirst},
    looks::{Looked, Looks},
    serving::InRegistry,
};
use crate::environment::Environment;

/// A look at the registry that takes longer has failed: the server is as good as gone.
const REGISTRY_LIMIT: Duration = Duration::from_secs(10);
/// A look at the history, which may have much to read, likewise.
const HISTORY_LIMIT: Duration = Duration::from_mins(2);

/// Models and recent history, in memory. Requests read it, the [`Keeper`] changes it.
pub struct UpToDate {
    /// Which version answers for which model.
    pub serving: ServingModels,
    /// The look-back windows.
    pub recent: RecentHistory,
    /// How far all that is up to date.
    pub looks: Looks,
}

/// Looks at the stores, one look after the other, and keeps the local copy. What events do is but to ask for a
/// look, or to switch to a newer version.
pub struct Keeper {
    up_to_date: Arc<UpToDate>,
    registry: Arc<dyn Registry>,
    history: Arc<dyn History>,
    models: DecodedModels,
    artifacts: Arc<dyn ArtifactStore>,
    local: Option<LocalCopy>,
    clock: Arc<dyn Clock>,
}

impl Keeper {
    /// Knows nothing yet. With a local copy, artifacts are read there first.
    pub fn new(environment: &Environment, local: Option<LocalCopy>) -> Self {
        let artifacts = environment.artifacts.clone();
        let models = match &local {
            None => DecodedModels::clone(&environment.models),
            Some(local) => {
                let store = Arc::new(LocalFirst { local: local.artifacts(), store: artifacts.clone() });
                DecodedModels::new(store, environment.config.artifacts.memory.as_u64())
            }
        };
        let up_to_date = UpToDate {
            serving: ServingModels::default(),
            recent: RecentHistory::default(),
            looks: Looks::new(environment.config.forecaster.poll),
        };
        Self {
            up_to_date: Arc::new(up_to_date),
            registry: environment.registry.clone(),
            history: environment.history.clone(),
            models,
            artifacts,
            local,
            clock: environment.clock.clone(),
        }
    }

    /// What is kept up to date.
    pub fn up_to_date(&self) -> Arc<UpToDate> {
        self.up_to_date.clone()
    }

    /// The decoded models that answer.
    pub fn models(&self) -> DecodedModels {
        self.models.clone()
    }

    /// Takes over what the local copy has. It is stale until the next look.
    pub async fn restore(&mut self) {
        let Some(local) = &mut self.local else { return };
        let Some(pointers) = local.pointers().cloned() else { return };
        for (dataset, window) in local.windows().await {
            self.up_to_date.recent.restore(dataset, window);
        }
        self.up_to_date.serving.restore(&pointers, &self.models).await;
        self.up_to_date.looks.restored(pointers.looked_at);
        let (models, since) = (pointers.models.len(), pointers.looked_at);
        info!(models, %since, "{models} models restored from the local copy of {since}");
    }

    /// Restores, then looks whenever that is wanted, and as often as `forecaster.poll` says, until `stop`.
    pub async fn keep(mut self, stop: CancellationToken) {
        let keeping = async {
            self.restore().await;
            loop {
                self.look().await;
                self.up_to_date.looks.wait_until_due().await;
            }
        };
        stop.run_until_cancelled(keeping).await;
    }

    /// Looks at the registry and the history. What cannot be looked at stays as it was.
    pub async fn look(&mut self) {
        let UpToDate { serving, recent, looks } = &*self.up_to_date;
        let began = self.clock.now();
        looks.begin();
        let looked = match self.try_look().await {
            Ok(behind) if behind.is_empty() => Looked::Well,
            Ok(behind) => {
                warn!("answering with what was before for {}", behind.join(", "));
                Looked::Behind
            }
            Err(fault) => {
                warn!("answering from what is in memory: {fault:#}");
                Looked::Away
            }
        };
        serving.measure_ages(self.clock.now());
        let served = serving.all();
        let has_window = served.iter().any(|serving| recent.of(&serving.dataset.name).is_some());
        looks.end(looked, began, looked != Looked::Away && (has_window || served.is_empty()));
        if looked != Looked::Away
            && let Some(local) = &mut self.local
        {
            let pointers = serving.pointers(looks.seen_at().unwrap_or(began));
            local.save(pointers, recent.windows(), &*self.artifacts).await;
        }
    }

    /// Returns what could not be brought up to date.
    async fn try_look(&self) -> anyhow::Result<Vec<String>> {
        let UpToDate { serving, recent, .. } = &*self.up_to_date;
        let before = serving.by_name(); // whatever is newer than the registry's was heard of after this
        let found = timeout(REGISTRY_LIMIT, InRegistry::read(&*self.registry)).await;
        let found = found.context("looking at the registry")?.context("looking at the registry")?;
        let mut behind = serving.follow(&found, &before, &self.models).await;
        let served = serving.all();
        let windows = recent.look(&*self.history, &served);
        let windows = timeout(HISTORY_LIMIT, windows).await.context("looking at the history")?;
        behind.extend(windows.context("looking at the history")?);
        Ok(behind)
    }
}
