//! A fleet on servers whose workers are killed at random moments. No confirmed message of a durable queue is
//! lost, and every effect happens once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use workers::environment::Environment;

use crate::{
    books::{
        check_decisions, confirmed, hour, missing, train_job, wait_for_decisions, wait_for_hours,
        wait_until_empty,
    },
    fleet::Fleet,
    process::Process,
    random::Random,
    stack::PATIENCE,
};

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

    /// Far more than everything takes, so that only what is lost fails.
    fn patience(&self) -> Duration {
        PATIENCE
            + Duration::from_secs(3) * (self.fits + self.kills)
            + Duration::from_millis(50) * self.batches
    }
}

const ROLES: [&str; 7] =
    ["trainer", "trainer", "gatekeeper", "gatekeeper", "recorder", "recorder", "forecaster"];
/// Between two kills lies a random time of this order.
const BETWEEN_KILLS_MS: u64 = 1_200;

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_and_none_is_done_twice_however_often_workers_are_killed() {
    let size = Size::chosen();
    let patience = size.patience();
    let Size { fits, batches, kills } = size;
    let mut random = Random::new();
    let fleet = Fleet::with_bikes().await;
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

    let done = async {
        wait_for_hours(&environment, batches).await;
        wait_for_decisions(&environment, &jobs).await;
        wait_until_empty(&environment).await;
    };
    let in_time = tokio::time::timeout(patience, done).await.is_ok();
    assert!(in_time, "{random}: not done in time: {}", missing(&environment, &jobs, batches).await);
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
