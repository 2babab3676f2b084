//! A candidate that lacked evidence is judged again once there is more.

use forecasting::{gate::Verdict, spec::ModelSpec};
use history::{Observation, Range};
use jiff::SignedDuration;
use protocol::{
    Queue,
    messages::{RefusingVerdict, TrainJob, TrainReason},
};
use registry::Decision;
use workers::{
    commands::replay,
    roles::{
        Role,
        gatekeeper::second_looks::{self, Asked},
    },
};

use crate::stack::{Stack, at, decision, in_time, refused};

/// Ten days before the end of the bikes, where a verdict needs 28.
const LATE_CUT_OFF: &str = "2012-12-21T23:00:00-05:00";

async fn train_late(stack: &Stack, model: &ModelSpec) {
    let job = TrainJob {
        model: model.name.to_string(),
        spec_hash: None,
        as_of: stack.now(),
        cut_off: Some(at(LATE_CUT_OFF)),
        learners: vec!["few-trees".to_owned()],
        reason: TrainReason::Requested,
    };
    let waits = refused(decision(&stack.ask(Queue::TrainJobs, &job).await));
    assert_eq!(waits.verdict, RefusingVerdict::NotEnoughEvidence, "{:?}", waits.reasons);
}

/// Records another four weeks, the same as the last ones.
async fn bring_four_weeks(stack: &Stack, model: &ModelSpec) {
    let environment = &stack.environment;
    let dataset = environment.registry.dataset(&model.dataset).await.expect("reads").expect("was applied");
    let grid = dataset.spec.grid();
    let frame = environment.history.read(&model.dataset, &grid, &Range::default()).await.expect("reads");
    let bikes = &frame.series[0];
    let four_weeks = 4 * 7 * 24;
    let last = bikes.last_target(&grid).expect("has values");
    let repeated = bikes.values[bikes.values.len() - four_weeks..].iter().zip(1_i64..);
    let observations: Vec<Observation> = repeated
        .filter(|(y, _step)| !y.is_nan())
        .map(|(y, step)| Observation { series: bikes.id.clone(), ds: grid.advance(last, step), y: *y })
        .collect();
    stack.clock.advance(SignedDuration::from_hours(1));
    let recorded = environment.history.record(&model.dataset, &grid, &observations, stack.now()).await;
    assert_eq!(recorded.expect("records").new, observations.len() as u64);
}

async fn decisions(stack: &Stack, model: &ModelSpec) -> Vec<Decision> {
    stack.environment.registry.decisions(&model.name, 10).await.expect("reads")
}

#[tokio::test]
async fn a_candidate_that_lacked_evidence_is_judged_again_once_there_is_more_and_only_then() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    train_late(&stack, &model).await;
    let mut events =
        stack.environment.broker.listen(&["model-promoted.*", "candidate-refused.*"]).await.expect("listens");
    second_looks::ask(&stack.environment, &mut Asked::new()).await; // nothing was observed since: it would be look 2

    bring_four_weeks(&stack, &model).await;
    for _gatekeeper in 0..2 {
        second_looks::ask(&stack.environment, &mut Asked::new()).await;
    }
    in_time(events.next()).await.expect("an event");
    let both = decisions(&stack, &model).await;
    let [second, first] = both.as_slice() else { panic!("{both:?}") };
    assert_eq!((first.look, second.look), (1, 2));
    assert_eq!(
        (first.job.clone(), first.version),
        (second.job.clone(), second.version),
        "the same candidate"
    );
    assert!(matches!(first.judgement.verdict, Verdict::NotEnoughEvidence(_)));
    assert!(!matches!(second.judgement.verdict, Verdict::NotEnoughEvidence(_)), "{second:?}");
    assert!(second.judgement.evidence.origins >= 28 && first.judgement.evidence.origins < 28);
    assert_eq!(second.as_of, first.as_of + SignedDuration::from_hours(1), "it saw what came since");
    for look in &both {
        let replay = replay(&stack.environment, look).await.expect("judges again");
        assert_eq!(replay.differences, [], "each look is found again from what it saw");
    }

    assert_eq!(stack.environment.registry.waiting().await.expect("reads"), [], "nothing more to ask for");
    stack.finish().await;
}
