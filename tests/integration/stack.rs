//! The real roles in one process, on parts that are made for one test.

use std::{fs::File, ops::Range, path::Path, sync::Arc, time::Duration};

use artifacts::ObjectArtifacts;
use clock::ManualClock;
use forecasting::spec::{DatasetSpec, ModelSpec};
use history::{MemoryHistory, Observation};
use jiff::Timestamp;
use messaging::{Depth, MemoryBroker};
use protocol::{
    ContentType, Destination, Message, Queue, WireMessage, decode,
    messages::{
        CandidateRefused, ForecastReply, ForecastRequest, GateDecision, ModelPromoted, TrainJob, TrainReason,
    },
};
use registry::MemoryRegistry;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::{
    asker::ask,
    config::Config,
    environment::{Environment, Parts},
    import::{self, ImportOptions},
    roles::{self, Role},
};

use crate::fleet::Fleet;

/// Long enough for anything that ends at all; a test waits for an event, never for this.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A running system.
pub(crate) struct Stack {
    pub(crate) environment: Arc<Environment>,
    pub(crate) clock: Arc<ManualClock>,
    stop: CancellationToken,
    running: Option<JoinHandle<anyhow::Result<()>>>,
    /// The queues that the running roles consume.
    consumed: Vec<Queue>,
    _home: Option<Home>,
}

/// Where a stack's parts keep what they keep; deleted at its end.
#[expect(dead_code, reason = "held for what their drops delete")]
enum Home {
    Folder(TempDir),
    Fleet(Fleet),
}

impl Stack {
    /// A system with the bikes, see [`bring_bikes`](Self::bring_bikes), that runs `roles`. The data are there
    /// first: nothing announces them.
    pub(crate) async fn with_bikes(roles: &[Role]) -> (Self, ModelSpec) {
        let mut stack = Self::still().await;
        let model = stack.bring_bikes().await;
        stack.run(roles);
        (stack, model)
    }

    /// A system without data that runs nothing yet.
    pub(crate) async fn still() -> Self {
        let clock = Arc::new(ManualClock::at(at("2026-01-01T00:00:00Z")));
        let (environment, home) = match std::env::var("STACK").as_deref() {
            Err(_) | Ok("memory") => {
                (Environment::of(Config::default(), clock.clone(), memory(&clock)), None)
            }
            Ok("embedded") => {
                let folder = tempfile::tempdir().expect("a folder");
                let config = Config { data_folder: folder.path().to_owned(), ..Config::default() };
                let environment =
                    Environment::own(config, "stack", clock.clone()).await.expect("a fresh folder");
                (environment, Some(Home::Folder(folder)))
            }
            Ok("services") => {
                let fleet = Fleet::new().await;
                (fleet.environment(clock.clone()).await, Some(Home::Fleet(fleet)))
            }
            Ok(other) => panic!("STACK={other}: memory, embedded or services are expected"),
        };
        let mut environment = environment;
        // What is to be heard as an event must not be found by the look that comes anyway.
        environment.config.forecaster.poll = Duration::from_hours(1);
        Self {
            environment: Arc::new(environment),
            clock,
            stop: CancellationToken::new(),
            running: None,
            consumed: Vec::new(),
            _home: home,
        }
    }

    /// Starts `roles`.
    pub(crate) fn run(&mut self, roles: &[Role]) {
        self.consumed = roles.iter().flat_map(|role| role.queues()).copied().collect();
        // The last batch of forecasts issued leaves when the forecaster stops, and a recorder that stops with it
        // may leave that for its successor.
        self.consumed.retain(|queue| *queue != Queue::ForecastsIssued);
        let (environment, stop, roles) = (self.environment.clone(), self.stop.clone(), roles.to_vec());
        let running = tokio::spawn(async move { roles::run(&environment, &roles, stop).await });
        assert!(self.running.replace(running).is_none(), "the roles run already");
    }

