//! Keeps what a forecaster answers with up to date.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
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
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    RecentHistory, ServingModels,
    local_copy::{LocalCopy, LocalFirst},
};
use crate::environment::Environment;

/// A look at the registry that takes longer has failed: the server is as good as gone.
const REGISTRY_LIMIT: Duration = Duration::from_secs(10);
/// A look at the history, which may have much to read, likewise.
const HISTORY_LIMIT: Duration = Duration::from_mins(2);
/// A look that somebody waits for with a question.
const BRIEFLY: Duration = Duration::from_secs(1);
/// After a look that failed, the next one comes this soon.
const STALE_POLL: Duration = Duration::from_secs(2);
/// What lies on the local disk may be this much older than what is in memory.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Lost events are listened to again after this, then after twice as long each time …
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// … and at last at this distance.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Models and recent history, with what is needed to look at them again.
pub struct UpToDate {
    /// Which version answers for which model.
    pub serving: ServingModels,
    /// The look-back windows.
    pub recent: RecentHistory,
    broker: Arc<dyn Broker>,
    registry: Arc<dyn Registry>,
    history: Arc<dyn History>,
    models: DecodedModels,
    local: Option<Arc<LocalCopy>>,
    last_saved: Mutex<Option<Instant>>,
    clock: Arc<dyn Clock>,
    stale_since: Mutex<Option<Timestamp>>,
    /// Whether anything was ever looked at or restored.
    servable: AtomicBool,
    /// One look at a time; the next one waits and then finds everything as it is.
    looking: tokio::sync::Mutex<()>,
}

impl UpToDate {
    /// The events that make a look worth while.
    pub const EVENTS: [&'static str; 2] = ["model-promoted.*", "observations-recorded.*"];

    /// Knows nothing yet. With a local copy, artifacts are read there first.
    pub fn new(environment: &Environment, local: Option<Arc<LocalCopy>>) -> Self {
        let models = match local.clone() {
            None => DecodedModels::clone(&environment.models),
            Some(local) => {
                let store = Arc::new(LocalFirst { local, store: environment.artifacts.clone() });
                DecodedModels::new(store, environment.config.artifacts.memory.as_u64())
            }
        };
        Self {
            serving: ServingModels::default(),
            recent: RecentHistory::default(),
            broker: environment.broker.clone(),
            registry: environment.registry.clone(),
            history: environment.history.clone(),
            models,
            local,
            last_saved: Mutex::default(),
            clock: environment.clock.clone(),
            stale_since: Mutex::new(None),
            servable: AtomicBool::new(false),
            looking: tokio::sync::Mutex::new(()),
        }
    }

    /// Whether there is anything to answer with: the stores were looked at once, or the local copy was read.
    pub fn is_servable(&self) -> bool {
        self.servable.load(Ordering::Relaxed)
    }

    /// Since when the registry or the history could not be looked at.
    pub fn stale_since(&self) -> Option<Timestamp> {
        *self.stale_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the local copy has. It is stale until the next look.
    pub async fn restore(&self) {
        let Some(local) = self.local.clone() else { return };
        let reading = tokio::task::spawn_blocking(move || {
            let pointers = local.pointers()?;
            let datasets: BTreeSet<_> = pointers.models.iter().map(|model| &model.dataset.name).collect();
            let windows: Vec<_> = datasets
                .into_iter()
                .filter_map(|dataset| Some((dataset.clone(), local.window(dataset)?)))
                .collect();
            Some((pointers, windows))
        });
        let Some((pointers, windows)) = reading.await.expect("reading does not panic") else { return };
        for (dataset, window) in windows {
            self.recent.restore(dataset, window);
        }
        self.serving.restore(&pointers, &self.models).await;
        *self.stale_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(pointers.looked_at);
        self.servable.store(true, Ordering::Relaxed);
        let (models, since) = (pointers.models.len(), pointers.looked_at);
        info!(models, %since, "{models} models restored from the local copy of {since}");
    }

    /// Brings the local copy up to date, not more often than it pays.
    async fn save(&self) {
        let Some(local) = self.local.clone() else { return };
        let due = {
            let mut last = self.last_saved.lock().unwrap_or_else(PoisonError::into_inner);
            let due = last.is_none_or(|last| last.elapsed() >= SAVE_EVERY);
            if due {
                *last = Some(Instant::now());
            }
            due
        };
        if !due {
            return;
        }
        let (pointers, windows) = (self.serving.pointers(self.clock.now()), self.recent.windows());
        let saving = tokio::task::spawn_blocking(move || {
            local.save(&pointers, &windows);
            let incumbents = pointers.models.iter().filter_map(|model| model.incumbent.as_ref());
            local.keep_only(&incumbents.map(|incumbent| incumbent.artifact).collect());
        });
        saving.await.expect("saving does not panic");
    }

    /// Looks at the registry and the history. A look that fails changes nothing but
    /// [`stale_since`](Self::stale_since).
    pub async fn look(&self) {
        let _one_at_a_time = self.looking.lock().await;
        let looked = self.try_look().await;
        if looked.is_ok() {
            self.servable.store(true, Ordering::Relaxed);
            self.save().await;
        }
        let mut stale_since = self.stale_since.lock().unwrap_or_else(PoisonError::into_inner);
        match looked {
            Ok(()) => *stale_since = None,
            Err(fault) => {
                stale_since.get_or_insert_with(|| self.clock.now());
                warn!("answering from what is in memory: {fault:#}");
            }
        }
    }

    /// Looks for as long as somebody who waits for an answer can wait; `false` if that was too short.
    pub async fn look_briefly(&self) -> bool {
        timeout(BRIEFLY, self.look()).await.is_ok()
    }

    async fn try_look(&self) -> anyhow::Result<()> {
        let models = self.serving.look(&*self.registry, &self.models, self.clock.now());
        timeout(REGISTRY_LIMIT, models).await.context("looking at the registry")??;
        let served = self.serving.all();
        let windows = self.recent.look(&*self.history, &served);
        timeout(HISTORY_LIMIT, windows).await.context("looking at the history")??;
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
            let pause = if self.stale_since().is_some() { poll.min(STALE_POLL) } else { poll };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => self.look().await,
                event = events.next() => match event {
                    Ok(event) => self.hear(&event).await,
                    Err(lost) => {
                        let lost = anyhow::Error::from(lost);
                        warn!("events were lost, the registry is looked at every {poll:?} until they are back: {lost:#}");
                        let pausing = stop.run_until_cancelled(tokio::time::sleep(FIRST_PAUSE));
                        if pausing.await.is_none() {
                            return;
                        }
                        let Some(again) = self.listen(poll, &stop).await else { return };
                        events = again;
                        // Listening comes before looking, so that nothing falls in between.
                        self.look().await;
                        info!("events are heard again");
                    }
                },
            }
        }
    }

    /// Listens to the events, however long the broker is away, and looks as often as `poll` says meanwhile; none
    /// once stopped.
    pub async fn listen(&self, poll: Duration, stop: &CancellationToken) -> Option<Box<dyn Listener>> {
        let mut pause = FIRST_PAUSE;
        let mut next_look = Instant::now() + poll;
        loop {
            if let Ok(events) = stop.run_until_cancelled(self.broker.listen(&Self::EVENTS)).await? {
                return Some(events);
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
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
