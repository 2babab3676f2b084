//! A worker that runs, with a handler that does what the test says.

use std::{sync::Arc, time::Duration};

use clock::ManualClock;
use jiff::Timestamp;
use messaging::{Broker, DeadLetter, Depth, MemoryBroker};
use protocol::{
    ContentType, Destination, EncodeError, Properties, Publication, Queue, Reply, WireMessage,
    messages::{TrainJob, TrainOutcome, TrainReason, TrainResult},
};
use runner::{Counts, CountsSoFar, HandleError, Handler, JobContext, Limits, Worker};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

pub(crate) const QUEUE: Queue = Queue::TrainJobs;
pub(crate) const LIMITS: Limits = Limits { prefetch: 1, time_limit: None, grace: Duration::from_secs(10) };

/// What the handler does with a message.
pub(crate) enum Act {
    Answer(Answer),
    Fail(&'static str),
    MissStore(&'static str),
    Reject(&'static str),
    Expire,
    Postpone(Duration),
    Panic(String),
    Hang,
    WaitFor(Arc<Semaphore>),
}

/// The publications that the handler replies with.
#[derive(Default)]
pub(crate) struct Answer(pub(crate) Vec<Publication>);

impl Reply for Answer {
    fn publications(self, _request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        Ok(self.0)
    }
}

/// One call of the handler.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) at: Instant,
    pub(crate) stop: CancellationToken,
}

/// Does what the script says, and reports each call.
struct Scripted {
    script: Box<dyn Fn(&JobContext) -> Act + Send + Sync>,
    calls: mpsc::UnboundedSender<Call>,
}

impl Handler for Scripted {
    type Message = TrainJob;
    type Reply = Answer;

    async fn handle(&self, _message: TrainJob, job: &JobContext) -> Result<Answer, HandleError> {
        let call = Call {
            id: job.message_id.clone(),
            attempt: job.attempt,
            at: Instant::now(),
            stop: job.stop.clone(),
        };
        self.calls.send(call).expect("the test listens");
        match (self.script)(job) {
            Act::Answer(answer) => Ok(answer),
            Act::Fail(error) => Err(HandleError::transient(error)),
            Act::MissStore(error) => Err(HandleError::away(error)),
            Act::Reject(error) => Err(HandleError::rejected(error)),
            Act::Expire => Err(HandleError::Expired),
            Act::Postpone(after) => Err(HandleError::Postponed { after }),
            Act::Panic(text) => panic!("{text}"),
            Act::Hang => std::future::pending().await,
            Act::WaitFor(gate) => {
                gate.acquire().await.expect("it stays open").forget();
                Ok(Answer::default())
            }
        }
    }
}

/// A worker that runs.
pub(crate) struct Stage {
    pub(crate) broker: MemoryBroker,
    pub(crate) clock: Arc<ManualClock>,
    counts: Arc<Counts>,
    pub(crate) calls: mpsc::UnboundedReceiver<Call>,
    pub(crate) stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Stage {
    pub(crate) fn start(limits: Limits, script: impl Fn(&JobContext) -> Act + Send + Sync + 'static) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let broker = MemoryBroker::new(clock.clone());
        let counts = Arc::new(Counts::default());
        let (sender, calls) = mpsc::unbounded_channel();
        let worker = Worker {
            broker: Arc::new(broker.clone()),
            clock: clock.clone(),
            queue: QUEUE,
            handler: Scripted { script: Box::new(script), calls: sender },
            limits,
            counts: counts.clone(),
        };
        let stop = CancellationToken::new();
        Self { running: tokio::spawn(runner::run(worker, stop.clone())), broker, clock, counts, calls, stop }
    }

    pub(crate) async fn publish(&self, message: WireMessage) {
        let sent = self.broker.publish(&Destination::Queue(QUEUE), message).await;
        sent.expect("it is published");
    }

    pub(crate) async fn next_call(&mut self) -> Call {
        let call = time::timeout(Duration::from_hours(1), self.calls.recv()).await;
        call.expect("a call within an hour of the paused timer").expect("the worker runs")
    }

    /// Publishes a message behind all others and waits for its turn: with a prefetch of 1 they are
    /// settled then.
    pub(crate) async fn all_before_are_settled(&mut self) {
        self.publish(job("last")).await;
        while self.next_call().await.id != "last" {}
    }

    /// Stops the worker and waits for its end.
    pub(crate) async fn finish(&mut self) -> CountsSoFar {
        self.stop.cancel();
        (&mut self.running).await.expect("no panic");
        self.counts.so_far()
    }

    pub(crate) async fn depth(&self, queue: Queue) -> Depth {
        self.broker.depth(queue).await.expect("a depth")
    }

    /// The one dead letter.
    pub(crate) async fn dead_letter(&self) -> DeadLetter {
        let mut dead = self.broker.dead_letters(QUEUE, 10).await.expect("dead letters");
        assert_eq!(dead.len(), 1, "{dead:?}");
        dead.remove(0)
    }
}

pub(crate) fn job(id: &str) -> WireMessage {
    let job = TrainJob {
        model: "bikes".into(),
        spec_hash: None,
        as_of: Timestamp::UNIX_EPOCH,
        cut_off: None,
        learners: vec![],
        reason: TrainReason::Requested,
        shift: None,
    };
    WireMessage::new(&job, ContentType::Json, id).expect("a small body")
}

pub(crate) fn result(id: &str) -> WireMessage {
    let result = TrainResult {
        model: "bikes".into(),
        outcome: TrainOutcome::NoCandidate { reason: "none".into() },
        again: None,
    };
    WireMessage::new(&result, ContentType::Json, id).expect("a small body")
}

/// A reply onto the next queue.
pub(crate) fn answer(id: &str) -> Act {
    Act::Answer(Answer(vec![Publication {
        destination: Destination::Queue(Queue::TrainResults),
        message: result(id),
    }]))
}

pub(crate) fn done() -> Act {
    Act::Answer(Answer::default())
}