    /// Stops everything, and fails if a message was left unsettled, died, or still waits on a queue that
    /// was consumed.
    pub(crate) async fn finish(mut self) {
        let consumed = std::mem::take(&mut self.consumed);
        in_time(self.consumed_all(&consumed)).await;
        for (queue, depth) in self.stopped().await {
            assert_eq!((depth.leased, depth.dead), (0, 0), "unsettled and dead messages of {queue}");
            if consumed.contains(&queue) {
                assert_eq!((depth.ready, depth.delayed), (0, 0), "messages left on {queue}");
            }
        }
    }

    /// Stops everything, and fails if a message was left unsettled.
    pub(crate) async fn finish_with_dead_letters(self) {
        for (queue, depth) in self.stopped().await {
            assert_eq!(depth.leased, 0, "unsettled messages of {queue}");
        }
    }

    /// Waits until nothing is left on these queues: what one role replies, another one consumes.
    async fn consumed_all(&self, queues: &[Queue]) {
        for &queue in queues {
            loop {
                let depth = self.environment.broker.depth(queue).await.expect("a depth");
                if (depth.ready, depth.delayed, depth.leased) == (0, 0, 0) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await; // polls for the event it waits for
            }
        }
    }

    async fn stopped(mut self) -> Vec<(Queue, Depth)> {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.expect("no panic").expect("the roles end well");
        }
        let mut depths = Vec::new();
        for queue in Queue::ALL {
            depths.push((queue, self.environment.broker.depth(queue).await.expect("a depth")));
        }
        depths
    }

    /// Applies the bike hires of Washington with a small model, and imports two years of them.
    pub(crate) async fn bring_bikes(&self) -> ModelSpec {
        let dataset: DatasetSpec = spec("examples/datasets/washington-bikes.toml");
        let model: ModelSpec = toml::from_str(SMALL_MODEL).expect("a specification");
        let now = self.now();
        self.environment.registry.apply_dataset(&dataset, now).await.expect("applies");
        self.environment.registry.apply_model(&model, now).await.expect("applies");
        let file =
            File::open(root().join("examples/data/washington-bikes.csv.gz")).expect("the example data");
        let imported = import::read(file, &ImportOptions::default(), &dataset, now).expect("reads");
        let (history, grid) = (&self.environment.history, dataset.grid());
        let recorded = history.record(&dataset.name, &grid, &imported.observations, now).await;
        assert!(recorded.expect("records").new > 17_000);
        model
    }

    /// Records other values at `at` for those steps back from the newest value of the first series that have one; returns
    /// how many are corrected by that.
    pub(crate) async fn correct(
        &self,
        model: &ModelSpec,
        steps_back: Range<i64>,
        at: Timestamp,
        change: impl Fn(f64) -> f64,
    ) -> u64 {
        let Environment { registry, history, .. } = &*self.environment;
        let dataset = registry.dataset(&model.dataset).await.expect("reads").expect("was applied").spec;
        let (grid, everything) = (dataset.grid(), history::Range::default());
        let frame = history.read(&dataset.name, &grid, &everything).await.expect("reads");
        let series = &frame.series[0];
        let last = series.last_target(&grid).expect("has values");
        let corrections: Vec<Observation> = steps_back
            .map(|back| grid.advance(last, -back))
            .map(|ds| Observation { series: series.id.clone(), ds, y: change(series.value(&grid, ds)) })
            .filter(|correction| !correction.y.is_nan())
            .collect();
        history.record(&dataset.name, &grid, &corrections, at).await.expect("records").corrected
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.environment.clock.now()
    }

    /// Publishes a train job and waits for the decision.
    pub(crate) async fn train(&self, model: &ModelSpec, learner: &str) -> GateDecision {
        let job = TrainJob {
            model: model.name.to_string(),
            spec_hash: None,
            as_of: self.now(),
            cut_off: None,
            learners: vec![learner.to_owned()],
            reason: TrainReason::Requested,
            shift: None,
        };
        decision(&self.ask(Queue::TrainJobs, &job).await)
    }

    /// Publishes a forecast request and waits for the reply.
    pub(crate) async fn forecast(&self, request: &ForecastRequest) -> ForecastReply {
        decode(&self.ask(Queue::ForecastRequests, request).await).expect("a forecast reply")
    }

    /// Publishes a question and waits for the reply.
    pub(crate) async fn ask<M: Message>(&self, queue: Queue, question: &M) -> WireMessage {
        let mut asked = ask(&*self.environment.broker, queue, question).await.expect("published");
        asked.reply(PATIENCE).await.expect("a reply")
    }

    /// Publishes a question under an id of the caller's and waits for the reply.
    pub(crate) async fn ask_as<M: Message>(
        &self,
        message_id: &str,
        queue: Queue,
        question: &M,
    ) -> WireMessage {
        let mut replies = self.environment.broker.replies().await.expect("a reply queue");
        let mut message = WireMessage::new(question, ContentType::Json, message_id).expect("a small body");
        message.properties.reply_to = Some(replies.address().as_str().to_owned());
        self.environment.broker.publish(&Destination::Queue(queue), message).await.expect("published");
        tokio::time::timeout(PATIENCE, replies.next()).await.expect("in time").expect("a reply")
    }
}

