//! Messages that come back because their process died, and those that it died of.

mod rabbit;
mod traffic;

use std::time::Duration;

use messaging::{Broker, Settlement, contract::or_hangs};
use protocol::Queue;

use rabbit::Tenant;
use traffic::{dead, message, next, next_id, publish, take_and_die};

#[tokio::test]
async fn a_request_that_came_back_from_a_dead_process_is_handled_alone() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::ForecastRequests;
    publish(&broker, queue, &["suspect"]).await;
    take_and_die(&tenant, queue.name(), 1).await;
    publish(&broker, queue, &["good"]).await;

    let mut deliveries = broker.consume(queue, 3).await.expect("it consumes");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let alone = next(&mut deliveries).await;
        ids.push(alone.message.properties.message_id.clone());
        let early = tokio::time::timeout(Duration::from_millis(700), deliveries.next()).await;
        assert!(early.is_err(), "{ids:?} is not alone");
        alone.settle(Settlement::Done).await.expect("it is settled");
    }
    ids.sort();
    assert_eq!(ids, ["good", "suspect"]);
    publish(&broker, queue, &["later"]).await;
    assert_eq!(next_id(&mut deliveries).await, "later");
}

#[tokio::test]
async fn a_request_that_kills_its_process_each_time_ends_in_the_dead_letters() {
    let tenant = Tenant::new();
    let queue = Queue::ForecastRequests;
    publish(&tenant.broker(), queue, &["poison"]).await;
    let mut from = "forecast-requests";
    for _ in 1..queue.delivery_limit() {
        take_and_die(&tenant, from, 1).await;
        let survivor = tenant.broker();
        let mut deliveries = survivor.consume(queue, 1).await.expect("it consumes");
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.message, message("poison"));
        // Back as the suspect that it is, for the next victim.
        drop(deliveries);
        delivery.settle(Settlement::GiveBack).await.expect("it is given back");
        from = "forecast-requests.suspects";
    }
    take_and_die(&tenant, from, 1).await;
    let broker = tenant.broker();
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    publish(&broker, queue, &["good"]).await;
    assert_eq!(next_id(&mut deliveries).await, "good");
    let buried = async {
        while dead(&broker, queue).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await; // polls for the event it waits for
        }
    };
    or_hangs(buried).await;
    let expected = ("poison".to_owned(), "delivered 3 times without being settled".to_owned());
    assert_eq!(dead(&broker, queue).await, [expected]);
}

#[tokio::test]
async fn innocents_that_were_with_a_message_that_kills_are_not_counted_along_with_it() {
    let tenant = Tenant::new();
    let queue = Queue::ForecastRequests;
    publish(&tenant.broker(), queue, &["poison", "a", "b", "c"]).await;
    take_and_die(&tenant, queue.name(), 4).await;
    let survivor = tenant.broker();
    let mut deliveries = survivor.consume(queue, 8).await.expect("it consumes");
    let mut done = Vec::new();
    while done.len() < 3 {
        let delivery = next(&mut deliveries).await;
        let id = delivery.message.properties.message_id.clone();
        if id == "poison" {
            drop(delivery); // as if it had killed again
        } else {
            delivery.settle(Settlement::Done).await.expect("it is settled");
            done.push(id);
        }
    }
    done.sort();
    assert_eq!(done, ["a", "b", "c"]);
    while survivor.depth(queue).await.expect("a depth").dead == 0 {
        match tokio::time::timeout(Duration::from_millis(50), deliveries.next()).await {
            Ok(delivery) => drop(delivery.expect("a delivery")),
            Err(_nothing_came) => {}
        }
    }
    let expected = ("poison".to_owned(), "delivered 3 times without being settled".to_owned());
    assert_eq!(dead(&survivor, queue).await, [expected]);
}

#[tokio::test]
async fn a_job_that_kills_its_process_each_time_is_dead_lettered_by_the_server() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::TrainJobs;
    publish(&broker, queue, &["poison"]).await;
    for _ in 0..queue.delivery_limit() {
        take_and_die(&tenant, queue.name(), 1).await;
    }
    let letters = async {
        loop {
            match dead(&broker, queue).await {
                none if none.is_empty() => tokio::time::sleep(Duration::from_millis(50)).await,
                some => return some,
            }
        }
    };
    let expected = ("poison".to_owned(), "delivered 20 times without being settled".to_owned());
    assert_eq!(or_hangs(letters).await, [expected]);
    assert_eq!(broker.depth(queue).await.expect("a depth").ready, 0);
}

#[tokio::test]
async fn a_durable_request_that_kills_its_process_thrice_takes_no_other_along() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::ForecastBatches;
    publish(&broker, queue, &["a", "b", "c"]).await;
    for _ in 0..3 {
        take_and_die(&tenant, queue.name(), 3).await;
    }
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(next_id(&mut deliveries).await);
    }
    ids.sort(); // they may come back one by one
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(dead(&broker, queue).await, []);
}
