//! What cannot be handled ends in the dead letters with its reason, at once, and nothing else is held up.

use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{ForecastReply, ObservationBatch, SeriesValues, TrainJob, TrainReason},
};
use workers::roles::Role;

use crate::stack::{Stack, at, in_time, request};

async fn publish(stack: &Stack, queue: Queue, message: WireMessage) {
    stack.environment.broker.publish(&Destination::Queue(queue), message).await.expect("published");
}

/// Waits for the dead letters of a queue and returns their reasons.
async fn reasons(stack: &Stack, queue: Queue, count: usize) -> Vec<String> {
    let dead = async {
        loop {
            let dead = stack.environment.broker.dead_letters(queue, 100).await.expect("dead letters");
            if dead.len() == count {
                return dead.into_iter().map(|letter| letter.reason).collect();
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(dead).await
}

#[track_caller]
fn says(reason: &str, expected: &str) {
    assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
}

fn job(model: &str) -> TrainJob {
    TrainJob {
        model: model.into(),
        spec_hash: None,
        as_of: at("2026-01-01T00:00:00Z"),
        cut_off: None,
        learners: Vec::new(),
        reason: TrainReason::Requested,
        shift: None,
    }
}

#[tokio::test]
async fn train_jobs_that_make_no_sense_are_dead_lettered_with_field_and_value() {
    let (stack, _) = Stack::with_bikes(&[Role::Trainer]).await;
    let wire = |job: &TrainJob, id: &str| WireMessage::new(job, ContentType::Json, id).expect("a small body");

    let mut garbage = wire(&job("bike-demand"), "p-1");
    garbage.body = vec![0xff; 100].into();
    let mut unknown_kind = wire(&job("bike-demand"), "p-2");
    unknown_kind.properties.kind = "train-job.v9".into();
    let unknown_learner = TrainJob { learners: vec!["magic".into()], ..job("bike-demand") };
    let unknown_spec = TrainJob { spec_hash: Some("00".into()), ..job("bike-demand") };
    let from_the_future = TrainJob { as_of: at("2031-01-01T00:00:00Z"), ..job("bike-demand") };
    let shift = Some(at("2026-01-01T00:00:01Z"));
    let not_yet_shifted = TrainJob { shift, ..job("bike-demand") };
    let messages = [
        (garbage, "train-job cannot be decoded"),
        (unknown_kind, "type \"train-job.v9\" is unknown here"),
        (wire(&job("nobody"), "p-3"), "model \"nobody\""),
        (wire(&job("No Body"), "p-4"), "model \"No Body\" must match"),
        (wire(&unknown_learner, "p-5"), "learners[0] \"magic\": model bike-demand has no such learner"),
        (wire(&unknown_spec, "p-6"), "spec_hash \"00\""),
        (wire(&from_the_future, "p-7"), "as_of 2031-01-01T00:00:00Z: lies after now"),
        (
            wire(&not_yet_shifted, "p-8"),
            "shift 2026-01-01T00:00:01Z: lies after as_of (2026-01-01T00:00:00Z)",
        ),
    ];
    for (at, (message, expected)) in messages.into_iter().enumerate() {
        publish(&stack, Queue::TrainJobs, message).await;
        let reasons = reasons(&stack, Queue::TrainJobs, at + 1).await;
        says(&reasons[at], expected);
    }
    assert_eq!(
        stack
            .environment
            .registry
            .versions(&"bike-demand".parse().expect("a name"))
            .await
            .expect("asks")
            .len(),
        0
    );
    stack.finish_with_dead_letters().await;
}

#[tokio::test]
async fn observations_that_make_no_sense_change_nothing() {
    let (stack, _) = Stack::with_bikes(&[Role::Recorder]).await;
    let history = stack.environment.history.clone();
    let dataset = "washington-bikes".parse().expect("a name");
    let before = history.revision(&dataset).await.expect("asks");
    let good = SeriesValues {
        id: "washington-dc".into(),
        start: at("2013-01-01T00:00:00-05:00"),
        frequency: "PT1H".into(),
        tz: "America/New_York".into(),
        values: vec![Some(1.0)],
    };
    let bad = |change: &dyn Fn(&mut SeriesValues)| {
        let mut series = good.clone();
        change(&mut series);
        // The good one comes first: a batch is recorded as a whole or not at all.
        ObservationBatch { dataset: "washington-bikes".into(), series: vec![good.clone(), series] }
    };
    let cases: [(ObservationBatch, &str); 9] = [
        (ObservationBatch { dataset: "nowhere".into(), series: vec![] }, "dataset \"nowhere\""),
        (bad(&|s| s.id = "a\u{202e}b".into()), "series[1].id: series"),
        (bad(&|s| s.frequency = "P1D".into()), "series[1].frequency: \"P1D\""),
        (bad(&|s| s.tz = "Mars/Olympus".into()), "series[1].tz: \"Mars/Olympus\""),
        (bad(&|s| s.values = vec![Some(0.0), Some(f64::INFINITY)]), "series[1].values[1]"),
        (bad(&|s| s.start = at("2031-01-01T00:00:00Z")), "series[1].values: the last value is of 2031"),
        (
            bad(&|s| s.start = at("1899-12-31T23:00:00Z")),
            "series[1].start: 1899-12-31T23:00:00Z lies outside the years 1900 to 2200",
        ),
        (
            bad(&|s| s.start = at("2013-01-01T07:30:00Z")),
            "series washington-dc does not fit the dataset's grid: 2013-01-01T07:30:00Z is not on the grid",
        ),
        (
            bad(&|s| {
                s.id = "new-york".into();
                s.values = vec![Some(1.0); 2];
                s.start = at("-009000-01-01T00:00:00Z");
            }),
            "series[1].start: -009000-01-01T00:00:00Z lies outside",
        ),
    ];
    for (n, (batch, expected)) in cases.iter().enumerate() {
        let message =
            WireMessage::new(batch, ContentType::MessagePack, format!("o-{n}")).expect("a small body");
        publish(&stack, Queue::Observations, message).await;
        let reasons = reasons(&stack, Queue::Observations, n + 1).await;
        says(&reasons[n], expected);
    }
    assert_eq!(history.revision(&dataset).await.expect("asks"), before);
    stack.finish_with_dead_letters().await;
}

#[tokio::test]
async fn poison_on_the_request_queue_delays_nobody() {
    let (stack, model) = Stack::with_bikes(&[Role::Forecaster]).await;
    for n in 0..50 {
        let mut poison =
            WireMessage::new(&request(&model), ContentType::Json, format!("x-{n}")).expect("a small body");
        poison.body = b"{\"model\":".to_vec().into();
        publish(&stack, Queue::ForecastRequests, poison).await;
    }
    let ForecastReply::Answered { .. } = stack.forecast(&request(&model)).await else { panic!("refused") };
    assert_eq!(reasons(&stack, Queue::ForecastRequests, 50).await.len(), 50);
    stack.finish_with_dead_letters().await;
}
