//! The bank of edge cases.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use forecasting::{
    gate::{EdgeCase, EdgeCaseTest, ErrorBound, Shortage, Verdict},
    names::SeriesId,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    races::at_once,
    samples::{Opened, decide, demand, judgement, minute, model, prepare, promote, propose, recorded},
};
use crate::{
    Decided, EdgeCaseAdded, EdgeCaseRetired, NewDecision, NewEdgeCase, RegistryError, Retirement, Statement,
    StoredEdgeCase,
};

fn statement(reason: &str) -> Statement {
    Statement { by: "ann".to_owned(), reason: reason.to_owned() }
}

fn new_case(limit: f64) -> NewEdgeCase {
    let series = ["dc", "the \"mall\""].map(|id| SeriesId::new(id).expect("an id")).to_vec();
    let bound = ErrorBound { series, from: minute(-900), to: minute(-600), limit };
    NewEdgeCase { model: model("bike-demand"), bound, wanted: statement("the 'storm'") }
}

async fn add(registry: &Opened, new: &NewEdgeCase, now: Timestamp) -> StoredEdgeCase {
    match registry.add_edge_case(new, now).await.expect("can be added") {
        EdgeCaseAdded::Recorded(case) => case,
        other => panic!("was not added: {other:?}"),
    }
}

async fn retire(registry: &Opened, number: u32, why: &str, now: Timestamp) -> EdgeCaseRetired {
    let name = model("bike-demand");
    registry.retire_edge_case(&name, number, &statement(why), now).await.expect("is answered")
}

async fn listed(registry: &Opened) -> Vec<StoredEdgeCase> {
    registry.edge_cases(&model("bike-demand")).await.expect("can be read")
}

pub async fn edge_cases_are_numbered_per_model_and_listed_with_who_and_why(registry: Opened, other: Opened) {
    prepare(&registry).await;
    registry.apply_model(&demand("other", 24), minute(0)).await.expect("is new");
    assert_eq!(listed(&registry).await, []);
    let new = new_case(0.1 + 0.2);
    let first = add(&registry, &new, minute(1)).await;
    let expected = StoredEdgeCase {
        model: new.model.clone(),
        case: EdgeCase { number: 1, bound: new.bound.clone() },
        added: statement("the 'storm'"),
        added_at: minute(1),
        looks: 0,
        retired: None,
    };
    assert_eq!(first, expected);
    let second = add(&other, &new_case(1e-9), minute(2)).await;
    let of_other = add(&other, &NewEdgeCase { model: model("other"), ..new }, minute(2)).await;
    assert_eq!((second.case.number, of_other.case.number), (2, 1));
    assert_eq!(listed(&registry).await, [first, second]);
    assert_eq!(registry.edge_cases(&model("other")).await.expect("can be read"), [of_other]);
}

pub async fn an_edge_case_is_there_once_until_it_is_retired(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let first = add(&registry, &new_case(500.0), minute(1)).await;
    let fine = SignedDuration::from_nanos(1); // finer than what is kept
    let mut again = NewEdgeCase { wanted: statement("again"), ..new_case(500.0) };
    (again.bound.from, again.bound.to) = (again.bound.from + fine, again.bound.to + fine);
    let there = other.add_edge_case(&again, minute(2)).await.expect("is answered");
    assert_eq!(there, EdgeCaseAdded::ThereAlready(first.clone()));
    assert_eq!(listed(&registry).await, [first]);
    retire(&registry, 1, "over", minute(3)).await;
    assert_eq!(add(&other, &again, minute(4)).await.case.number, 2);
}

pub async fn an_edge_case_is_retired_once_and_stays_listed(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let added = add(&registry, &new_case(500.0), minute(1)).await;
    assert_eq!(retire(&other, 2, "over", minute(2)).await, EdgeCaseRetired::Unknown);
    let retirement = Retirement { wanted: statement("over"), at: minute(3) };
    let retired = StoredEdgeCase { retired: Some(retirement), ..added };
    assert_eq!(retire(&other, 1, "over", minute(3)).await, EdgeCaseRetired::Recorded(retired.clone()));
    assert_eq!(retire(&other, 1, "again", minute(4)).await, EdgeCaseRetired::RetiredBefore(retired.clone()));
    assert!(!retired.is_active());
    assert_eq!(listed(&registry).await, [retired]);
}

