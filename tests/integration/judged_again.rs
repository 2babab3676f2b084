//! A candidate that lacked evidence is judged again once there is more, and looks are counted.

use forecasting::{
    gate::{Judgement, Looks, Objection, Prospect, Side, Verdict},
    spec::ModelSpec,
};
use history::{Observation, Range};
use jiff::SignedDuration;
use protocol::{
    Queue,
    messages::{RefusingVerdict, TrainJob, TrainReason},
};
use registry::{Decided, Decision, Job, JobId, NewDecision, Proposal};
use workers::{
    commands::replay,
    roles::{
        Role,
        gatekeeper::second_looks::{self, Asked},
    },
};

use crate::stack::{Stack, at, decision, in_time, promoted, refused};

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
        shift: None,
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
    let looks = |decision: &Decision| decision.judgement.looks.at_candidate;
    assert_eq!((looks(first), looks(second)), (0, 1), "the first came too early to compare anything");

    assert_eq!(stack.environment.registry.waiting().await.expect("reads"), [], "nothing more to ask for");
    stack.finish().await;
}

/// A version that is the one in use, under a job of its own: its gain may be luck, and ten days more are to tell.
async fn a_candidate_that_waits_for_ten_days(stack: &Stack, model: &ModelSpec) -> Decision {
    let (registry, history) = (&stack.environment.registry, &stack.environment.history);
    let in_use = registry.version(&model.name, 1).await.expect("reads").expect("was promoted");
    let job = registry.job(&in_use.proposal.job).await.expect("reads").expect("was recorded");
    let job = Job { id: JobId::new("lucky").expect("an id"), ..job };
    registry.record_job(&job, stack.now()).await.expect("records");
    let proposal = Proposal { job: job.id.clone(), ..in_use.proposal };
    let version = registry.propose(&proposal, stack.now()).await.expect("proposes").version;

    let newest = history.newest(&model.dataset).await.expect("reads").expect("has values");
    let expected = Some(newest + SignedDuration::from_hours(10 * 24));
    let luck = Objection::AverageMayBeLuck {
        candidate: 0.8,
        opponent: 0.81,
        against: Side::Incumbent,
        p: 0.17,
        alpha: 0.16,
        prospect: Some(Prospect { origins: 28, needed_origins: 38, expected }),
    };
    let looks =
        Looks { at_candidate: 1, at_these_rows: 2, expected_by_luck: 0.32, left: 4, ..Looks::default() };
    let judgement = Judgement { verdict: Verdict::of(vec![luck]), looks, ..Judgement::no_candidate("") };
    let waits = NewDecision {
        job: job.id,
        model: model.name.clone(),
        version: Some(version),
        judged_against: Some(1),
        look: 1,
        as_of: job.as_of,
        judgement,
        scored_rows: None,
    };
    match registry.decide(&waits, stack.now()).await.expect("decides") {
        Decided::Recorded(decision) => decision,
        other => panic!("was not recorded: {other:?}"),
    }
}

#[tokio::test]
async fn a_candidate_whose_gain_may_be_luck_is_looked_at_again_at_its_date_and_must_be_more_certain_then() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    promoted(stack.train(&model, "small-trees").await);
    let waits = a_candidate_that_waits_for_ten_days(&stack, &model).await;
    assert_eq!(waits.judgement.verdict.name(), "not-enough-evidence");
    let mut events = stack.environment.broker.listen(&["candidate-refused.*"]).await.expect("listens");
    let mut asked = Asked::new();
    second_looks::ask(&stack.environment, &mut asked).await;
    assert_eq!(asked.values().sum::<u32>(), 0, "its date has not come");

    bring_four_weeks(&stack, &model).await;
    second_looks::ask(&stack.environment, &mut asked).await;
    assert_eq!(asked.values().sum::<u32>(), 1);
    in_time(events.next()).await.expect("an event");
    let again = decisions(&stack, &model).await.remove(0);
    assert_eq!((&again.job, again.look, again.judgement.looks.at_candidate), (&waits.job, 2, 2));
    let level = again.judgement.statistics.average.as_ref().map(|test| test.alpha);
    assert_eq!(level, Some(0.02), "a tenth of the model's alpha");
    assert_eq!(again.judgement.verdict.name(), "keep-incumbent", "a tie: {:?}", again.judgement.reasons());
    stack.finish().await;
}

#[tokio::test]
async fn looks_at_the_same_rows_are_counted_over_all_candidates_of_a_model() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper]).await;
    promoted(stack.train(&model, "small-trees").await);
    let worse = refused(stack.train(&model, "seasonal-naive").await);
    let both = decisions(&stack, &model).await;
    let [second, first] = both.as_slice() else { panic!("{both:?}") };
    let looks = |decision: &Decision| {
        let Looks { at_these_rows, left, .. } = decision.judgement.looks;
        (at_these_rows, left)
    };
    // Each first look spends 0.16 of one candidate by luck.
    assert_eq!((looks(first), looks(second)), ((1, 5), (2, 4)));
    let says =
        "this is look 2 at these rows or some of them; that many looks let in at most 0.32 candidates ";
    assert!(worse.reasons.iter().any(|reason| reason.starts_with(says)), "{:?}", worse.reasons);
    let promised = first.judgement.promised.expect("was promoted").average;
    assert!(promised.shrunken < promised.measured, "{promised:?}");
    assert_eq!(second.judgement.promised, None);
    stack.finish().await;
}
