//! Keeps what a forecaster answers with up to date.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use artifacts::DecodedModels;
use clock::Clock;
use history::History;
use jiff::Timestamp;
use messaging::{Broker, Listener};
use protocol::{
    Message as _, WireMessage, decode,
    messages::{ModelPromoted, ObservationsRecorded},
};
use registry::Registry;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{RecentHistory, ServingModels};
use crate::environment::Environment;

/// Lost events are listened to again after this, then after twice as long each time …
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// … and at last at this distance.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Models and recent history, with what is needed to look at them again.
pub struct UpToDate {
    /// Which version answers for which model.
    pub serving: ServingModels,
    /// The look-back windows.
    pub recent: RecentHistory,
    broker: Arc<dyn Broker>,
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
            broker: environment.broker.clone(),
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

    /// Looks again whenever an event says so, and every `poll`, until `stop`. Where events are lost, they
    /// are listened to anew; until then the poll alone goes on.
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
                        let lost = anyhow::Error::from(lost);
                        warn!("events were lost, the registry is looked at every {poll:?} until they are back: {lost:#}");
                        let Some(again) = self.listen_anew(poll, &stop).await else { return };
                        events = again;
                    }
                },
            }
        }
    }

    /// Listens again, with growing pauses, and looks as often as `poll` says meanwhile; none once stopped.
    async fn listen_anew(&self, poll: Duration, stop: &CancellationToken) -> Option<Box<dyn Listener>> {
        let mut pause = FIRST_PAUSE;
        let mut next_look = Instant::now() + poll;
        loop {
            stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let listening = stop.run_until_cancelled(self.broker.listen(&Self::EVENTS)).await?;
            if let Ok(events) = listening {
                // Listening comes before looking, so that nothing falls in between.
                self.look().await;
                info!("events are heard again");
                return Some(events);
            }
            if Instant::now() >= next_look {
                self.look().await;
                next_look = Instant::now() + poll;
            }
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
