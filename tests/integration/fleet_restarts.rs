//! A rolling restart: each role is told to stop (SIGTERM) in turn, under load, and started again. No request
//! fails, nothing is lost, and every process ends within its grace.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    books::{
        bikes, check_decisions, confirmed, hour, train_job, wait_for_decisions, wait_for_hours,
        wait_until_empty,
    },
    fleet::Fleet,
    load::Load,
    process::Process,
    stack::in_time,
};

/// Two of what answers while the other one restarts.
const ROLES: [&str; 6] = ["forecaster", "forecaster", "trainer", "gatekeeper", "recorder", "scheduler"];
const ROUNDS: u32 = 3;
/// Hours of observations published before each restart.
const HOURS: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_is_invisible() {
    let fleet = Fleet::with_bikes().await;
    let environment = Arc::new(fleet.environment_now().await);
    let mut workers: Vec<Process> = ROLES.iter().map(|roles| Process::start(&fleet, roles)).collect();
    fleet.promote_first();
    let first = environment.registry.decisions(&bikes().0, 1).await.expect("reads");
    let mut jobs: BTreeSet<String> = first.into_iter().map(|decision| decision.job.to_string()).collect();

    let load = Load::start(environment.clone(), Fleet::request(), 50);
    let (mut fits, mut hours) = (0, 0);
    for _round in 0..ROUNDS {
        for (worker, role) in workers.iter_mut().zip(ROLES) {
            for _hour in 0..HOURS {
                let (queue, message) = hour(hours);
                confirmed(&environment, queue, &message).await;
                hours += 1;
            }
            let (queue, message) = train_job(&environment, fits);
            confirmed(&environment, queue, &message).await;
            jobs.insert(message.properties.message_id);
            fits += 1;
            worker.terminate();
            *worker = Process::start(&fleet, role);
        }
    }
    in_time(wait_for_decisions(&environment, &jobs)).await;
    in_time(wait_for_hours(&environment, hours)).await;
    let outcome = load.finish().await;
    println!("{fits} fits, {hours} hours, {} restarts: {outcome}", ROUNDS * 6);
    outcome.assert_all_primary();
    assert_eq!(outcome.asked_again, 0, "every request is answered the first time");
    in_time(wait_until_empty(&environment)).await;
    check_decisions(&environment, &jobs).await;
}
