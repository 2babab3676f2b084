//! Messages that cannot be handled, or not this time.

use std::time::Duration;

use messaging::Depth;
use protocol::WireMessage;
use runner::Limits;
use tokio::time::Instant;

use crate::stage::{Act, LIMITS, QUEUE, Stage, done, job};

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_dead_lettered_at_once() {
    let garbage = |change: fn(&mut WireMessage)| {
        let mut message = job("bad");
        change(&mut message);
        message
    };
    for (message, reason) in [
        (garbage(|m| m.body = "{".into()), "train-job cannot be decoded: "),
        (garbage(|m| m.properties.kind = "tea.v1".into()), "type \"tea.v1\" is unknown here"),
        (garbage(|m| m.properties.message_id.clear()), "message_id of 0 bytes"),
        (garbage(|m| m.properties.reply_to = Some("train-jobs".into())), "reply_to \"train-jobs\""),
    ] {
        let mut stage = Stage::start(LIMITS, |_| done());
        stage.publish(message.clone()).await;
        stage.all_before_are_settled().await;
        let counts = stage.finish().await;
        assert_eq!((counts.dead_lettered, counts.done), (1, 1));
        let dead = stage.dead_letter().await;
        assert_eq!(dead.message, message);
        assert!(dead.reason.starts_with(reason), "{}", dead.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_is_tried_five_times_with_growing_waits_and_then_dead_lettered() {
    let mut stage = Stage::start(LIMITS, |job| match job.attempt {
        0 => done(),
        1 => Act::Fail("out of ink"),
        _ => Act::Fail("out of paper"),
    });
    stage.publish(job("a")).await;
    let mut last = stage.next_call().await;
    assert_eq!(last.attempt, 1);
    for (attempt, wait_seconds) in [(2, 1.0), (3, 4.0), (4, 16.0), (5, 64.0)] {
        let call = stage.next_call().await;
        assert_eq!(call.attempt, attempt);
        let waited = (call.at - last.at).as_secs_f64();
        assert!((waited / wait_seconds - 1.0).abs() <= 0.26, "{waited} s before attempt {attempt}");
        last = call;
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.dead_lettered), (4, 1));
    let dead = stage.dead_letter().await;
    assert_eq!(dead.reason, "failed 5 times, at last: out of paper");
    assert_eq!(dead.message.properties.first_error.as_deref(), Some("out of ink"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_an_hour_uses_up_no_attempt_and_nothing_is_given_up() {
    let start = Instant::now();
    let back = start + Duration::from_hours(1);
    let mut stage = Stage::start(LIMITS, move |job| match job.attempt {
        _ if Instant::now() < back => Act::MissStore("PostgreSQL is away"),
        5 => done(),
        _ => Act::Fail("out of ink"),
    });
    let mut message = job("a");
    message.properties.attempt = 4; // one failure of its own is left to it, and comes after the outage
    stage.publish(message).await;
    let mut calls = 0;
    loop {
        let call = stage.next_call().await;
        if call.attempt == 5 {
            break;
        }
        calls += 1;
        assert!(call.at < back + Duration::from_mins(1), "it is not tried for a minute after the outage");
    }
    assert!((180..=320).contains(&calls), "{calls} tries in an hour");
    let counts = stage.finish().await;
    assert_eq!((counts.postponed, counts.retried), (calls - 1, 1));
    assert_eq!((counts.done, counts.dead_lettered), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_does_not_hold_up_the_others() {
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "bad" => Act::Fail("no"),
        _ => done(),
    });
    let start = Instant::now();
    for id in ["bad", "a", "b"] {
        stage.publish(job(id)).await;
    }
    for expected in ["bad", "a", "b"] {
        let call = stage.next_call().await;
        assert_eq!(call.id, expected);
        assert!(call.at - start < Duration::from_millis(100));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_is_dead_lettered_with_the_chain_of_errors() {
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "last" => done(),
        _ => Act::Reject("artifact is damaged"),
    });
    stage.publish(job("a")).await;
    stage.all_before_are_settled().await;
    assert_eq!(stage.finish().await.retried, 0);
    assert_eq!(stage.dead_letter().await.reason, "artifact is damaged");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_text_and_the_worker_lives_on() {
    let mut stage = Stage::start(LIMITS, |job| match (job.message_id.as_str(), job.attempt) {
        ("a", 1) => Act::Panic("row 7 is odd".to_owned()),
        _ => done(),
    });
    stage.publish(job("a")).await;
    stage.publish(job("b")).await;
    for (id, attempt) in [("a", 1), ("b", 1), ("a", 2)] {
        let call = stage.next_call().await;
        assert_eq!((call.id.as_str(), call.attempt), (id, attempt));
    }
    let counts = stage.finish().await;
    assert_eq!((counts.retried, counts.done), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_quotes_a_whole_message_is_cut() {
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "last" => done(),
        _ => Act::Panic("ä".repeat(100_000)),
    });
    let mut message = job("a");
    message.properties.attempt = 5;
    stage.publish(message).await;
    stage.all_before_are_settled().await;
    stage.finish().await;
    let reason = stage.dead_letter().await.reason;
    assert!(reason.starts_with("failed 5 times, at last: the handler panicked: ää"), "{reason}");
    assert_eq!(reason.chars().count(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_never_ends_fails_at_the_time_limit_and_is_told_to_stop() {
    let limits = Limits { time_limit: Some(Duration::from_secs(30)), ..LIMITS };
    let mut stage = Stage::start(limits, |job| match job.attempt {
        1 => Act::Hang,
        _ => done(),
    });
    stage.publish(job("endless")).await;
    let first = stage.next_call().await;
    let second = stage.next_call().await;
    assert!(first.stop.is_cancelled());
    let waited = second.at - first.at;
    assert!((30..33).contains(&waited.as_secs()), "the limit and one delay: {waited:?}");
    assert_eq!(stage.finish().await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_could_not_be_settled_is_handled_again() {
    let mut stage = Stage::start(LIMITS, |_| done());
    stage.broker.fail_next_settlement();
    stage.publish(job("a")).await;
    stage.next_call().await;
    assert_eq!(stage.next_call().await.attempt, 1);
    stage.finish().await;
    assert_eq!(stage.depth(QUEUE).await, Depth::default());
}
