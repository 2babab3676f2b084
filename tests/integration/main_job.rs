//! History goes in, a candidate is trained and promoted, a worse one is kept out, and forecast requests
//! are answered by the version that won.

use protocol::{
    Queue,
    messages::{ForecastReply, RefusalReason, RefusingVerdict, Route, TrainJob, TrainReason},
};
use workers::roles::Role;

use crate::stack::{Stack, decision, in_time, promoted, refused, request};

#[tokio::test]
async fn a_candidate_that_wins_on_both_errors_answers_from_then_on() {
    let (stack, model) = Stack::with_bikes(&Role::ALL).await;

    let event = promoted(stack.train(&model, "small-trees").await);
    assert_eq!((event.version, event.generation, event.previous_version), (1, 1, None));
    assert!(event.candidate.average < event.incumbent.average, "{event:?}");
    assert!(event.candidate.worst_case < event.incumbent.worst_case, "{event:?}");
    assert!(event.reasons.iter().any(|reason| reason.starts_with("worst-case error")), "{:?}", event.reasons);

    let event = refused(stack.train(&model, "seasonal-naive").await);
    assert_eq!((event.version, event.incumbent_version), (Some(2), Some(1)));
    assert_eq!(event.verdict, RefusingVerdict::KeepIncumbent);
    assert!(event.reasons.iter().any(|reason| reason.contains("average")), "{:?}", event.reasons);

    // The forecaster heard of it by event; the registry is the truth for the one that has not yet.
    let ForecastReply::Answered { forecasts, refused, .. } =
        answered_by_version(&stack, &request(&model), 1).await
    else {
        panic!("refused")
    };
    assert_eq!((forecasts.len(), refused.len()), (1, 0));
    assert_eq!((forecasts[0].generation, forecasts[0].route, forecasts[0].reason), (1, Route::Primary, None));
    assert_eq!(forecasts[0].points.values.len(), 24);
    assert!(forecasts[0].points.values.iter().all(|y| y.is_some_and(|y| y >= 0.0)), "{forecasts:?}");
    stack.finish().await;
}

/// Asks until the version answers, which takes as long as its event takes to the forecaster.
async fn answered_by_version(
    stack: &Stack,
    request: &protocol::messages::ForecastRequest,
    version: u32,
) -> ForecastReply {
    let answered = async {
        loop {
            let reply = stack.forecast(request).await;
            match &reply {
                ForecastReply::Answered { forecasts, .. }
                    if forecasts.iter().any(|f| f.version == Some(version)) =>
                {
                    return reply;
                }
                _ => tokio::task::yield_now().await,
            }
        }
    };
    in_time(answered).await
}

#[tokio::test]
async fn the_same_job_twice_is_one_version_and_one_decision() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    let job = TrainJob {
        model: model.name.to_string(),
        spec_hash: None,
        as_of: stack.now(),
        cut_off: None,
        learners: vec!["small-trees".into()],
        reason: TrainReason::Requested,
        shift: None,
    };
    let first = stack.ask_as("job-1", Queue::TrainJobs, &job).await;
    let second = stack.ask_as("job-1", Queue::TrainJobs, &job).await;
    assert_eq!(
        promoted(decision(&first)),
        promoted(decision(&second)),
        "a decision is repeated, not made again"
    );

    let registry = &stack.environment.registry;
    assert_eq!(registry.versions(&model.name).await.expect("versions").len(), 1);
    assert_eq!(registry.decisions(&model.name, 10).await.expect("decisions").len(), 1);
    assert_eq!(registry.incumbent_history(&model.name).await.expect("history").len(), 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_history_that_is_too_short_ends_in_a_decision_too() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    stack.clock.set("2025-12-31T23:59:59Z".parse().expect("a time stamp")); // before anything was recorded
    let event = refused(stack.train(&model, "small-trees").await);
    assert_eq!((event.verdict, event.version), (RefusingVerdict::NoCandidate, None));
    assert!(!event.reasons.is_empty());
    stack.finish().await;
}

#[tokio::test]
async fn what_no_model_may_answer_is_refused_with_its_field_and_value() {
    let (stack, model) = Stack::with_bikes(&[Role::Forecaster]).await;
    let check = async |change: &dyn Fn(&mut protocol::messages::ForecastRequest), reason, expected: &str| {
        let mut request = request(&model);
        change(&mut request);
        match stack.forecast(&request).await {
            ForecastReply::Refused { reason: found, message } => {
                assert_eq!(found, reason, "{message}");
                assert!(message.contains(expected), "{message:?} does not say {expected:?}");
            }
            answered @ ForecastReply::Answered { .. } => panic!("answered: {answered:?}"),
        }
    };
    check(&|r| r.model = "nobody".into(), RefusalReason::UnknownModel, "model \"nobody\"").await;
    check(&|r| r.horizon = Some(0), RefusalReason::BadRequest, "horizon: 0").await;
    check(&|r| r.horizon = Some(u32::MAX), RefusalReason::BadRequest, "horizon: 4294967295").await;
    let many: Vec<String> = (0..8_000).map(|n| format!("station-{n}")).collect();
    check(&|r| r.series.clone_from(&many), RefusalReason::BadRequest, "8000 series × 24 steps may take")
        .await;
    check(&|r| r.series = vec!["nowhere".into()], RefusalReason::UnknownSeries, "series \"nowhere\"").await;
    check(&|r| r.series = vec!["a\0".into()], RefusalReason::BadRequest, "series[0]").await;
    stack.finish().await;
}
