//! What the runner does with each message, on the in-memory broker, a clock that stands still, and a
//! timer that jumps to the next thing to happen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use clock::ManualClock;
use jiff::{SignedDuration, Timestamp};
use messaging::{Broker, DeadLetter, Depth, MemoryBroker};
use protocol::{
    ContentType, Destination, EncodeError, MAX_BODY_BYTES, Properties, Publication, Queue, Reply,
    ReplyAddress, WireMessage,
    messages::{TrainJob, TrainOutcome, TrainReason, TrainResult},
};
use runner::{Counts, CountsSoFar, HandleError, Handler, JobContext, Limits, Worker};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

const QUEUE: Queue = Queue::TrainJobs;
const LIMITS: Limits = Limits { prefetch: 1, time_limit: None, grace: Duration::from_secs(10) };

/// What the handler does with a message.
enum Act {
    Answer(Answer),
    Fail(&'static str),
    Reject(&'static str),
    Postpone(Duration),
    Panic(String),
    Hang,
    WaitFor(Arc<Semaphore>),
}

/// The publications that the handler replies with.
#[derive(Default)]
struct Answer(Vec<Publication>);

impl Reply for Answer {
    fn publications(self, _request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        Ok(self.0)
    }
}

/// One call of the handler.
struct Call {
    id: String,
    attempt: u32,
    at: Instant,
    stop: CancellationToken,
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
            Act::Reject(error) => Err(HandleError::rejected(error)),
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
struct Stage {
    broker: MemoryBroker,
    clock: Arc<ManualClock>,
    counts: Arc<Counts>,
    calls: mpsc::UnboundedReceiver<Call>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Stage {
    fn start(limits: Limits, script: impl Fn(&JobContext) -> Act + Send + Sync + 'static) -> Self {
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

    async fn publish(&self, message: WireMessage) {
        let sent = self.broker.publish(&Destination::Queue(QUEUE), message).await;
        sent.expect("it is published");
    }

    async fn next_call(&mut self) -> Call {
        let call = time::timeout(Duration::from_hours(1), self.calls.recv()).await;
        call.expect("a call within an hour of the paused timer").expect("the worker runs")
    }

    /// Publishes a message behind all others and waits for its turn: with a prefetch of 1 they are
    /// settled then.
    async fn all_before_are_settled(&mut self) {
        self.publish(job("last")).await;
        while self.next_call().await.id != "last" {}
    }

    /// Stops the worker and waits for its end.
    async fn finish(&mut self) -> CountsSoFar {
        self.stop.cancel();
        (&mut self.running).await.expect("no panic");
        self.counts.so_far()
    }

    async fn depth(&self, queue: Queue) -> Depth {
        self.broker.depth(queue).await.expect("a depth")
    }

    /// The one dead letter.
    async fn dead_letter(&self) -> DeadLetter {
        let mut dead = self.broker.dead_letters(QUEUE, 10).await.expect("dead letters");
        assert_eq!(dead.len(), 1, "{dead:?}");
        dead.remove(0)
    }
}

fn job(id: &str) -> WireMessage {
    let job = TrainJob {
        model: "bikes".into(),
        spec_hash: None,
        as_of: Timestamp::UNIX_EPOCH,
        cut_off: None,
        learners: vec![],
        reason: TrainReason::Requested,
    };
    WireMessage::new(&job, ContentType::Json, id).expect("a small body")
}

fn result(id: &str) -> WireMessage {
    let result =
        TrainResult { model: "bikes".into(), outcome: TrainOutcome::NoCandidate { reason: "none".into() } };
    WireMessage::new(&result, ContentType::Json, id).expect("a small body")
}

/// A reply onto the next queue.
fn answer(id: &str) -> Act {
    Act::Answer(Answer(vec![Publication {
        destination: Destination::Queue(Queue::TrainResults),
        message: result(id),
    }]))
}

fn done() -> Act {
    Act::Answer(Answer::default())
}

#[tokio::test(start_paused = true)]
async fn a_handled_message_is_gone_and_its_reply_is_on_the_next_queue() {
    let mut stage = Stage::start(LIMITS, |job| answer(&job.message_id));
    stage.publish(job("a")).await;
    stage.next_call().await;
    assert_eq!(stage.finish().await.done, 1);
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
    let mut replies = stage.broker.consume(Queue::TrainResults, 1).await.expect("it consumes");
    let reply = replies.next().await.expect("a delivery");
    assert_eq!(reply.message, result("a"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_dead_lettered_at_once() {
    let garbage = |change: fn(&mut WireMessage)| {
        let mut message = job("bad");
        change(&mut message);
        message
    };
    for (message, reason) in [
        (garbage(|m| m.body = "{".into()), "train-job cannot be decoded: "),
        (garbage(|m| m.properties.kind = "tea.v1".into()), "type \"tea.v1\" is unknown here"),
        (garbage(|m| m.properties.message_id.clear()), "message_id of 0 bytes"),
        (garbage(|m| m.properties.reply_to = Some("train-jobs".into())), "reply_to \"train-jobs\""),
    ] {
        let mut stage = Stage::start(LIMITS, |_| done());
        stage.publish(message.clone()).await;
        stage.all_before_are_settled().await;
        let counts = stage.finish().await;
        assert_eq!((counts.dead_lettered, counts.done), (1, 1));
        let dead = stage.dead_letter().await;
        assert_eq!(dead.message, message);
        assert!(dead.reason.starts_with(reason), "{}", dead.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn work_whose_deadline_has_passed_is_dropped_before_it_is_computed() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.clock.advance(SignedDuration::from_secs(1));
    for (id, deadline) in [("late", 1), ("in time", 2)] {
        let mut message = job(id);
        message.properties.deadline = Some(Timestamp::from_second(deadline).expect("a time"));
        stage.publish(message).await;
    }
    assert_eq!(stage.next_call().await.id, "in time");
    let counts = stage.finish().await;
    assert_eq!((counts.expired, counts.done), (1, 1));
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_is_tried_five_times_with_growing_waits_and_then_dead_lettered() {
    let mut stage = Stage::start(LIMITS, |job| match job.attempt {
        0 => done(),
        1 => Act::Fail("out of ink"),
        _ => Act::Fail("out of paper"),
    });
    stage.publish(job("a")).await;
    let mut last = stage.next_call().await;
    assert_eq!(last.attempt, 1);
    for (attempt, wait_seconds) in [(2, 1.0), (3, 4.0), (4, 16.0), (5, 64.0)] {
        let call = stage.next_call().await;
        assert_eq!(call.attempt, attempt);
        let waited = (call.at - last.at).as_secs_f64();
        assert!((waited / wait_seconds - 1.0).abs() <= 0.26, "{waited} s before attempt {attempt}");
        last = call;
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.dead_lettered), (4, 1));
    let dead = stage.dead_letter().await;
    assert_eq!(dead.reason, "failed 5 times, at last: out of paper");
    assert_eq!(dead.message.properties.first_error.as_deref(), Some("out of ink"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_does_not_hold_up_the_others() {
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "bad" => Act::Fail("no"),
        _ => done(),
    });
    let start = Instant::now();
    for id in ["bad", "a", "b"] {
        stage.publish(job(id)).await;
    }
    for expected in ["bad", "a", "b"] {
        let call = stage.next_call().await;
        assert_eq!(call.id, expected);
        assert!(call.at - start < Duration::from_millis(100));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_is_dead_lettered_with_the_chain_of_errors() {
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "last" => done(),
        _ => Act::Reject("artifact is damaged"),
    });
    stage.publish(job("a")).await;
    stage.all_before_are_settled().await;
    assert_eq!(stage.finish().await.retried, 0);
    assert_eq!(stage.dead_letter().await.reason, "artifact is damaged");
}

#[tokio::test(start_paused = true)]
async fn a_postponed_message_comes_back_as_often_as_it_takes_and_never_counts_as_failed() {
    let turns = AtomicU32::new(0);
    let mut stage = Stage::start(LIMITS, move |_| match turns.fetch_add(1, Ordering::Relaxed) {
        0..10 => Act::Postpone(Duration::from_mins(1)),
        _ => done(),
    });
    let start = Instant::now();
    stage.publish(job("a")).await;
    for turn in 0..=10 {
        let call = stage.next_call().await;
        assert_eq!(call.attempt, 1);
        assert!(call.at - start >= turn * Duration::from_mins(1));
    }
    let counts = stage.finish().await;
    assert_eq!((counts.postponed, counts.retried, counts.done), (10, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_text_and_the_worker_lives_on() {
    let mut stage = Stage::start(LIMITS, |job| match (job.message_id.as_str(), job.attempt) {
        ("a", 1) => Act::Panic("row 7 is odd".to_owned()),
        _ => done(),
    });
    stage.publish(job("a")).await;
    stage.publish(job("b")).await;
    for (id, attempt) in [("a", 1), ("b", 1), ("a", 2)] {
        let call = stage.next_call().await;
        assert_eq!((call.id.as_str(), call.attempt), (id, attempt));
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.done), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_quotes_a_whole_message_is_cut() {
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "last" => done(),
        _ => Act::Panic("ä".repeat(100_000)),
    });
    let mut message = job("a");
    message.properties.attempt = 5;
    stage.publish(message).await;
    stage.all_before_are_settled().await;
    stage.finish().await;
    let reason = stage.dead_letter().await.reason;
    assert!(reason.starts_with("failed 5 times, at last: the handler panicked: ää"), "{reason}");
    assert_eq!(reason.chars().count(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_never_ends_fails_at_the_time_limit_and_is_told_to_stop() {
    let limits = Limits { time_limit: Some(Duration::from_secs(30)), ..LIMITS };
    let mut stage = Stage::start(limits, |job| match job.attempt {
        1 => Act::Hang,
        _ => done(),
    });
    stage.publish(job("endless")).await;
    let first = stage.next_call().await;
    let second = stage.next_call().await;
    assert!(first.stop.is_cancelled());
    let waited = second.at - first.at;
    assert!((30..33).contains(&waited.as_secs()), "the limit and one delay: {waited:?}");
    assert_eq!(stage.finish().await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_published_again_when_the_broker_is_away_for_a_moment() {
    let mut stage = Stage::start(LIMITS, |job| answer(&job.message_id));
    stage.publish(job("a")).await;
    for _ in 0..3 {
        stage.broker.fail_next_publish();
    }
    stage.next_call().await;
    let counts = stage.finish().await;
    assert_eq!((counts.done, counts.retried), (1, 0));
    assert_eq!(stage.depth(Queue::TrainResults).await.ready, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_reply_cannot_be_published_is_handled_again_and_never_given_up() {
    let mut stage = Stage::start(LIMITS, |job| answer(&job.message_id));
    let mut message = job("a");
    message.properties.attempt = 5; // one more failure of its own would end it
    stage.publish(message).await;
    for _ in 0..8 {
        stage.broker.fail_next_publish();
    }
    for _ in 0..3 {
        assert_eq!(stage.next_call().await.attempt, 5);
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.done, counts.dead_lettered), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_broker_uses_up_none_of_the_attempts_of_a_message() {
    let calls = AtomicU32::new(0);
    let mut stage = Stage::start(LIMITS, move |job| match calls.fetch_add(1, Ordering::Relaxed) {
        5 => Act::Fail("out of ink"), // for the first time, after the outage
        _ => answer(&job.message_id),
    });
    stage.publish(job("a")).await;
    for _ in 0..5 * 4 {
        stage.broker.fail_next_publish(); // five replies, four tries each
    }
    for attempt in [1, 1, 1, 1, 1, 1, 2] {
        assert_eq!(stage.next_call().await.attempt, attempt);
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.done, counts.dead_lettered), (6, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_large_is_no_reason_to_compute_it_again() {
    let mut stage = Stage::start(LIMITS, |job| {
        if job.message_id == "last" {
            return done();
        }
        let mut message = result("a");
        message.body = vec![0; MAX_BODY_BYTES + 1].into();
        Act::Answer(Answer(vec![Publication {
            destination: Destination::Queue(Queue::TrainResults),
            message,
        }]))
    });
    stage.publish(job("a")).await;
    stage.all_before_are_settled().await;
    stage.finish().await;
    let reason = stage.dead_letter().await.reason;
    assert_eq!(
        reason,
        "the reply cannot be sent: a body of 1048577 bytes is too large, at most 1048576 are allowed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_an_asker_who_has_gone_is_counted_and_the_message_done() {
    let mut stage = Stage::start(LIMITS, |_| {
        Act::Answer(Answer(vec![Publication {
            destination: Destination::Asker(ReplyAddress::new("replies.gone").expect("an address")),
            message: result("a"),
        }]))
    });
    stage.publish(job("a")).await;
    stage.next_call().await;
    let counts = stage.finish().await;
    assert_eq!((counts.askers_gone, counts.done), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_could_not_be_settled_is_handled_again() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.broker.fail_next_settlement();
    stage.publish(job("a")).await;
    stage.next_call().await;
    assert_eq!(stage.next_call().await.attempt, 1);
    stage.finish().await;
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn as_many_messages_as_the_prefetch_are_handled_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let limits = Limits { prefetch: 3, ..LIMITS };
    let mut stage = Stage::start(limits, move |_| Act::WaitFor(Arc::clone(&waiting)));
    for id in ["a", "b", "c", "d"] {
        stage.publish(job(id)).await;
    }
    for _ in 0..3 {
        stage.next_call().await;
    }
    assert_eq!(stage.depth(QUEUE).await.ready, 1);
    assert!(stage.calls.is_empty());
    gate.add_permits(1);
    assert_eq!(stage.next_call().await.id, "d");
    gate.add_permits(3);
    assert_eq!(stage.finish().await.done, 4);
}

#[tokio::test(start_paused = true)]
async fn a_worker_told_to_stop_finishes_what_it_holds_and_takes_nothing_new() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let mut stage = Stage::start(LIMITS, move |_| Act::WaitFor(Arc::clone(&waiting)));
    stage.publish(job("held")).await;
    stage.publish(job("not started")).await;
    stage.next_call().await;
    stage.stop.cancel();
    gate.add_permits(2);
    let counts = stage.finish().await;
    assert_eq!((counts.done, counts.given_back), (1, 0));
    assert_eq!(stage.depth(QUEUE).await, Depth { ready: 1, ..Depth::default() });
}

#[tokio::test(start_paused = true)]
async fn what_is_not_finished_within_the_grace_time_is_given_back_untouched() {
    let mut stage = Stage::start(LIMITS, |_| Act::Hang);
    stage.publish(job("endless")).await;
    let call = stage.next_call().await;
    let stopped_at = Instant::now();
    let counts = stage.finish().await;
    assert_eq!(Instant::now() - stopped_at, LIMITS.grace);
    assert_eq!((counts.given_back, counts.done), (1, 0));
    assert!(call.stop.is_cancelled(), "the handler is told");

    let mut deliveries = stage.broker.consume(QUEUE, 1).await.expect("it consumes");
    let again = deliveries.next().await.expect("a delivery");
    assert_eq!(again.message, job("endless"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_nothing_is_there_ends_at_once() {
    let mut stage = Stage::start(LIMITS, |_| done());
    let start = Instant::now();
    assert_eq!(stage.finish().await, CountsSoFar::default());
    assert_eq!(Instant::now(), start);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_ends_is_replaced_however_often_that_fails() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.publish(job("a")).await;
    assert_eq!(stage.next_call().await.id, "a");
    for _ in 0..20 {
        stage.broker.fail_next_consume();
    }
    stage.broker.end_consumers();
    stage.publish(job("b")).await;
    assert_eq!(stage.next_call().await.id, "b");
    assert_eq!(stage.finish().await.done, 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_consume_stops_at_once() {
    let mut stage = Stage::start(LIMITS, |_| done());
    for _ in 0..1000 {
        stage.broker.fail_next_consume();
    }
    stage.broker.end_consumers();
    tokio::task::yield_now().await;
    let start = Instant::now();
    stage.finish().await;
    assert_eq!(Instant::now(), start);
}
