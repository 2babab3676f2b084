//! PostgreSQL goes away while messages are in hand that one more failure would end. They wait, and are handled
//! once it is back.

use std::{collections::BTreeSet, time::Duration};

use messaging::Settlement;
use protocol::{Queue, WireMessage};
use workers::environment::Environment;

use crate::{
    books::{confirmed, hour, train_job, wait_for_decisions, wait_for_hours, wait_until_empty},
    fleet::Fleet,
    process::Process,
    proxy::{Mode, Proxy, address_in},
    stack::in_time,
};

/// What a message has failed as often as that is given up after one more failure.
const LAST_ATTEMPT: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_postgresql_uses_up_no_attempt_of_anybody() {
    let mut fleet = Fleet::with_bikes().await;
    let environment = fleet.environment_now().await; // the test's own way to PostgreSQL
    let result = train(&fleet, &environment).await;
    let postgres = Proxy::to(address_in(&fleet.database_url)).await;
    fleet.database_url = Proxy::in_front_of(&fleet.database_url, &postgres);
    let mut workers = ["recorder", "trainer", "gatekeeper"].map(|role| Process::start(&fleet, role));

    postgres.set(Mode::Refused);
    let messages = [hour(0), train_job(&environment, 1), (Queue::TrainResults, result)];
    for (queue, mut message) in messages {
        message.properties.attempt = LAST_ATTEMPT;
        confirmed(&environment, queue, &message).await;
    }
    for worker in &workers {
        in_time(says(worker, "no attempt is counted")).await;
    }
    postgres.set(Mode::Open);

    in_time(wait_for_hours(&environment, 1)).await;
    let jobs: BTreeSet<String> = ["fit-0", "fit-1"].map(str::to_owned).into();
    in_time(wait_for_decisions(&environment, &jobs)).await;
    in_time(wait_until_empty(&environment)).await;
    workers.iter_mut().for_each(Process::terminate);
}

/// Has a candidate trained, and keeps its result back from every gatekeeper.
async fn train(fleet: &Fleet, environment: &Environment) -> WireMessage {
    let _trainer = Process::start(fleet, "trainer");
    let (queue, message) = train_job(environment, 0);
    confirmed(environment, queue, &message).await;
    let mut deliveries = environment.broker.consume(Queue::TrainResults, 1).await.expect("consumes");
    let delivery = in_time(deliveries.next()).await.expect("a train result");
    let result = delivery.message.clone();
    delivery.settle(Settlement::Done).await.expect("settles");
    deliveries.stop().await;
    result
}

/// Waits until a process has logged this.
async fn says(process: &Process, words: &str) {
    while !process.said().contains(words) {
        tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
    }
}
