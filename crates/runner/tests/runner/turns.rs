//! Which messages are handled when: deadlines, postponements, how many at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use messaging::Depth;
use runner::{JobContext, Limits};
use tokio::{sync::Semaphore, time::Instant};

use crate::stage::{Act, LIMITS, QUEUE, Stage, done, job};

#[tokio::test(start_paused = true)]
async fn work_whose_deadline_has_passed_is_dropped_before_it_is_computed() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.clock.advance(SignedDuration::from_secs(1));
    for (id, deadline) in [("late", 1), ("in time", 2)] {
        let mut message = job(id);
        message.properties.deadline = Some(Timestamp::from_second(deadline).expect("a time"));
        stage.publish(message).await;
    }
    assert_eq!(stage.next_call().await.id, "in time");
    let counts = stage.finish().await;
    assert_eq!((counts.expired, counts.done), (1, 1));
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn work_whose_deadline_passes_while_the_handler_has_it_is_dropped_and_counted_likewise() {
    let late = |job: &JobContext| if job.message_id == "late" { Act::Expire } else { done() };
    let mut stage = Stage::start(LIMITS, late);
    stage.publish(job("late")).await;
    stage.all_before_are_settled().await;
    let counts = stage.finish().await;
    assert_eq!((counts.expired, counts.retried, counts.dead_lettered, counts.done), (1, 0, 0, 1));
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
}

#[tokio::test(start_paused = true)]
async fn a_postponed_message_comes_back_as_often_as_it_takes_and_never_counts_as_failed() {
    let turns = AtomicU32::new(0);
    let mut stage = Stage::start(LIMITS, move |_| match turns.fetch_add(1, Ordering::Relaxed) {
        0..10 => Act::Postpone(Duration::from_mins(1)),
        _ => done(),
    });
    let start = Instant::now();
    stage.publish(job("a")).await;
    for turn in 0..=10 {
        let call = stage.next_call().await;
        assert_eq!(call.attempt, 1);
        assert!(call.at - start >= turn * Duration::from_mins(1));
    }
    let counts = stage.finish().await;
    assert_eq!((counts.postponed, counts.retried, counts.done), (10, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn as_many_messages_as_the_prefetch_are_handled_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let limits = Limits { prefetch: 3, ..LIMITS };
    let mut stage = Stage::start(limits, move |_| Act::WaitFor(Arc::clone(&waiting)));
    for id in ["a", "b", "c", "d"] {
        stage.publish(job(id)).await;
    }
    for _ in 0..3 {
        stage.next_call().await;
    }
    assert_eq!(stage.depth(QUEUE).await.ready, 1);
    assert!(stage.calls.is_empty());
    gate.add_permits(1);
    assert_eq!(stage.next_call().await.id, "d");
    gate.add_permits(3);
    assert_eq!(stage.finish().await.done, 4);
}
