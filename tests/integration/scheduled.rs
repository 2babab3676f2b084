//! Nightly train jobs: any number of schedulers make one job per tick.

use forecasting::spec::{ModelSpec, Schedule};
use jiff::SignedDuration;
use protocol::{
    Destination, Queue, decode,
    messages::{TrainJob, TrainReason},
};
use workers::{
    roles::{Role, scheduler::publish_due},
    schedule::job_id,
};

use crate::stack::{Stack, at, in_time};

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
    Schedule { cron: "30 2 * * *".into(), time_zone: "UTC".into() }
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
    let never = Some(Schedule { cron: "sometimes".into(), time_zone: "UTC".into() });
    let broken =
        ModelSpec { name: "a-broken-one".parse().expect("a name"), schedule: never, ..model.clone() };
    registry.apply_model(&broken, stack.now()).await.expect("applies");
    registry.apply_model(&model, stack.now()).await.expect("applies");

    stack.clock.advance(SignedDuration::from_hours(3));
    publish_due(&stack.environment).await.expect("a look");
    assert_eq!(train_jobs(&stack).await, 1);
    stack.finish().await;
}