pub async fn an_edge_case_needs_its_model_and_a_limit(registry: Opened, _: Opened) {
    let refused = registry.add_edge_case(&new_case(500.0), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownModel(_))), "{refused:?}");
    let refused = registry.retire_edge_case(&model("bike-demand"), 1, &statement("over"), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownModel(_))), "{refused:?}");
    prepare(&registry).await;
    for limit in [f64::NAN, f64::INFINITY] {
        let refused = registry.add_edge_case(&new_case(limit), minute(0)).await;
        assert!(matches!(refused, Err(RegistryError::NotStorable { .. })), "{refused:?}");
    }
    assert_eq!(listed(&registry).await, []);
}

/// A verdict on a candidate that replayed these cases.
fn having_replayed(decision: NewDecision, cases: &[&StoredEdgeCase], verdict: Verdict) -> NewDecision {
    let mut judgement = judgement(verdict);
    let tests = cases.iter().map(|stored| EdgeCaseTest {
        case: stored.case.clone(),
        points: 10,
        error: Some(0.1 + 0.2),
        seen_in_training: true,
        passed: true,
    });
    judgement.statistics.edge_cases = tests.collect();
    NewDecision { judgement, ..decision }
}

async fn looks(registry: &Opened) -> Vec<u64> {
    listed(registry).await.iter().map(|stored| stored.looks).collect()
}

pub async fn each_decision_is_one_look_at_the_edge_cases_that_it_replayed(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let both =
        [add(&registry, &new_case(1.0), minute(1)).await, add(&registry, &new_case(2.0), minute(1)).await];
    let made = propose(&registry, "j1").await;
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: None, unsure: Vec::new() };
    let waits = Verdict::NotEnoughEvidence(shortage);
    let first = having_replayed(promote(&made, None), &[&both[0], &both[1]], waits);
    let decision = recorded(decide(&registry, &first, minute(2)).await);
    assert_eq!(looks(&other).await, [1, 1]);
    assert_eq!(decision.judgement, first.judgement);
    let again = decide(&other, &first, minute(3)).await;
    assert_eq!(again, Decided::AlreadyDecided(decision));
    assert_eq!(looks(&other).await, [1, 1], "the same look");

    retire(&registry, 1, "over", minute(3)).await;
    let second =
        NewDecision { look: 2, ..having_replayed(promote(&made, None), &[&both[1]], Verdict::Promote) };
    let lost = NewDecision { judged_against: Some(7), ..second.clone() };
    assert_eq!(decide(&registry, &lost, minute(4)).await, Decided::LostRace { incumbent: None });
    assert_eq!(looks(&other).await, [1, 1], "nothing was decided");
    recorded(decide(&registry, &second, minute(4)).await);
    assert_eq!(looks(&other).await, [1, 2]);
}

pub async fn a_winner_that_has_not_replayed_the_whole_bank_is_judged_again(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let before = add(&registry, &new_case(1.0), minute(1)).await;
    let made = propose(&registry, "j1").await;
    let winner = having_replayed(promote(&made, None), &[&before], Verdict::Promote);
    let meanwhile = add(&other, &new_case(2.0), minute(2)).await;
    assert_eq!(decide(&registry, &winner, minute(3)).await, Decided::LostRace { incumbent: None });
    assert_eq!(other.decision_of_job(&made.proposal.job).await.expect("can be read"), None);
    assert_eq!(looks(&other).await, [0, 0], "nothing was decided");
    let again = having_replayed(promote(&made, None), &[&before, &meanwhile], Verdict::Promote);
    assert!(recorded(decide(&registry, &again, minute(3)).await).promoted.is_some());

    // A candidate that stays out anyway need not replay anything.
    let second = propose(&registry, "j2").await;
    let verdict = Verdict::KeepIncumbent(Vec::new());
    let refused = having_replayed(promote(&second, Some(1)), &[], verdict);
    recorded(decide(&registry, &refused, minute(4)).await);
    assert_eq!(looks(&other).await, [1, 1]);
}

pub async fn edge_cases_in_a_race_get_numbers_of_their_own(one: Opened, other: Opened) {
    prepare(&one).await;
    let race = (1_u32..=8).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        async move { add(&registry, &new_case(f64::from(task)), minute(1)).await.case.number }
    });
    let mut numbers = at_once(race).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}
