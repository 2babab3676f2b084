//! Keeps what a forecaster answers with up to date.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use artifacts::DecodedModels;
use clock::Clock;
use history::History;
use jiff::Timestamp;
use messaging::Listener;
use protocol::{
    Message as _, WireMessage, decode,
    messages::{ModelPromoted, ObservationsRecorded},
};
use registry::Registry;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{RecentHistory, ServingModels};
use crate::environment::Environment;

/// Models and recent history, with what is needed to look at them again.
pub struct UpToDate {
    /// Which version answers for which model.
    pub serving: ServingModels,
    /// The look-back windows.
    pub recent: RecentHistory,
    registry: Arc<dyn Registry>,
    history: Arc<dyn History>,
    models: Arc<DecodedModels>,
    clock: Arc<dyn Clock>,
    stale_since: Mutex<Option<Timestamp>>,
    /// One look at a time; the next one waits and then finds everything as it is.
    looking: tokio::sync::Mutex<()>,
}

impl UpToDate {
    /// The events that make a look worth while.
    pub const EVENTS: [&'static str; 2] = ["model-promoted.*", "observations-recorded.*"];

    /// Knows nothing yet.
    pub fn new(environment: &Environment) -> Self {
        Self {
            serving: ServingModels::default(),
            recent: RecentHistory::default(),
            registry: environment.registry.clone(),
            history: environment.history.clone(),
            models: environment.models.clone(),
            clock: environment.clock.clone(),
            stale_since: Mutex::new(None),
            looking: tokio::sync::Mutex::new(()),
        }
    }

    /// Since when the registry or the history could not be looked at.
    pub fn stale_since(&self) -> Option<Timestamp> {
        *self.stale_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the registry and the history. A look that fails changes nothing but
    /// [`stale_since`](Self::stale_since).
    pub async fn look(&self) {
        let _one_at_a_time = self.looking.lock().await;
        let looked = self.try_look().await;
        let mut stale_since = self.stale_since.lock().unwrap_or_else(PoisonError::into_inner);
        match looked {
            Ok(()) => *stale_since = None,
            Err(fault) => {
                stale_since.get_or_insert_with(|| self.clock.now());
                warn!("answering from what is in memory: {fault:#}");
            }
        }
    }

    async fn try_look(&self) -> anyhow::Result<()> {
        self.serving.look(&*self.registry, &self.models).await?;
        self.recent.look(&*self.history, &self.serving.all()).await?;
        Ok(())
    }

    /// Looks again whenever an event says so, and every `poll`, until `stop`.
    pub async fn keep(
        self: Arc<Self>,
        mut events: Box<dyn Listener>,
        poll: Duration,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(poll) => self.look().await,
                event = events.next() => match event {
                    Ok(event) => self.hear(&event).await,
                    Err(lost) => {
                        warn!("events were lost, the registry is looked at every {poll:?}: {lost:#}");
                        // Without events the poll alone goes on.
                        return self.poll(poll, stop).await;
                    }
                },
            }
        }
    }

    async fn poll(&self, poll: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(poll)).await.is_some() {
            self.look().await;
        }
    }

    async fn hear(&self, event: &WireMessage) {
        let kind = event.properties.kind.split('.').next().unwrap_or_default();
        if kind == ModelPromoted::KIND
            && let Ok(promoted) = decode::<ModelPromoted>(event)
        {
            self.serving.hear(&promoted, &self.models).await;
        }
        if kind == ModelPromoted::KIND || kind == ObservationsRecorded::KIND {
            self.look().await;
        }
    }
}
