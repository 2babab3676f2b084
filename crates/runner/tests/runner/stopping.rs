//! How a worker ends, and how it goes on when its consumer does.

use std::{sync::Arc, time::Duration};

use messaging::{Broker, Depth};
use runner::CountsSoFar;
use tokio::{
    sync::Semaphore,
    time::{self, Instant},
};

use crate::stage::{Act, LIMITS, QUEUE, Stage, done, job};

#[tokio::test(start_paused = true)]
async fn a_worker_told_to_stop_finishes_what_it_holds_and_takes_nothing_new() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let mut stage = Stage::start(LIMITS, move |_| Act::WaitFor(Arc::clone(&waiting)));
    stage.publish(job("held")).await;
    stage.publish(job("not started")).await;
    stage.next_call().await;
    stage.stop.cancel();
    gate.add_permits(2);
    let counts = stage.finish().await;
    assert_eq!((counts.done, counts.given_back), (1, 0));
    assert_eq!(stage.depth(QUEUE).await, Depth { ready: 1, ..Depth::default() });
}

#[tokio::test(start_paused = true)]
async fn what_is_not_finished_within_the_grace_time_is_given_back_untouched() {
    let mut stage = Stage::start(LIMITS, |_| Act::Hang);
    stage.publish(job("endless")).await;
    let call = stage.next_call().await;
    let stopped_at = Instant::now();
    let counts = stage.finish().await;
    assert_eq!(Instant::now() - stopped_at, LIMITS.grace);
    assert_eq!((counts.given_back, counts.done), (1, 0));
    assert!(call.stop.is_cancelled(), "the handler is told");

    let mut deliveries = stage.broker.consume(QUEUE, 1).await.expect("it consumes");
    let again = deliveries.next().await.expect("a delivery");
    assert_eq!(again.message, job("endless"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_nothing_is_there_ends_at_once() {
    let mut stage = Stage::start(LIMITS, |_| done());
    let start = Instant::now();
    assert_eq!(stage.finish().await, CountsSoFar::default());
    assert_eq!(Instant::now(), start);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_ends_is_replaced_however_often_that_fails() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.publish(job("a")).await;
    assert_eq!(stage.next_call().await.id, "a");
    for _ in 0..20 {
        stage.broker.fail_next_consume();
    }
    stage.broker.end_consumers();
    stage.publish(job("b")).await;
    assert_eq!(stage.next_call().await.id, "b");
    assert_eq!(stage.finish().await.done, 2);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_queue_is_consumed_again_within_seconds_however_often_its_consumer_was_lost() {
    let mut stage = Stage::start(LIMITS, |_| done());
    for _loss in 0..7 {
        stage.broker.end_consumers();
        time::sleep(Duration::from_hours(1)).await; // nothing is delivered meanwhile
    }
    stage.broker.end_consumers();
    let lost_at = Instant::now();
    stage.publish(job("a")).await;
    stage.next_call().await;
    assert!(lost_at.elapsed() <= Duration::from_secs(3), "{:?}", lost_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_does_not_end_holds_up_the_drain_for_seconds_only() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.broker.hang_next_settlement();
    stage.publish(job("a")).await;
    stage.next_call().await;
    let stopped_at = Instant::now();
    time::timeout(Duration::from_hours(1), stage.finish()).await.expect("the worker ends");
    let took = stopped_at.elapsed();
    assert!(took <= LIMITS.grace + Duration::from_secs(3), "{took:?}");
    assert_eq!(stage.depth(QUEUE).await.ready, 1, "the message is back on its queue");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_consume_stops_at_once() {
    let mut stage = Stage::start(LIMITS, |_| done());
    for _ in 0..1000 {
        stage.broker.fail_next_consume();
    }
    stage.broker.end_consumers();
    tokio::task::yield_now().await;
    let start = Instant::now();
    stage.finish().await;
    assert_eq!(Instant::now(), start);
}