/// What `event` becomes; fails if it does not come in time.
pub(crate) async fn in_time<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.expect("in time")
}

fn memory(clock: &Arc<ManualClock>) -> Parts {
    Parts {
        broker: Arc::new(MemoryBroker::new(clock.clone())),
        registry: Arc::new(MemoryRegistry::default()),
        history: Arc::new(MemoryHistory::default()),
        artifacts: Arc::new(ObjectArtifacts::memory()),
    }
}

/// Learners that fit in a moment, of which `small-trees` beats `few-trees`, and one that is sure to lose.
///
/// These stories are about what happens after a verdict. On one series and fits of a moment luck is not told from a
/// gain (by default `few-trees` is refused with a probability of 0.1), so their gate is a brave one.
pub(crate) const SMALL_MODEL: &str = r#"
name = "bike-demand"
dataset = "washington-bikes"
horizon = 24

[[learners]]
learner = "boosted-trees"
name = "small-trees"
aim = "both"
trees = 60
leaves = 15
learning_rate = 0.15

[[learners]]
learner = "boosted-trees"
name = "few-trees"
trees = 12
leaves = 15
learning_rate = 0.3

[[learners]]
learner = "seasonal-naive"

[gate]
alpha = 0.2
coverage_tolerance = 1.0
search_slices = false
"#;

/// A gatekeeper's reply.
pub(crate) fn decision(reply: &WireMessage) -> GateDecision {
    if reply.properties.kind.starts_with(ModelPromoted::KIND) {
        return GateDecision::Promoted(decode(reply).expect("model-promoted"));
    }
    GateDecision::Refused(decode::<CandidateRefused>(reply).expect("candidate-refused"))
}

/// What a promotion announced; fails on a refusal.
pub(crate) fn promoted(decision: GateDecision) -> ModelPromoted {
    match decision {
        GateDecision::Promoted(event) => event,
        GateDecision::Refused(event) => panic!("refused: {event:?}"),
    }
}

/// What a refusal announced; fails on a promotion.
pub(crate) fn refused(decision: GateDecision) -> CandidateRefused {
    match decision {
        GateDecision::Refused(event) => event,
        GateDecision::Promoted(event) => panic!("promoted: {event:?}"),
    }
}

/// A request for everything about a model.
pub(crate) fn request(model: &ModelSpec) -> ForecastRequest {
    ForecastRequest {
        model: model.name.to_string(),
        series: Vec::new(),
        horizon: None,
        origin: None,
        levels: Vec::new(),
        history: Vec::new(),
    }
}

/// A specification of the repository.
pub(crate) fn spec<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    toml::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time stamp")
}
