//! What was published, and what has to have come of it.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use forecasting::{
    names::{DatasetName, ModelName},
    series::{Frequency, Grid},
};
use history::Range;
use jiff::SignedDuration;
use messaging::Depth;
use protocol::{
    ContentType, Destination, Message, Queue, WireMessage,
    messages::{ObservationBatch, SeriesValues, TrainJob, TrainReason},
};
use workers::environment::Environment;

use crate::stack::at;

/// The hour after the last one of the example data.
pub(crate) const NEW_YEAR: &str = "2013-01-01T00:00:00-05:00";

/// Publishes until the broker confirms.
pub(crate) async fn confirmed(environment: &Environment, queue: Queue, message: &WireMessage) {
    while let Err(fault) = environment.broker.publish(&Destination::Queue(queue), message.clone()).await {
        println!("{queue}: published again: {:#}", anyhow::Error::from(fault));
    }
}

/// A train job on the bikes, under an id that follows from `number`.
pub(crate) fn train_job(environment: &Environment, number: u32) -> (Queue, WireMessage) {
    let learner = ["few-trees", "seasonal-naive", "small-trees"][(number % 3) as usize];
    let job = TrainJob {
        model: "bike-demand".into(),
        spec_hash: None,
        as_of: environment.clock.now(),
        cut_off: None,
        learners: vec![learner.into()],
        reason: TrainReason::Requested,
        shift: None,
    };
    (Queue::TrainJobs, message(&job, format!("fit-{number}")))
}

/// The bike hires of one hour after those that were imported.
pub(crate) fn hour(number: u32) -> (Queue, WireMessage) {
    let series = SeriesValues {
        id: "washington-dc".into(),
        start: at(NEW_YEAR) + SignedDuration::from_hours(number.into()),
        frequency: "PT1H".into(),
        tz: "America/New_York".into(),
        values: vec![Some(number.into())],
    };
    let batch = ObservationBatch { dataset: "washington-bikes".into(), series: vec![series] };
    (Queue::Observations, message(&batch, format!("hour-{number}")))
}

fn message<M: Message>(message: &M, id: String) -> WireMessage {
    WireMessage::new(message, ContentType::MessagePack, id).expect("a small body")
}

/// Model, dataset and grid of [`Fleet::with_bikes`](crate::fleet::Fleet::with_bikes).
pub(crate) fn bikes() -> (ModelName, DatasetName, Grid) {
    let grid = Grid::new(Frequency::Minutes(60), "America/New_York").expect("a grid");
    ("bike-demand".parse().expect("a name"), "washington-bikes".parse().expect("a name"), grid)
}

/// Waits until each of these train jobs is decided.
pub(crate) async fn wait_for_decisions(environment: &Environment, jobs: &BTreeSet<String>) {
    let (model, ..) = bikes();
    loop {
        let decisions = environment.registry.decisions(&model, 1_000_000).await.expect("reads");
        let decided: BTreeSet<&str> = decisions.iter().map(|decision| decision.job.as_str()).collect();
        if jobs.iter().all(|job| decided.contains(job.as_str())) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await; // polls for the event it waits for
    }
}

/// Waits until the hours `0..batches` are in the history, each with its value and nothing else.
pub(crate) async fn wait_for_hours(environment: &Environment, batches: u32) {
    let (_, dataset, grid) = bikes();
    let range = Range { from: Some(at(NEW_YEAR)), ..Range::default() };
    let expected: Vec<f64> = (0..batches).map(f64::from).collect();
    loop {
        let read = environment.history.read(&dataset, &grid, &range).await.expect("reads");
        if read.series.first().is_some_and(|series| series.values == expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await; // polls for the event it waits for
    }
}

/// What has not come of so many hours and these train jobs, and where it may be.
pub(crate) async fn missing(environment: &Environment, jobs: &BTreeSet<String>, hours: u32) -> String {
    let (model, dataset, grid) = bikes();
    let range = Range { from: Some(at(NEW_YEAR)), ..Range::default() };
    let read = environment.history.read(&dataset, &grid, &range).await.expect("reads");
    let known = read.series.first().map_or(0, |series| {
        series.values.iter().zip(0_u32..).filter(|(value, hour)| **value == f64::from(*hour)).count()
    });
    let decisions = environment.registry.decisions(&model, 1_000_000).await.expect("reads");
    let decided: BTreeSet<&str> = decisions.iter().map(|decision| decision.job.as_str()).collect();
    let undecided: Vec<&String> = jobs.iter().filter(|job| !decided.contains(job.as_str())).collect();
    let mut told = format!("{known} of {hours} hours, no decision on {undecided:?}");
    for queue in Queue::ALL {
        let depth = environment.broker.depth(queue).await.expect("a depth");
        write!(told, "; {queue}: {depth:?}").expect("a string has room");
    }
    told
}

/// Waits until every durable queue is empty, and fails if one has dead letters.
pub(crate) async fn wait_until_empty(environment: &Environment) {
    for queue in Queue::ALL.into_iter().filter(|queue| queue.is_durable()) {
        loop {
            let depth = environment.broker.depth(queue).await.expect("a depth");
            assert_eq!(depth.dead, 0, "dead letters of {queue}");
            if depth == Depth::default() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await; // polls for the event it waits for
        }
    }
}

/// Waits until a queue has at least so many dead letters. (That nothing waits any more says less: what another
/// process holds nobody tells us.)
pub(crate) async fn wait_for_dead_letters(environment: &Environment, queue: Queue, count: u64) {
    while environment.broker.depth(queue).await.expect("a depth").dead < count {
        tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
    }
}

/// Fails unless there is one decision for each job, and one generation for each promotion.
pub(crate) async fn check_decisions(environment: &Environment, jobs: &BTreeSet<String>) {
    let (model, ..) = bikes();
    let decisions = environment.registry.decisions(&model, 1_000_000).await.expect("reads");
    let decided: Vec<&str> = decisions.iter().map(|decision| decision.job.as_str()).collect();
    let distinct: BTreeSet<&str> = decided.iter().copied().collect();
    assert_eq!(decided.len(), distinct.len(), "a job was decided twice");
    assert_eq!(distinct, jobs.iter().map(String::as_str).collect());
    let promotions =
        decisions.iter().filter(|decision| decision.judgement.verdict.name() == "promote").count();
    let incumbents = environment.registry.incumbent_history(&model).await.expect("reads");
    let mut generations: Vec<u64> = incumbents.iter().map(|incumbent| incumbent.generation).collect();
    generations.sort_unstable();
    assert_eq!(generations, (1..=promotions as u64).collect::<Vec<_>>());
    assert!(promotions > 0, "nothing was ever promoted");
}
