//! A fleet on servers whose workers are killed at random moments. No confirmed message of a durable queue is
//! lost, and every effect happens once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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

use crate::{fleet::Fleet, process::Process, random::Random, stack::at};

/// Small numbers for every run, large ones for `scripts/chaos` (reliability.md).
struct Size {
    /// Train jobs: a fit, an artifact, a verdict and a decision each.
    fits: u32,
    /// Observation batches of one hour each.
    batches: u32,
    kills: u32,
}

impl Size {
    fn chosen() -> Self {
        let number = |name: &str, small| {
            std::env::var(name).map_or(small, |text| text.parse().expect("CHAOS_… are numbers"))
        };
        Self {
            fits: number("CHAOS_FITS", 100),
            batches: number("CHAOS_BATCHES", 1_400),
            kills: number("CHAOS_KILLS", 20),
        }
    }
}

const ROLES: [&str; 7] =
    ["trainer", "trainer", "gatekeeper", "gatekeeper", "recorder", "recorder", "forecaster"];
/// The hour after the last one of the example data.
const NEW_YEAR: &str = "2013-01-01T00:00:00-05:00";
/// Between two kills lies a random time of this order.
const BETWEEN_KILLS_MS: u64 = 1_200;

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_and_none_is_done_twice_however_often_workers_are_killed() {
    let Size { fits, batches, kills } = Size::chosen();
    let mut random = Random::new();
    let fleet = Fleet::with_bikes();
    let environment = Arc::new(fleet.environment_now().await);
    let mut workers: Vec<Process> = ROLES.iter().map(|roles| Process::start(&fleet, roles)).collect();

    // Published while workers die; a part of them twice, as by a publisher that lost a confirm.
    let publishing = tokio::spawn(publish(environment.clone(), fits, batches, random.fork()));
    for _kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.below(BETWEEN_KILLS_MS))).await; // the fault's moment
        let victim = usize::try_from(random.below(ROLES.len() as u64)).expect("a small number");
        workers[victim].kill();
        workers[victim] = Process::start(&fleet, ROLES[victim]);
    }
    let jobs = publishing.await.expect("everything is confirmed");

    wait_for_decisions(&environment, &jobs).await;
    wait_for_hours(&environment, batches).await;
    wait_until_empty(&environment).await;
    for worker in &mut workers {
        worker.terminate();
    }
    check_decisions(&environment, &jobs).await;
    println!("{random}: {fits} fits, {batches} batches, {kills} kills: 0 lost, 0 twice");
}

/// Publishes everything, in an order and with repetitions of chance; returns the ids of the train jobs.
async fn publish(
    environment: Arc<Environment>,
    fits: u32,
    batches: u32,
    mut random: Random,
) -> BTreeSet<String> {
    let mut jobs = BTreeSet::new();
    let mut numbers: Vec<(bool, u32)> =
        (0..fits).map(|n| (true, n)).chain((0..batches).map(|n| (false, n))).collect();
    random.shuffle(&mut numbers);
    for (is_fit, number) in numbers {
        let (queue, message) = if is_fit { train_job(&environment, number) } else { hour(number) };
        if is_fit {
            jobs.insert(message.properties.message_id.clone());
        }
        let times = if random.below(10) < 3 { 2 } else { 1 };
        for _time in 0..times {
            confirmed(&environment, queue, &message).await;
        }
    }
    jobs
}

/// Publishes until the broker confirms.
pub(crate) async fn confirmed(environment: &Environment, queue: Queue, message: &WireMessage) {
    while let Err(fault) = environment.broker.publish(&Destination::Queue(queue), message.clone()).await {
        println!("{queue}: published again: {:#}", anyhow::Error::from(fault));
    }
}

fn train_job(environment: &Environment, number: u32) -> (Queue, WireMessage) {
    let learner = ["few-trees", "seasonal-naive", "small-trees"][(number % 3) as usize];
    let job = TrainJob {
        model: "bike-demand".into(),
        spec_hash: None,
        as_of: environment.clock.now(),
        cut_off: None,
        learners: vec![learner.into()],
        reason: TrainReason::Requested,
    };
    (Queue::TrainJobs, message(&job, format!("fit-{number}")))
}

/// The bike hires of one hour after those that were imported.
fn hour(number: u32) -> (Queue, WireMessage) {
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

fn bikes() -> (ModelName, DatasetName, Grid) {
    let grid = Grid::new(Frequency::Minutes(60), "America/New_York").expect("a grid");
    ("bike-demand".parse().expect("a name"), "washington-bikes".parse().expect("a name"), grid)
}

async fn wait_for_decisions(environment: &Environment, jobs: &BTreeSet<String>) {
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

async fn wait_for_hours(environment: &Environment, batches: u32) {
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

/// Waits until every durable queue is empty, and fails if one has dead letters.
async fn wait_until_empty(environment: &Environment) {
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

/// One decision for each job, and a generation for each promotion.
async fn check_decisions(environment: &Environment, jobs: &BTreeSet<String>) {
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
