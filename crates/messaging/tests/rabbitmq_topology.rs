//! What is missing on a server, deleted there or declared otherwise by somebody, and a server that is not there.

mod rabbit;
mod traffic;

use std::time::Duration;

use lapin::{
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{FieldTable, ShortString},
};
use messaging::{Broker, Settlement, contract::or_hangs};
use protocol::{Destination, Queue};

use rabbit::Tenant;
use traffic::{dead, message, next, next_id, publish};

#[tokio::test]
async fn a_queue_that_is_deleted_under_its_consumer_is_there_again_for_the_next() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let (_connection, channel) = tenant.channel().await;
    for queue in [Queue::TrainJobs, Queue::ForecastRequests] {
        let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
        let name = tenant.name(queue.name());
        let deleted = channel.queue_delete(name.into(), QueueDeleteOptions::default()).await;
        deleted.expect("it is deleted");
        assert!(or_hangs(deliveries.next()).await.is_err(), "it has ended");
        assert!(or_hangs(deliveries.next()).await.is_err(), "and stays so");
        let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
        publish(&broker, queue, &["a"]).await;
        assert_eq!(next_id(&mut deliveries).await, "a");
    }
}

/// Before 4.0 the server moves the consumer to the next queue of that name, and now and then it forgets it.
#[tokio::test]
async fn a_consumer_whose_queue_is_deleted_is_told_or_moved_each_time() {
    const TIMES: u32 = 12;
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let (_connection, channel) = tenant.channel().await;
    let name: ShortString = tenant.name(Queue::TrainJobs.name()).into();
    let (mut told, mut moved) = (0, 0);
    while told + moved < TIMES {
        let mut deliveries = broker.consume(Queue::TrainJobs, 1).await.expect("it consumes");
        let deleted = channel.queue_delete(name.clone(), QueueDeleteOptions::default());
        let published = broker.publish(&Destination::Queue(Queue::TrainJobs), message("meanwhile"));
        let (deleted, _either) = tokio::join!(deleted, published);
        deleted.expect("it is deleted");
        while broker.publish(&Destination::Queue(Queue::TrainJobs), message("afterwards")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await; // repairs are not made more often than once a second
        }
        loop {
            match or_hangs(deliveries.next()).await {
                Err(_) => break told += 1,
                Ok(delivery) => {
                    let is_last = delivery.message.properties.message_id == "afterwards";
                    let settled = delivery.settle(Settlement::Done).await;
                    if is_last && settled.is_ok() {
                        break moved += 1;
                    }
                }
            }
        }
        println!("{told} times told, {moved} times moved");
    }
}

#[tokio::test]
async fn what_is_missing_is_declared_again_by_whoever_publishes_to_it() {
    let tenant = Tenant::new();
    let broker = tenant.broker();
    let queue = Queue::TrainJobs;
    publish(&broker, queue, &["a"]).await;
    let mut deliveries = broker.consume(queue, 1).await.expect("it consumes");
    let (_connection, channel) = tenant.channel().await;
    for name in ["retry.1s", "train-jobs.dead"] {
        let name = tenant.name(name).into();
        let deleted = channel.queue_delete(name, QueueDeleteOptions::default()).await;
        deleted.expect("it is deleted");
    }
    let retry = Settlement::RetryAfter { delay: Duration::from_secs(1), error: "no".into() };
    next(&mut deliveries).await.settle(retry).await.expect("it is settled");
    let exchange = tenant.name("gatecast.dead").into();
    let deleted = channel.exchange_delete(exchange, lapin::options::ExchangeDeleteOptions::default()).await;
    deleted.expect("it is deleted");
    tokio::time::sleep(Duration::from_secs(1)).await; // repairs are not made more often
    let reason = "no good".to_owned();
    let settled = next(&mut deliveries).await.settle(Settlement::DeadLetter { reason }).await;
    settled.expect("it is settled");
    assert_eq!(dead(&broker, queue).await, [("a".to_owned(), "no good".to_owned())]);
}

#[tokio::test]
async fn a_queue_that_an_operator_declared_otherwise_is_used_as_it_is() {
    let tenant = Tenant::new();
    let (_connection, channel) = tenant.channel().await;
    let name = tenant.name("train-jobs").into();
    let declared = channel.queue_declare(name, QueueDeclareOptions::durable(), FieldTable::default());
    declared.await.expect("it is declared");
    let broker = tenant.broker();
    publish(&broker, Queue::TrainJobs, &["a"]).await;
    let mut deliveries = broker.consume(Queue::TrainJobs, 1).await.expect("it consumes");
    assert_eq!(next_id(&mut deliveries).await, "a");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_does_not_know_us_is_an_error_that_says_so() {
    let tenant = Tenant::new();
    for (url, expected) in [
        ("amqp://guest:guest@127.0.0.1:1/%2f".to_owned(), "refused"),
        (tenant.url.replace("guest:guest", "guest:wrong-canary"), "ACCESS"),
    ] {
        let stranger = Tenant { url, prefix: tenant.prefix.clone() };
        let error = stranger.broker().until_connected().await.expect_err("no connection");
        let cause = error.0.to_string();
        std::mem::forget(stranger);
        assert!(cause.contains(expected) && !cause.contains("canary"), "{cause}");
    }
}
