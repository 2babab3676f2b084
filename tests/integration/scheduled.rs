//! Nightly train jobs: any number of schedulers make one job per tick.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use artifacts::ObjectArtifacts;
use async_trait::async_trait;
use clock::ManualClock;
use forecasting::spec::{ModelSpec, Schedule};
use history::MemoryHistory;
use jiff::{SignedDuration, Timestamp, civil::Date};
use messaging::{
    Broker, BrokerError, Chosen, ConsumeError, DeadLetter, Deliveries, Depth, Examined, Listener,
    PublishError, Replies,
};
use protocol::{
    Destination, Queue, WireMessage, decode,
    messages::{TrainJob, TrainReason},
};
use registry::MemoryRegistry;
use tokio::sync::Notify;
use workers::{
    config::Config,
    environment::{Environment, Parts},
    roles::{Role, scheduler::publish_due},
    schedule::job_id,
};

use crate::{
    random::Random,
    stack::{Stack, at, in_time},
};

#[tokio::test]
async fn two_schedulers_make_one_job_per_tick() {
    let stack = Stack::still().await;
    let mut model = stack.bring_bikes().await;
    model.schedule = Some(nightly());
    stack.environment.registry.apply_model(&model, stack.now()).await.expect("applies");

    let next = publish_due(&stack.environment).await.expect("a first look");
    assert_eq!(next, Some(at("2026-01-01T02:30:00Z")));
    stack.clock.advance(SignedDuration::from_hours(3));
    for _scheduler in 0..2 {
        publish_due(&stack.environment).await.expect("a second look");
    }
    let depth = stack.environment.broker.depth(Queue::TrainJobs).await.expect("a depth");
    assert_eq!(depth.ready, 1);
    let mut deliveries = stack.environment.broker.consume(Queue::TrainJobs, 1).await.expect("consumes");
    let delivery = in_time(deliveries.next()).await.expect("a delivery");
    let job: TrainJob = decode(&delivery.message).expect("a train job");
    assert_eq!(job.reason, TrainReason::Scheduled);
    assert_eq!(job.as_of, at("2026-01-01T02:30:00Z"));
    assert_eq!(job.spec_hash, Some(model.hash()));
    assert!(job.cut_off.is_some_and(|cut_off| cut_off < at("2012-12-31T00:00:00Z")), "{:?}", job.cut_off);
    assert_eq!(delivery.message.properties.message_id, job_id(&model.name, job.as_of));
    delivery.settle(messaging::Settlement::Done).await.expect("settles");
    stack.finish().await;
}

/// Not so on RabbitMQ, which cannot tell: there the trainer finds the job's version and repeats its reply.
#[tokio::test]
async fn a_tick_that_is_published_twice_is_one_job_on_an_embedded_queue() {
    let stack = Stack::still().await;
    let mut model = stack.bring_bikes().await;
    model.schedule = Some(nightly());
    stack.environment.registry.apply_model(&model, stack.now()).await.expect("applies");
    stack.clock.advance(SignedDuration::from_hours(3));
    publish_due(&stack.environment).await.expect("a look");
    let mut deliveries = stack.environment.broker.consume(Queue::TrainJobs, 1).await.expect("consumes");
    let delivery = in_time(deliveries.next()).await.expect("a delivery");
    // As by a scheduler that was cut off before it could record the tick.
    let again = delivery.message.clone();
    stack.environment.broker.publish(&Destination::Queue(Queue::TrainJobs), again).await.expect("published");
    assert_eq!(train_jobs(&stack).await, 0, "none beside the one that is out for delivery");
    delivery.settle(messaging::Settlement::Done).await.expect("settles");
    stack.finish().await;
}

#[tokio::test]
async fn a_tick_becomes_a_decision() {
    let mut stack = Stack::still().await;
    let mut model = stack.bring_bikes().await;
    model.learners.retain(|learner| learner.name.as_str() == "small-trees");
    model.schedule = Some(nightly());
    let registry = stack.environment.registry.clone();
    registry.apply_model(&model, stack.now()).await.expect("applies");
    publish_due(&stack.environment).await.expect("a first look");
    stack.clock.advance(SignedDuration::from_hours(3));

    let mut events = stack.environment.broker.listen(&["model-promoted.*"]).await.expect("listens");
    stack.run(&[Role::Scheduler, Role::Trainer, Role::Gatekeeper]);
    in_time(events.next()).await.expect("model-promoted");
    assert_eq!(
        registry.incumbent(&model.name).await.expect("asks").map(|incumbent| incumbent.generation),
        Some(1)
    );
    stack.finish().await;
}

fn nightly() -> Schedule {
    Schedule { cron: "30 2 * * *".into(), time_zone: "UTC".into(), catch_up_within: None }
}

