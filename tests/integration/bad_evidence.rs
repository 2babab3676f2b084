//! Verdicts on what went wrong around them: an incumbent that is gone, a correction in between, a clock that is behind,
//! a trainer that boasts. Candidates are trained by the real trainer; each verdict is that of a gatekeeper of its own,
//! which remembers nothing, unless it is said to.

use std::sync::Arc;

use artifacts::DecodedModels;
use clock::ManualClock;
use forecasting::{gate::Evidence, spec::ModelSpec};
use jiff::{SignedDuration, Timestamp};
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{Competitor, GateDecision, TrainJob, TrainOutcome, TrainReason, TrainResult},
};
use registry::JobId;
use runner::{CpuPool, Handler as _, JobContext};
use tokio_util::sync::CancellationToken;
use workers::{commands::replay, handlers::JudgeHandler, roles::Role};

use crate::stack::{Stack, at, in_time, promoted, refused};

/// The candidate of a job of this name, as of now, once it waits for its verdict.
async fn trained(stack: &Stack, model: &ModelSpec, job: &str, learner: &str) {
    let message = TrainJob {
        model: model.name.to_string(),
        spec_hash: None,
        as_of: stack.now(),
        cut_off: None,
        learners: vec![learner.to_owned()],
        reason: TrainReason::Requested,
        shift: None,
    };
    let message = WireMessage::new(&message, ContentType::Json, job).expect("a small body");
    let environment = &stack.environment;
    environment.broker.publish(&Destination::Queue(Queue::TrainJobs), message).await.expect("published");
    let id = JobId::new(job).expect("an id");
    in_time(async {
        while environment.registry.version_of_job(&id).await.expect("reads").is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await; // polls for the event it waits for
        }
    })
    .await;
}

/// What a gatekeeper whose clock shows `now` decides, told this by the trainer.
async fn judged_at(
    stack: &Stack,
    model: &ModelSpec,
    job: &str,
    outcome: TrainOutcome,
    now: Timestamp,
) -> GateDecision {
    let environment = &stack.environment;
    let gatekeeper = JudgeHandler {
        registry: environment.registry.clone(),
        history: environment.history.clone(),
        models: Arc::new(DecodedModels::new(environment.artifacts.clone(), 1 << 30)),
        artifacts: environment.artifacts.clone(),
        cpu: CpuPool::new(1),
    };
    let result = TrainResult { model: model.name.to_string(), outcome, again: None };
    let message = WireMessage::new(&result, ContentType::Json, job).expect("a small body");
    let clock = Arc::new(ManualClock::at(now));
    let context = JobContext::new(&message.properties, clock, CancellationToken::new());
    gatekeeper.handle(result, &context).await.expect("decides")
}

async fn judged(stack: &Stack, model: &ModelSpec, job: &str) -> GateDecision {
    judged_at(stack, model, job, claim(Vec::new()), stack.now()).await
}

fn claim(competed: Vec<Competitor>) -> TrainOutcome {
    let learner = "small-trees".to_owned();
    TrainOutcome::Candidate { version: 77, learner, competed, left_out: Vec::new(), uncontested: None }
}

/// What the last decision rests on.
async fn evidence(stack: &Stack, model: &ModelSpec) -> Evidence {
    let mut last = stack.environment.registry.decisions(&model.name, 1).await.expect("reads");
    last.remove(0).judgement.evidence
}

#[tokio::test]
async fn an_incumbent_whose_artifact_is_gone_stays_and_the_verdict_says_why() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer]).await;
    trained(&stack, &model, "first", "few-trees").await;
    promoted(judged(&stack, &model, "first").await);
    trained(&stack, &model, "second", "small-trees").await;

    let registry = &stack.environment.registry;
    let incumbent = registry.incumbent(&model.name).await.expect("reads").expect("was promoted");
    stack.environment.artifacts.delete(&incumbent.artifact).await.expect("deletes");
    let kept_out = refused(judged(&stack, &model, "second").await);
    let [why] = kept_out.reasons.as_slice() else { panic!("{:?}", kept_out.reasons) };
    let start = "the two sides cannot be compared: the incumbent cannot be loaded: ";
    assert!(why.starts_with(start), "{why}");
    assert!(why.ends_with(&format!("artifact {} is missing", incumbent.artifact)), "{why}");
    assert_eq!((kept_out.version, kept_out.incumbent_version, kept_out.candidate), (Some(2), Some(1), None));
    assert_eq!(registry.incumbent(&model.name).await.expect("reads").map(|now| now.version), Some(1));

    let decision = registry.decisions(&model.name, 1).await.expect("reads").remove(0);
    let again = replay(&stack.environment, &decision).await.expect("judges again");
    assert_eq!(again.differences, [], "that it cannot be loaded was the verdict");
    stack.finish().await;
}

