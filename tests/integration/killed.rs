//! The process is killed at random moments, twenty times. Every train job still ends in exactly one
//! decision, no message is lost, and no incumbent is changed twice by one decision.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use clock::SystemClock;
use forecasting::{
    names::ModelName,
    series::{Frequency, Grid},
};
use history::{History, Range, SqliteHistory};
use jiff::SignedDuration;
use messaging::{Access, Broker, Depth, SqliteBroker};
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{ObservationBatch, SeriesValues},
};
use registry::{Decision, Registry, SqliteRegistry};

use crate::{
    command_line::{gatecast, json, succeed},
    random::Random,
    stack::{PATIENCE, SMALL_MODEL, at, root},
};

const KILLS: u16 = 20;
/// Train jobs that are published while nothing runs, before each start.
const JOBS_A_ROUND: u16 = 2;
/// The hour after the last one of the example data.
const NEW_YEAR: &str = "2013-01-01T00:00:00-05:00";
/// A round is killed at a moment between none and this.
const LONGEST_ROUND_MS: u64 = 900;

#[tokio::test]
async fn every_train_job_has_one_decision_however_often_the_process_is_killed() {
    let mut random = Random::new();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    bring_bikes(&data, folder.path());

    let mut jobs = BTreeSet::new();
    for round in 0..KILLS {
        jobs.extend((0..JOBS_A_ROUND).map(|at| publish(&data, round * JOBS_A_ROUND + at)));
        observe(&data, round).await;
        let mut process = run(&data);
        std::thread::sleep(Duration::from_millis(random.below(LONGEST_ROUND_MS)));
        process.0.kill().expect("kill -9");
        process.0.wait().expect("it is dead");
    }

    let mut process = run(&data);
    let registry = SqliteRegistry::open(data.join("registry.db")).await.expect("opens beside the process");
    let model = ModelName::new("bike-demand").expect("a name");
    let decisions = tokio::time::timeout(PATIENCE, all_decided(&registry, &model, &jobs)).await;
    let decisions =
        decisions.unwrap_or_else(|_| panic!("{random}: some of {} jobs have no decision", jobs.len()));
    tokio::time::timeout(PATIENCE, all_observed(&data)).await.expect("every observation is recorded");
    terminate(&mut process.0);

    let decided: Vec<&str> = decisions.iter().map(|decision| decision.job.as_str()).collect();
    let distinct: BTreeSet<&str> = decided.iter().copied().collect();
    assert_eq!(decided.len(), distinct.len(), "{random}: a job was decided twice");
    assert_eq!(distinct, jobs.iter().map(String::as_str).collect(), "{random}");

    // Each promotion is one change of incumbent, and each change counts one generation.
    let promotions =
        decisions.iter().filter(|decision| decision.judgement.verdict.name() == "promote").count();
    let incumbents = registry.incumbent_history(&model).await.expect("reads");
    let mut generations: Vec<u64> = incumbents.iter().map(|incumbent| incumbent.generation).collect();
    generations.sort_unstable();
    assert_eq!(generations, (1..=promotions as u64).collect::<Vec<_>>(), "{random}");
    assert!(promotions > 0, "{random}: nothing was ever promoted");

    let broker =
        SqliteBroker::open(data.join("queue.db"), Access::Owner, Arc::new(SystemClock)).await.expect("opens");
    for queue in Queue::ALL {
        assert_eq!(
            broker.depth(queue).await.expect("a depth"),
            Depth::default(),
            "{random}: left on {queue}"
        );
    }
}

/// Waits until every job has its decision.
async fn all_decided(registry: &SqliteRegistry, model: &ModelName, jobs: &BTreeSet<String>) -> Vec<Decision> {
    loop {
        let decisions = registry.decisions(model, 10_000).await.expect("reads");
        let decided: BTreeSet<&str> = decisions.iter().map(|decision| decision.job.as_str()).collect();
        if jobs.iter().all(|job| decided.contains(job.as_str())) {
            return decisions;
        }
        tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
    }
}

fn bring_bikes(data: &Path, scratch: &Path) {
    let model = scratch.join("model.toml");
    std::fs::write(&model, SMALL_MODEL).expect("writes");
    let example = |file: &str| root().join("examples").join(file);
    succeed(gatecast(data).args(["datasets", "apply"]).arg(example("datasets/washington-bikes.toml")));
    succeed(gatecast(data).args(["models", "apply"]).arg(model));
    succeed(gatecast(data).args(["import", "washington-bikes"]).arg(example("data/washington-bikes.csv.gz")));
}

/// Publishes a train job onto the queue of a folder that no process owns; returns its id.
fn publish(data: &Path, at: u16) -> String {
    let learner = ["few-trees", "seasonal-naive", "small-trees"][usize::from(at % 3)];
    let published = json(gatecast(data).args(["--json", "train", "bike-demand", "--learner", learner]));
    published["job"].as_str().expect("an id").to_owned()
}

/// Publishes the bike hires of one hour after those that were imported.
async fn observe(data: &Path, hour: u16) {
    let broker = SqliteBroker::open(&data.join("queue.db"), Access::Guest, Arc::new(SystemClock))
        .await
        .expect("opens");
    let series = SeriesValues {
        id: "washington-dc".into(),
        start: at(NEW_YEAR) + SignedDuration::from_hours(hour.into()),
        frequency: "PT1H".into(),
        tz: "America/New_York".into(),
        values: vec![Some(hour.into())],
    };
    let batch = ObservationBatch { dataset: "washington-bikes".into(), series: vec![series] };
    let message = WireMessage::new(&batch, ContentType::Json, format!("hour-{hour}")).expect("a small body");
    broker.publish(&Destination::Queue(Queue::Observations), message).await.expect("published");
}

/// Waits until the hours of every round are in the history.
async fn all_observed(data: &Path) {
    let history = SqliteHistory::open(data.join("history.db")).await.expect("opens beside the process");
    let grid = Grid::new(Frequency::Minutes(60), "America/New_York").expect("a grid");
    let dataset = "washington-bikes".parse().expect("a name");
    let range = Range { from: Some(at(NEW_YEAR)), ..Range::default() };
    let expected: Vec<f64> = (0..KILLS).map(f64::from).collect();
    while history.read(&dataset, &grid, &range).await.expect("reads").series.first().map(|s| &s.values)
        != Some(&expected)
    {
        tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
    }
}

/// `gatecast run`, killed when a failed assertion drops it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails where the process has ended, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(data: &Path) -> Running {
    let process = gatecast(data).arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running(process.expect("starts"))
}

fn terminate(process: &mut Child) {
    let told =
        Command::new("kill").args(["-TERM", &process.id().to_string()]).status().expect("kill is there");
    assert!(told.success());
    assert!(process.wait().expect("ends").success(), "it ends well when it is told to stop");
}
