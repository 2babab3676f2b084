//! The in-memory broker keeps the contract, and fails when it is asked to.

use std::sync::Arc;

use clock::SystemClock;
use messaging::{Broker, ConsumeError, MemoryBroker, PublishError, SettleError, Settlement, contract::Stage};
use protocol::{Destination, Queue, WireMessage, messages::ObservationsRecorded};

fn broker() -> MemoryBroker {
    MemoryBroker::new(Arc::new(SystemClock))
}

#[expect(clippy::unused_async, reason = "the contract opens a broker asynchronously")]
async fn open_one() -> Stage {
    Stage::exact(Arc::new(broker()), Box::new(()))
}

messaging::broker_contract!(open_one, #[tokio::test(start_paused = true)]);

const QUEUE: Queue = Queue::Observations;

async fn publish(broker: &MemoryBroker) -> Result<(), PublishError> {
    let any = ObservationsRecorded { dataset: "bikes".into(), new: 1, corrected: 0, unchanged: 0 };
    let message = WireMessage::new(&any, protocol::ContentType::Json, "id").expect("a small body");
    broker.publish(&Destination::Queue(QUEUE), message).await
}

#[tokio::test(start_paused = true)]
async fn a_fault_hits_the_next_call_and_no_other() {
    let broker = broker();
    broker.fail_next_publish();
    assert!(matches!(publish(&broker).await, Err(PublishError::Unavailable(_))));
    publish(&broker).await.expect("it is published");

    broker.fail_next_consume();
    let refused = broker.consume(QUEUE, 1).await.err();
    assert!(matches!(refused, Some(ConsumeError::Unavailable(_))));
    let mut deliveries = broker.consume(QUEUE, 1).await.expect("it consumes");

    broker.fail_next_settlement();
    let delivery = deliveries.next().await.expect("a delivery");
    let refused = delivery.settle(Settlement::Done).await;
    assert!(matches!(refused, Err(SettleError::Unavailable(_))));
    let again = deliveries.next().await.expect("a delivery");
    again.settle(Settlement::Done).await.expect("it is settled");
}

#[tokio::test(start_paused = true)]
async fn consumers_that_were_ended_stay_so_and_new_ones_consume() {
    let broker = broker();
    let mut waiting = broker.consume(QUEUE, 1).await.expect("it consumes");
    let (ended, ()) = tokio::join!(waiting.next(), async { broker.end_consumers() });
    assert!(ended.is_err() && waiting.next().await.is_err());
    publish(&broker).await.expect("it is published");
    let mut fresh = broker.consume(QUEUE, 1).await.expect("it consumes");
    assert!(fresh.next().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_an_asker_who_has_gone_is_unroutable() {
    let broker = broker();
    let gone = broker.replies().await.expect("a private queue").address().clone();
    let message = WireMessage::new(
        &ObservationsRecorded { dataset: "bikes".into(), new: 1, corrected: 0, unchanged: 0 },
        protocol::ContentType::Json,
        "id",
    );
    let sent = broker.publish(&Destination::Asker(gone), message.expect("a small body")).await;
    assert!(matches!(sent, Err(PublishError::Unroutable(_))));
}
