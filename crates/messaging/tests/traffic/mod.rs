//! Messages that the tests of a real server send, and how they take them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use lapin::options::BasicGetOptions;
use messaging::{Broker, Deliveries, Delivery, RabbitBroker, Settlement, contract::or_hangs};
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{TrainJob, TrainReason},
};

use crate::rabbit::Tenant;

pub(crate) fn message(id: &str) -> WireMessage {
    let job = TrainJob {
        model: "bikes".into(),
        spec_hash: None,
        as_of: jiff::Timestamp::UNIX_EPOCH,
        cut_off: None,
        learners: vec![],
        reason: TrainReason::Requested,
        shift: None,
    };
    WireMessage::new(&job, ContentType::Json, id).expect("a small body")
}

pub(crate) async fn publish(broker: &RabbitBroker, queue: Queue, ids: &[&str]) {
    for id in ids {
        let sent = broker.publish(&Destination::Queue(queue), message(id)).await;
        sent.expect("it is published");
    }
}

pub(crate) async fn next(deliveries: &mut Box<dyn Deliveries>) -> Delivery {
    or_hangs(deliveries.next()).await.expect("a delivery")
}

pub(crate) async fn next_id(deliveries: &mut Box<dyn Deliveries>) -> String {
    let delivery = next(deliveries).await;
    let id = delivery.message.properties.message_id.clone();
    delivery.settle(Settlement::Done).await.expect("it is settled");
    id
}

pub(crate) async fn dead(broker: &RabbitBroker, queue: Queue) -> Vec<(String, String)> {
    let letters = broker.dead_letters(queue, 100).await.expect("dead letters");
    let text = |letter: messaging::DeadLetter| (letter.message.properties.message_id, letter.reason);
    letters.into_iter().map(text).collect()
}

/// Takes `count` messages, and dies with them: its connection ends.
pub(crate) async fn take_and_die(tenant: &Tenant, queue: &str, count: usize) {
    let (connection, channel) = tenant.channel().await;
    for _ in 0..count {
        loop {
            let name = tenant.name(queue).into();
            let got = channel.basic_get(name, BasicGetOptions::default());
            if got.await.expect("the queue is there").is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    connection.close(200, "dead".into()).await.expect("it is closed");
}