#[tokio::test]
async fn a_gatekeeper_that_remembers_the_incumbent_misses_its_artifact_all_the_same() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    promoted(stack.train(&model, "few-trees").await);
    let incumbent = stack.environment.registry.incumbent(&model.name).await.expect("reads");
    let artifact = incumbent.expect("was promoted").artifact;
    stack.environment.models.get(&artifact).await.expect("is there, and remembered");
    stack.environment.artifacts.delete(&artifact).await.expect("deletes");
    let kept_out = refused(stack.train(&model, "small-trees").await);
    assert!(kept_out.reasons[0].contains("the incumbent cannot be loaded: "), "{:?}", kept_out.reasons);
    stack.finish().await;
}

/// Triples the values of the last week of the holdout, an hour from now.
async fn correct_the_last_week(stack: &Stack, model: &ModelSpec) {
    stack.clock.advance(SignedDuration::from_hours(1));
    let corrected = stack.correct(model, 0..7 * 24, stack.now(), |y| 3.0 * y).await;
    assert!(corrected > 100, "a value of 0 stays what it is");
}

#[tokio::test]
async fn a_correction_between_training_and_verdict_is_seen_by_the_next_job_only() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer]).await;
    trained(&stack, &model, "before", "few-trees").await;
    trained(&stack, &model, "between", "few-trees").await;
    let undisturbed = promoted(judged(&stack, &model, "before").await);
    let rows_before = evidence(&stack, &model).await.rows_hash;

    correct_the_last_week(&stack, &model).await;
    let disturbed = refused(judged(&stack, &model, "between").await);
    assert_eq!(disturbed.candidate, Some(undisturbed.candidate), "the same fit on the same rows");
    assert_eq!(evidence(&stack, &model).await.rows_hash, rows_before);

    trained(&stack, &model, "after", "few-trees").await;
    refused(judged(&stack, &model, "after").await);
    assert_ne!(evidence(&stack, &model).await.rows_hash, rows_before);
    stack.finish().await;
}

#[tokio::test]
async fn a_gatekeeper_whose_clock_is_behind_the_data_finds_the_same() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer]).await;
    trained(&stack, &model, "first", "few-trees").await;
    trained(&stack, &model, "second", "few-trees").await;
    let behind = at("2012-06-01T00:00:00Z");
    let early = promoted(judged_at(&stack, &model, "first", claim(Vec::new()), behind).await);
    assert_eq!(early.decided_at, behind);
    let of_early = evidence(&stack, &model).await;
    assert!(of_early.first_origin > Some(behind), "every row lies ahead of the clock");

    let usual = refused(judged(&stack, &model, "second").await);
    assert_eq!(usual.candidate, Some(early.candidate));
    assert_eq!(evidence(&stack, &model).await.rows_hash, of_early.rows_hash);
    stack.finish().await;
}

#[tokio::test]
async fn what_a_trainer_claims_about_its_candidate_counts_for_nothing() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer]).await;
    trained(&stack, &model, "honest", "few-trees").await;
    let honest = promoted(judged(&stack, &model, "honest").await);

    trained(&stack, &model, "boast", "few-trees").await;
    let perfect = Competitor {
        learner: "small-trees".to_owned(),
        average_error: 0.0,
        worst_case_error: 0.0,
        rows: 1_000_000,
        series: 1,
    };
    let boast = refused(judged_at(&stack, &model, "boast", claim(vec![perfect]), stack.now()).await);
    assert_eq!((boast.version, boast.candidate), (Some(2), Some(honest.candidate)), "of the registry");
    assert!(boast.reasons[0].ends_with("a tie keeps the incumbent"), "{:?}", boast.reasons);
    stack.finish().await;
}
