//! What is counted and measured.

use jiff::SignedDuration;
use messaging::{Broker, Settlement};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time};

use crate::stage::{Act, LIMITS, QUEUE, Stage, done, job};

/// Metrics of this thread's own.
struct Measured {
    handle: PrometheusHandle,
    _guard: metrics::LocalRecorderGuard<'static>,
}

impl Measured {
    fn start() -> Self {
        let recorder: &'static PrometheusRecorder =
            Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self { handle: recorder.handle(), _guard: metrics::set_default_local_recorder(recorder) }
    }

    fn assert_says(&self, line: &str) {
        let text = self.handle.render();
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_counted_once_it_lies_there() {
    let measured = Measured::start();
    let mut stage = Stage::start(LIMITS, |job| match job.message_id.as_str() {
        "last" => done(),
        _ => Act::Reject("no good"),
    });
    stage.broker.fail_next_settlement();
    stage.publish(job("a")).await;
    stage.next_call().await;
    stage.all_before_are_settled().await;
    assert_eq!(stage.finish().await.dead_lettered, 1, "the first settlement failed");
    measured.assert_says("gatecast_dead_letters_total{queue=\"train-jobs\",reason=\"rejected\"} 1");
}

#[tokio::test(start_paused = true)]
async fn dead_letters_that_the_worker_did_not_make_are_measured() {
    let measured = Measured::start();
    let stage = Stage::start(LIMITS, |_| done());
    let mut elsewhere = stage.broker.consume(QUEUE, 1).await.expect("consumes");
    stage.publish(job("a")).await;
    let delivery = elsewhere.next().await.expect("nobody else waits yet");
    let reason = "by another".to_owned();
    delivery.settle(Settlement::DeadLetter { reason }).await.expect("settles");
    time::sleep(Duration::from_secs(31)).await;
    measured.assert_says("gatecast_queue_dead_letters{queue=\"train-jobs\"} 1");
}

#[tokio::test(start_paused = true)]
async fn a_wait_counts_from_when_the_message_came_to_its_queue_and_not_from_its_id() {
    let measured = Measured::start();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let mut stage = Stage::start(LIMITS, move |_| Act::WaitFor(Arc::clone(&waiting)));
    stage.publish(job("held")).await;
    stage.next_call().await;
    // An id from long before: that of a train job, under which its result is published.
    stage.clock.advance(SignedDuration::from_hours(1));
    let old = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1, 0));
    stage.publish(job(&old.to_string())).await;
    stage.clock.advance(SignedDuration::from_secs(2));
    gate.add_permits(2);
    stage.next_call().await;
    stage.finish().await;
    measured.assert_says("gatecast_queue_wait_seconds_sum{queue=\"train-jobs\"} 2");
    measured.assert_says("gatecast_queue_wait_seconds_count{queue=\"train-jobs\"} 2");
}
