//! Eight gatekeepers get the same train results at the same time, and one of them is frozen meanwhile. Each
//! result ends in one decision, and each promotion counts one generation.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use messaging::Settlement;
use protocol::{Queue, WireMessage};
use workers::environment::Environment;

use crate::{
    books::{check_decisions, confirmed, train_job, wait_for_decisions, wait_until_empty},
    fleet::Fleet,
    process::Process,
    stack::in_time,
};

const GATEKEEPERS: usize = 8;
const RESULTS: u32 = 6;
const FROZEN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn eight_gatekeepers_on_one_result_make_one_decision() {
    let fleet = Fleet::with_bikes().await;
    let environment = Arc::new(fleet.environment_now().await);
    let results = train(&fleet, &environment).await;
    let jobs: BTreeSet<String> = results.iter().map(|result| result.properties.message_id.clone()).collect();

    // Every gatekeeper gets its own copy of each result.
    for result in &results {
        for _copy in 0..GATEKEEPERS {
            confirmed(&environment, Queue::TrainResults, result).await;
        }
    }
    // The first one is alone until it holds a result, and is frozen with it.
    let mut gatekeepers = vec![Process::start(&fleet, "gatekeeper")];
    in_time(first_taken(&environment, GATEKEEPERS * results.len())).await;
    gatekeepers[0].signal("STOP");
    gatekeepers.extend((1..GATEKEEPERS).map(|_| Process::start(&fleet, "gatekeeper")));
    tokio::time::sleep(FROZEN).await; // how long the fault lasts
    gatekeepers[0].signal("CONT");

    in_time(wait_for_decisions(&environment, &jobs)).await;
    in_time(wait_until_empty(&environment)).await;
    gatekeepers.iter_mut().for_each(Process::terminate);
    check_decisions(&environment, &jobs).await;
}

/// Has candidates trained, and keeps their results back from every gatekeeper.
async fn train(fleet: &Fleet, environment: &Environment) -> Vec<WireMessage> {
    let _trainer = Process::start(fleet, "trainer");
    for number in 0..RESULTS {
        let (queue, message) = train_job(environment, number);
        confirmed(environment, queue, &message).await;
    }
    let mut deliveries = environment.broker.consume(Queue::TrainResults, 1).await.expect("consumes");
    let mut results = Vec::new();
    for _result in 0..RESULTS {
        let delivery = in_time(deliveries.next()).await.expect("a train result");
        results.push(delivery.message.clone());
        delivery.settle(Settlement::Done).await.expect("settles");
    }
    deliveries.stop().await;
    results
}

/// Waits until a gatekeeper has taken one of the results.
async fn first_taken(environment: &Environment, published: usize) {
    while environment.broker.depth(Queue::TrainResults).await.expect("a depth").ready >= published as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await; // polls for the event it waits for
    }
}