async fn train_jobs(stack: &Stack) -> u64 {
    stack.environment.broker.depth(Queue::TrainJobs).await.expect("a depth").ready
}

#[tokio::test]
async fn no_tick_from_before_the_schedule_was_applied_is_made_up_for() {
    let stack = Stack::still().await;
    let mut model = stack.bring_bikes().await;
    let registry = &stack.environment.registry;
    registry.record_tick(&model.name, at("2025-12-01T02:30:00Z"), stack.now()).await.expect("records");
    stack.clock.advance(SignedDuration::from_hours(12));
    model.schedule = Some(nightly());
    registry.apply_model(&model, stack.now()).await.expect("applies");

    let next = publish_due(&stack.environment).await.expect("a look");
    assert_eq!((next, train_jobs(&stack).await), (Some(at("2026-01-02T02:30:00Z")), 0));
    stack.clock.advance(SignedDuration::from_hours(24));
    publish_due(&stack.environment).await.expect("a look after the first tick");
    assert_eq!(train_jobs(&stack).await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_model_that_cannot_be_scheduled_holds_up_no_other() {
    let stack = Stack::still().await;
    let mut model = stack.bring_bikes().await;
    model.schedule = Some(nightly());
    let registry = &stack.environment.registry;
    // The registry lists it before the other one.
    let never = Some(Schedule { cron: "sometimes".into(), time_zone: "UTC".into(), catch_up_within: None });
    let broken =
        ModelSpec { name: "a-broken-one".parse().expect("a name"), schedule: never, ..model.clone() };
    registry.apply_model(&broken, stack.now()).await.expect("applies");
    registry.apply_model(&model, stack.now()).await.expect("applies");

    stack.clock.advance(SignedDuration::from_hours(3));
    publish_due(&stack.environment).await.expect("a look");
    assert_eq!(train_jobs(&stack).await, 1);
    stack.finish().await;
}

/// Zones of every kind: half and quarter hours, both hemispheres, clocks that change at midnight, by half an
/// hour, around Ramadan, or never.
const ZONES: [&str; 20] = [
    "UTC",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Atlantic/Azores",
    "America/St_Johns",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
];
/// Many lines name an hour that clocks skip, or have twice.
const LINES: [&str; 4] = ["30 2 * * *", "15 0 * * *", "30 1 * * *", "0 3 * * *"];
const DAYS: i64 = 730;

/// The promise of reliability: 20 zones, 2 years, 3 schedulers of which one dies now and then between publishing
/// and recording, clocks that jump by an hour: no night missed, none twice.
#[tokio::test]
async fn three_schedulers_of_which_any_may_die_make_one_job_per_night_in_every_zone_for_two_years() {
    let begin = at("2025-01-01T12:00:00Z");
    let clock = Arc::new(ManualClock::at(begin));
    let broker = Arc::new(MortalBroker::new());
    let parts = Parts {
        broker: broker.clone(),
        registry: Arc::new(MemoryRegistry::new()),
        history: Arc::new(MemoryHistory::new()),
        artifacts: Arc::new(ObjectArtifacts::memory()),
    };
    let environment = Arc::new(Environment::of(Config::default(), clock.clone(), parts));
    let models = nightly_models(&environment, begin).await;

    let mut random = Random::new();
    let mut deaths = 0;
    let end = begin + SignedDuration::from_hours(24 * DAYS);
    let mut true_now = begin;
    while true_now < end {
        true_now += SignedDuration::from_mins(i64::try_from(random.below(360)).expect("is small") + 1);
        for _scheduler in 0..3 {
            // Each machine has its own idea of the time, once in a while an hour off.
            let off = [0, 0, 0, 0, 0, 0, -60, 60][usize::try_from(random.below(8)).expect("an index")];
            clock.set(true_now + SignedDuration::from_mins(off));
            if random.below(20) == 0 {
                broker.die_after_publishing();
            }
            let looking = tokio::spawn({
                let environment = environment.clone();
                async move { publish_due(&environment).await }
            });
            let aborting = looking.abort_handle();
            tokio::select! {
                looked = looking => { looked.expect("no panic").expect("a look"); }
                () = broker.died() => { aborting.abort(); deaths += 1; }
            }
        }
    }
    assert!(deaths > 100, "{deaths} schedulers died");
    assert_one_job_per_night(&broker.published(), &models, begin, true_now);
}

/// A model for each zone, with a line of [`LINES`].
async fn nightly_models(environment: &Environment, now: Timestamp) -> Vec<ModelSpec> {
    let dataset = crate::stack::spec("examples/datasets/washington-bikes.toml");
    environment.registry.apply_dataset(&dataset, now).await.expect("applies");
    let mut models = Vec::new();
    for (number, zone) in ZONES.into_iter().enumerate() {
        let cron = LINES[number % LINES.len()].to_owned();
        let mut model: ModelSpec = toml::from_str(crate::stack::SMALL_MODEL).expect("a specification");
        model.name = format!("model-{number}").parse().expect("a name");
        model.schedule = Some(Schedule { cron, time_zone: zone.to_owned(), catch_up_within: None });
        environment.registry.apply_model(&model, now).await.expect("applies");
        models.push(model);
    }
    models
}

fn assert_one_job_per_night(
    published: &[(String, TrainJob)],
    models: &[ModelSpec],
    begin: Timestamp,
    end: Timestamp,
) {
    for model in models {
        let zone = &model.schedule.as_ref().expect("has one").time_zone;
        let day = |at: Timestamp| at.in_tz(zone).expect("a zone").date();
        let mut jobs: BTreeMap<Date, BTreeSet<&str>> = BTreeMap::new();
        for (id, job) in published.iter().filter(|(_, job)| job.model == model.name.as_str()) {
            jobs.entry(day(job.as_of)).or_default().insert(id);
        }
        // The line names a time that has passed on the first day, and may be to come on the last.
        let mut date = day(begin).tomorrow().expect("is early enough");
        while date < day(end) {
            let ids = jobs.remove(&date).unwrap_or_default();
            assert_eq!(ids.len(), 1, "jobs of {date} in {zone}: {ids:?}");
            date = date.tomorrow().expect("is early enough");
        }
        assert!(jobs.keys().all(|left| *left == date || *left == day(begin)), "{zone}: {jobs:?}");
    }
}

/// A broker that remembers what was published, and whose publisher may die right after.
struct MortalBroker {
    published: Mutex<Vec<(String, TrainJob)>>,
    dies: AtomicBool,
    died: Notify,
}

impl MortalBroker {
    fn new() -> Self {
        let (published, dies) = (Mutex::default(), AtomicBool::new(false));
        Self { published, dies, died: Notify::new() }
    }

    /// Whoever publishes next does not live to record it.
    fn die_after_publishing(&self) {
        self.dies.store(true, Ordering::SeqCst);
    }

    async fn died(&self) {
        self.died.notified().await;
    }

    /// Ids and messages, repeated ones too.
    fn published(&self) -> Vec<(String, TrainJob)> {
        self.published.lock().expect("nobody panics while holding it").clone()
    }
}

#[async_trait]
impl Broker for MortalBroker {
    fn system(&self) -> &'static str {
        "mortal"
    }

    async fn publish(&self, _to: &Destination, message: WireMessage) -> Result<(), PublishError> {
        let job = decode(&message).expect("a train job");
        let id = message.properties.message_id;
        self.published.lock().expect("nobody panics while holding it").push((id, job));
        if self.dies.swap(false, Ordering::SeqCst) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn consume(&self, _: Queue, _: u16) -> Result<Box<dyn Deliveries>, ConsumeError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn listen(&self, _: &[&str]) -> Result<Box<dyn Listener>, ConsumeError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, ConsumeError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn depth(&self, _: Queue) -> Result<Depth, BrokerError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn dead_letters(&self, _: Queue, _: u32) -> Result<Vec<DeadLetter>, BrokerError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn dead_letter(&self, _: Queue, _: &str) -> Result<Option<DeadLetter>, BrokerError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn replay_dead_letters(&self, _: Queue, _: &Chosen) -> Result<u64, BrokerError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn drop_dead_letters(&self, _: Queue, _: &Chosen) -> Result<u64, BrokerError> {
        unreachable!("schedulers publish, and nothing else")
    }

    async fn examine(&self) -> Result<Examined, BrokerError> {
        unreachable!("schedulers publish, and nothing else")
    }
}

#[tokio::test]
async fn a_night_that_was_missed_for_too_long_is_left_out_and_the_next_one_is_not() {
    let stack = Stack::still().await;
    let mut model = stack.bring_bikes().await;
    model.schedule = Some(Schedule { catch_up_within: Some(SignedDuration::from_hours(6)), ..nightly() });
    stack.environment.registry.apply_model(&model, stack.now()).await.expect("applies");
    // Nothing ran for three nights, until eight hours after the last of them.
    stack.clock.set(at("2026-01-03T10:30:00Z"));
    publish_due(&stack.environment).await.expect("a look");
    assert_eq!(train_jobs(&stack).await, 0);
    let looked_at = stack.environment.registry.last_tick(&model.name).await.expect("asks");
    assert_eq!(looked_at, Some(at("2026-01-03T02:30:00Z")), "nobody has to look at it again");
    stack.clock.set(at("2026-01-04T08:30:00Z"));
    publish_due(&stack.environment).await.expect("a look");
    assert_eq!(train_jobs(&stack).await, 1, "six hours late is not too late");
    stack.finish().await;
}
