//! What becomes of the reply.

use std::sync::atomic::{AtomicU32, Ordering};

use messaging::{Broker, Depth};
use protocol::{Destination, MAX_BODY_BYTES, Publication, Queue, ReplyAddress};

use crate::stage::{Act, Answer, LIMITS, QUEUE, Stage, answer, done, job, result};

#[tokio::test(start_paused = true)]
async fn a_handled_message_is_gone_and_its_reply_is_on_the_next_queue() {
    let mut stage = Stage::start(LIMITS, |job| answer(&job.message_id));
    stage.publish(job("a")).await;
    stage.next_call().await;
    assert_eq!(stage.finish().await.done, 1);
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
    let mut replies = stage.broker.consume(Queue::TrainResults, 1).await.expect("it consumes");
    let reply = replies.next().await.expect("a delivery");
    assert_eq!(reply.message, result("a"));
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_published_again_when_the_broker_is_away_for_a_moment() {
    let mut stage = Stage::start(LIMITS, |job| answer(&job.message_id));
    stage.publish(job("a")).await;
    for _ in 0..3 {
        stage.broker.fail_next_publish();
    }
    stage.next_call().await;
    let counts = stage.finish().await;
    assert_eq!((counts.done, counts.retried), (1, 0));
    assert_eq!(stage.depth(Queue::TrainResults).await.ready, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_reply_cannot_be_published_is_handled_again_and_never_given_up() {
    let mut stage = Stage::start(LIMITS, |job| answer(&job.message_id));
    let mut message = job("a");
    message.properties.attempt = 5; // one more failure of its own would end it
    stage.publish(message).await;
    for _ in 0..8 {
        stage.broker.fail_next_publish();
    }
    for _ in 0..3 {
        assert_eq!(stage.next_call().await.attempt, 5);
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.done, counts.dead_lettered), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_broker_uses_up_none_of_the_attempts_of_a_message() {
    let calls = AtomicU32::new(0);
    let mut stage = Stage::start(LIMITS, move |job| match calls.fetch_add(1, Ordering::Relaxed) {
        5 => Act::Fail("out of ink"), // for the first time, after the outage
        _ => answer(&job.message_id),
    });
    stage.publish(job("a")).await;
    for _ in 0..5 * 4 {
        stage.broker.fail_next_publish(); // five replies, four tries each
    }
    for attempt in [1, 1, 1, 1, 1, 1, 2] {
        assert_eq!(stage.next_call().await.attempt, attempt);
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.done, counts.dead_lettered), (6, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_large_is_no_reason_to_compute_it_again() {
    let mut stage = Stage::start(LIMITS, |job| {
        if job.message_id == "last" {
            return done();
        }
        let mut message = result("a");
        message.body = vec![0; MAX_BODY_BYTES + 1].into();
        Act::Answer(Answer(vec![Publication {
            destination: Destination::Queue(Queue::TrainResults),
            message,
        }]))
    });
    stage.publish(job("a")).await;
    stage.all_before_are_settled().await;
    stage.finish().await;
    let reason = stage.dead_letter().await.reason;
    assert_eq!(
        reason,
        "the reply cannot be sent: a body of 1048577 bytes is too large, at most 1048576 are allowed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_an_asker_who_has_gone_is_counted_and_the_message_done() {
    let mut stage = Stage::start(LIMITS, |_| {
        Act::Answer(Answer(vec![Publication {
            destination: Destination::Asker(ReplyAddress::new("replies.gone").expect("an address")),
            message: result("a"),
        }]))
    });
    stage.publish(job("a")).await;
    stage.next_call().await;
    let counts = stage.finish().await;
    assert_eq!((counts.askers_gone, counts.done), (1, 1));
}
