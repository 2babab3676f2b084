//! Decisions and the incumbents that they make.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use forecasting::{
    evaluation::Errors,
    gate::{Judgement, Objection, Shortage, Side, SinceShift, Verdict},
};

use super::samples::{
    Opened, decide, demand, errors, id, job, judgement, minute, model, prepare, promote, proposal, propose,
    recorded, rows_of, state,
};
use crate::{
    Decided, Incumbent, Job, MAX_LOOKS, MadeBy, NewDecision, Proposal, RegistryError, Version, VersionState,
};

pub async fn the_first_promotion_makes_an_incumbent(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let name = model("bike-demand");
    assert_eq!(registry.incumbent(&name).await.expect("can be read"), None);
    assert_eq!(registry.incumbent_history(&name).await.expect("can be read"), []);
    let made = propose(&registry, "j1").await;
    let decision = recorded(decide(&registry, &promote(&made, None), minute(2)).await);
    let incumbent = Incumbent {
        model: name.clone(),
        version: 1,
        generation: 1,
        artifact: made.proposal.artifact,
        size_bytes: made.proposal.size_bytes,
        since: minute(2),
        previous_version: None,
        made_by: MadeBy::Decision(decision.id),
    };
    assert_eq!(decision.promoted.as_ref(), Some(&incumbent));
    assert_eq!(decision.judgement, judgement(Verdict::Promote));
    assert_eq!((decision.decided_at, decision.judged_against), (minute(2), None));
    assert_eq!(other.incumbent(&name).await.expect("can be read").as_ref(), Some(&incumbent));
    assert_eq!(other.incumbent_history(&name).await.expect("can be read"), [incumbent]);
    assert_eq!(other.decision_of_job(&id("j1")).await.expect("can be read"), Some(decision));
    assert_eq!(state(&other, 1).await, (VersionState::Promoted, minute(2)));
}

pub async fn a_promotion_retires_the_incumbent_before(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    recorded(decide(&registry, &promote(&first, None), minute(2)).await);
    let decision = recorded(decide(&registry, &promote(&second, Some(1)), minute(3)).await);
    let incumbent = decision.promoted.expect("was promoted");
    assert_eq!((incumbent.version, incumbent.generation, incumbent.previous_version), (2, 2, Some(1)));
    assert_eq!(state(&registry, 1).await, (VersionState::Retired, minute(3)));
    assert_eq!(state(&registry, 2).await, (VersionState::Promoted, minute(3)));
    let name = model("bike-demand");
    assert_eq!(registry.incumbent(&name).await.expect("can be read").as_ref(), Some(&incumbent));
    let history = registry.incumbent_history(&name).await.expect("can be read");
    let history = history.iter().map(|past| (past.generation, past.version, past.since));
    assert_eq!(history.collect::<Vec<_>>(), [(1, 1, minute(2)), (2, 2, minute(3))]);
}

pub async fn a_refusal_is_kept_whole_and_changes_no_incumbent(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    recorded(decide(&registry, &promote(&first, None), minute(2)).await);
    let before = registry.incumbent(&model("bike-demand")).await.expect("can be read");
    let objections = vec![
        Objection::AverageNotBetter { candidate: 0.1 + 0.2, opponent: 0.3, against: Side::Incumbent },
        Objection::NotComparable { problem: "the candidate's 'worst' is \"no\" number\n".to_owned() },
    ];
    let refusal =
        NewDecision { judgement: judgement(Verdict::KeepIncumbent(objections)), ..promote(&second, Some(1)) };
    let decision = recorded(decide(&registry, &refusal, minute(3)).await);
    assert_eq!((&decision.judgement, decision.promoted.as_ref()), (&refusal.judgement, None));
    assert_eq!((decision.version, decision.judged_against), (Some(2), Some(1)));
    assert_eq!(decision.scored_rows, Some(rows_of(&id("j2"))));
    assert_eq!(other.decision_of_job(&id("j2")).await.expect("can be read"), Some(decision));
    assert_eq!(state(&other, 2).await, (VersionState::Refused, minute(3)));
    assert_eq!(other.incumbent(&model("bike-demand")).await.expect("can be read"), before);
}

pub async fn a_candidate_without_enough_evidence_stays_pending(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: Some(minute(9)), unsure: Vec::new() };
    let verdict = Verdict::NotEnoughEvidence(shortage);
    let waits = NewDecision { judgement: judgement(verdict), ..promote(&made, None) };
    let decision = recorded(decide(&registry, &waits, minute(2)).await);
    assert_eq!((&decision.judgement, decision.promoted), (&waits.judgement, None));
    assert_eq!(state(&registry, 1).await, (VersionState::Pending, minute(1)), "pending since its proposal");
    assert_eq!(registry.incumbent(&model("bike-demand")).await.expect("can be read"), None);
}

pub async fn a_candidate_that_lacks_evidence_is_looked_at_twice_more(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: Some(minute(9)), unsure: Vec::new() };
    let mut waits = judgement(Verdict::NotEnoughEvidence(shortage));
    waits.looks.bets_at_candidate = 0;
    let look = |look: u32| NewDecision {
        look,
        as_of: minute(i64::from(look)),
        judgement: waits.clone(),
        ..promote(&made, None)
    };
    let early = registry.decide(&look(2), minute(2)).await.expect_err("there was no first look");
    assert_eq!(early.to_string(), "job j1 was never decided, this is look 2");
    for number in 1..=MAX_LOOKS {
        let decision = recorded(decide(&registry, &look(number), minute(2)).await);
        assert_eq!((decision.look, decision.as_of), (number, minute(i64::from(number))));
        for repeated in [1, number, number + 2] {
            let again = decide(&other, &look(repeated), minute(3)).await;
            assert_eq!(again, Decided::AlreadyDecided(decision.clone()), "look {repeated} after {number}");
        }
        assert_eq!(other.decision_of_job(&id("j1")).await.expect("can be read").as_ref(), Some(&decision));
        let expected = if number < MAX_LOOKS { vec![decision] } else { Vec::new() };
        assert_eq!(other.waiting().await.expect("can be read"), expected);
    }
    let fourth = decide(&other, &look(MAX_LOOKS + 1), minute(3)).await;
    assert!(matches!(fourth, Decided::AlreadyDecided(_)), "{fourth:?}");
    assert_eq!(registry.decisions(&model("bike-demand"), 10).await.expect("can be read").len(), 3);
    let looks = other.looks_of_job(&id("j1")).await.expect("can be read");
    assert_eq!(looks.iter().map(|decision| decision.look).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(other.looks_of_job(&id("j2")).await.expect("can be read"), []);
}

/// What bets that go on say of a candidate.
fn bets_go_on(candidate: &Version, look: u32) -> NewDecision {
    let shortage =
        Shortage { origins: look, needed_origins: 28, expected: Some(minute(9)), unsure: Vec::new() };
    let mut waits = judgement(Verdict::NotEnoughEvidence(shortage));
    let bets = SinceShift { wealth: 1.6, needed_wealth: 20.0, decided_after: None, origins: look };
    waits.statistics.since_shift = Some(bets);
    waits.evidence.shift = Some(minute(-600));
    NewDecision { look, judgement: waits, ..promote(candidate, None) }
}

/// Proposes a candidate of a job that declares a shift.
async fn propose_since_a_shift(registry: &Opened, name: &str) -> Version {
    let declared = Job { shift: Some(minute(-600)), ..job(name) };
    registry.record_job(&declared, minute(0)).await.expect("can be recorded");
    registry.propose(&proposal(name), minute(1)).await.expect("can be proposed")
}

pub async fn bets_are_looked_at_until_they_are_decided(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let made = propose_since_a_shift(&registry, "j1").await;
    for number in 1..=2 * MAX_LOOKS {
        let decision = recorded(decide(&registry, &bets_go_on(&made, number), minute(2)).await);
        assert_eq!(decision.look, number);
        assert_eq!(other.waiting().await.expect("can be read"), [decision]);
    }
    // Then losses are compared, and there are the looks that any candidate has.
    let mut compared = bets_go_on(&made, 2 * MAX_LOOKS + 1);
    compared.judgement.statistics.since_shift = None;
    compared.judgement.looks.bets_at_candidate = 2 * MAX_LOOKS;
    let compared = recorded(decide(&registry, &compared, minute(2)).await);
    assert_eq!(other.waiting().await.expect("can be read"), [compared]);
    let last = NewDecision { look: 2 * MAX_LOOKS + 2, ..promote(&made, None) };
    assert!(recorded(decide(&other, &last, minute(3)).await).promoted.is_some());
    assert_eq!(registry.waiting().await.expect("can be read"), []);
}

pub async fn of_candidates_since_a_shift_the_newest_that_was_not_refused_waits(
    registry: Opened,
    other: Opened,
) {
    prepare(&registry).await;
    let waiting = async || -> Vec<Option<u32>> {
        let waiting = other.waiting().await.expect("can be read");
        waiting.into_iter().map(|decision| decision.version).collect()
    };
    let first = propose_since_a_shift(&registry, "j1").await;
    recorded(decide(&registry, &bets_go_on(&first, 1), minute(2)).await);
    // A candidate that knows of no shift takes nobody's place.
    let usual = propose(&registry, "j2").await;
    assert_eq!(waiting().await, [Some(first.version)]);
    let second = propose_since_a_shift(&registry, "j3").await;
    assert!(waiting().await.is_empty());
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: Some(minute(9)), unsure: Vec::new() };
    let refused = judgement(Verdict::KeepIncumbent(Vec::new()));
    recorded(
        decide(&registry, &NewDecision { judgement: refused, ..promote(&second, None) }, minute(3)).await,
    );
    assert_eq!(waiting().await, [Some(first.version)]);
    let third = propose_since_a_shift(&registry, "j4").await;
    recorded(decide(&registry, &bets_go_on(&third, 1), minute(4)).await);
    let lacks = judgement(Verdict::NotEnoughEvidence(shortage));
    recorded(decide(&registry, &NewDecision { judgement: lacks, ..promote(&usual, None) }, minute(4)).await);
    assert_eq!(waiting().await, [Some(third.version), Some(usual.version)]);
}

pub async fn a_winner_since_a_shift_ends_the_wait_of_those_before_it(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let first = propose_since_a_shift(&registry, "j1").await;
    recorded(decide(&registry, &bets_go_on(&first, 1), minute(2)).await);
    let usual = propose(&registry, "j2").await;
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: None, unsure: Vec::new() };
    let lacks = judgement(Verdict::NotEnoughEvidence(shortage));
    recorded(decide(&registry, &NewDecision { judgement: lacks, ..promote(&usual, None) }, minute(2)).await);
    let third = propose_since_a_shift(&registry, "j3").await;
    let last = propose_since_a_shift(&registry, "j4").await;
    recorded(decide(&registry, &promote(&last, None), minute(4)).await);
    assert_eq!(state(&other, 1).await, (VersionState::Refused, minute(4)));
    assert_eq!(state(&other, 2).await, (VersionState::Pending, minute(1)), "it knows of no shift");
    assert_eq!(state(&other, 3).await, (VersionState::Pending, minute(1)), "its verdict is still to come");
    assert_eq!(state(&other, 4).await, (VersionState::Promoted, minute(4)));
    // A look that was under way finds that it is over, and one that comes late and waits has nothing to wait for.
    let under_way = decide(&registry, &NewDecision { look: 2, ..promote(&first, Some(1)) }, minute(5)).await;
    assert!(matches!(&under_way, Decided::AlreadyDecided(decision) if decision.look == 1), "{under_way:?}");
    let late = NewDecision { judged_against: Some(1), ..bets_go_on(&third, 1) };
    recorded(decide(&registry, &late, minute(6)).await);
    assert_eq!(state(&other, 3).await, (VersionState::Refused, minute(6)));
}

pub async fn a_second_look_promotes_and_ends_the_wait(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: Some(minute(9)), unsure: Vec::new() };
    for candidate in [&first, &second] {
        let waits = judgement(Verdict::NotEnoughEvidence(shortage.clone()));
        let waits = NewDecision { judgement: waits, ..promote(candidate, None) };
        recorded(decide(&registry, &waits, minute(2)).await);
    }
    let promoted = NewDecision { look: 2, ..promote(&second, None) };
    let promoted = recorded(decide(&registry, &promoted, minute(3)).await);
    assert_eq!(promoted.promoted.map(|made| made.version), Some(2));
    let waiting = registry.waiting().await.expect("can be read");
    assert_eq!(waiting.iter().map(|one| one.job.clone()).collect::<Vec<_>>(), [id("j1")]);
}

pub async fn a_job_without_a_candidate_is_decided_too(registry: Opened, _: Opened) {
    prepare(&registry).await;
    registry.record_job(&job("j1"), minute(0)).await.expect("is new");
    let nobody = NewDecision {
        job: id("j1"),
        model: model("bike-demand"),
        version: None,
        judged_against: None,
        look: 1,
        as_of: minute(0),
        judgement: Judgement::no_candidate("3 days of history, 28 are needed"),
        scored_rows: None,
    };
    let decision = recorded(decide(&registry, &nobody, minute(2)).await);
    assert_eq!((decision.version, &decision.judgement), (None, &nobody.judgement));
    assert_eq!(decision.scored_rows, None);
    assert_eq!(registry.decision_of_job(&id("j1")).await.expect("can be read"), Some(decision));
}

pub async fn a_job_is_decided_once(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let decision = recorded(decide(&registry, &promote(&made, None), minute(2)).await);
    let verdict = Verdict::KeepIncumbent(vec![Objection::NotComparable { problem: "late".to_owned() }]);
    for against in [None, Some(1), Some(7)] {
        let again = NewDecision { judgement: judgement(verdict.clone()), ..promote(&made, against) };
        let repeated = decide(&other, &again, minute(3)).await;
        assert_eq!(repeated, Decided::AlreadyDecided(decision.clone()), "against {against:?}");
    }
    assert_eq!(state(&other, 1).await, (VersionState::Promoted, minute(2)));
    assert_eq!(other.incumbent_history(&model("bike-demand")).await.expect("can be read").len(), 1);
}

pub async fn who_judged_against_another_incumbent_changes_nothing(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    for (against, incumbent) in [(Some(1), None), (Some(0), None)] {
        let lost = decide(&registry, &promote(&first, against), minute(2)).await;
        assert_eq!(lost, Decided::LostRace { incumbent });
    }
    let promoted = recorded(decide(&registry, &promote(&first, None), minute(2)).await).promoted;
    for against in [None, Some(2)] {
        let lost = decide(&registry, &promote(&second, against), minute(3)).await;
        assert_eq!(lost, Decided::LostRace { incumbent: promoted.clone() });
    }
    assert_eq!(registry.decision_of_job(&id("j2")).await.expect("can be read"), None);
    assert_eq!(state(&registry, 2).await, (VersionState::Pending, minute(1)));
    assert_eq!(registry.incumbent(&model("bike-demand")).await.expect("can be read"), promoted);
}

pub async fn a_decision_needs_its_job(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let orphan = NewDecision { job: id("j9"), ..promote(&made, None) };
    let refused = registry.decide(&orphan, minute(2)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownJob(_))), "{refused:?}");
}

pub async fn a_decision_must_agree_with_its_job(registry: Opened, _: Opened) {
    prepare(&registry).await;
    registry.apply_model(&demand("other", 24), minute(0)).await.expect("is new");
    let made = propose(&registry, "j1").await;
    propose(&registry, "j2").await;
    let good = promote(&made, None);
    let cases = [
        (NewDecision { version: Some(2), ..good.clone() }, "job j1 did not make version 2 of bike-demand"),
        (NewDecision { version: None, ..good.clone() }, "job j1 is to promote, but names no version"),
        (
            NewDecision { model: model("other"), ..good.clone() },
            "job j1 trains bike-demand, its decision is about other",
        ),
    ];
    for (bad, problem) in cases {
        let refused = registry.decide(&bad, minute(2)).await.expect_err("contradicts its job");
        assert_eq!(refused.to_string(), problem);
    }
    assert_eq!(registry.decision_of_job(&id("j1")).await.expect("can be read"), None);
    assert_eq!(registry.incumbent(&model("bike-demand")).await.expect("can be read"), None);
}

pub async fn what_would_not_come_back_is_not_stored(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    for number in [f64::NAN, f64::INFINITY] {
        let mut hopeless = promote(&made, None);
        hopeless.judgement.candidate = Some(Errors { average: number, ..errors() });
        let refused = registry.decide(&hopeless, minute(2)).await;
        assert!(matches!(refused, Err(RegistryError::NotStorable { .. })), "{refused:?}");
    }
    assert_eq!(registry.decision_of_job(&id("j1")).await.expect("can be read"), None);
    assert_eq!(state(&registry, 1).await, (VersionState::Pending, minute(1)));
}

pub async fn decisions_come_back_latest_first(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let mut jobs = Vec::new();
    for (generation, job) in [(None, "j1"), (Some(1), "j2"), (Some(2), "j3")] {
        let made = propose(&registry, job).await;
        // All in the same minute: the order is that of deciding.
        recorded(decide(&registry, &promote(&made, generation), minute(2)).await);
        jobs.insert(0, id(job));
    }
    let jobs_of = async |limit| {
        let found = registry.decisions(&model("bike-demand"), limit).await.expect("can be read");
        found.into_iter().map(|decision| decision.job).collect::<Vec<_>>()
    };
    assert_eq!(jobs_of(10).await, jobs);
    assert_eq!(jobs_of(2).await, jobs[..2]);
    assert_eq!(registry.decisions(&model("other"), 10).await.expect("can be read"), []);
}

pub async fn an_incumbent_never_came_before_the_one_before(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    recorded(decide(&registry, &promote(&first, None), minute(9)).await);
    let set_back = recorded(decide(&registry, &promote(&second, Some(1)), minute(4)).await);
    assert_eq!(set_back.decided_at, minute(4));
    assert_eq!(set_back.promoted.expect("was promoted").since, minute(9));
}

pub async fn incumbents_are_listed_by_name(registry: Opened, _: Opened) {
    prepare(&registry).await;
    assert_eq!(registry.incumbents().await.expect("can be read"), []);
    let mut expected = Vec::new();
    for (name, number) in [("zoo", 1), ("ant", 2)] {
        registry.apply_model(&demand(name, 24), minute(0)).await.expect("is new");
        for (against, turn) in [(None, 0), (Some(1), 1)] {
            let job = Job { model: model(name), ..job(&format!("{name}-{turn}")) };
            registry.record_job(&job, minute(0)).await.expect("is new");
            let proposal = Proposal { model: model(name), job: job.id, ..proposal("any") };
            let made = registry.propose(&proposal, minute(number)).await.expect("is new");
            recorded(decide(&registry, &promote(&made, against), minute(5)).await);
        }
        expected.insert(0, (model(name), 2));
    }
    let found = registry.incumbents().await.expect("can be read").into_iter();
    let found: Vec<_> = found.map(|incumbent| (incumbent.model, incumbent.generation)).collect();
    assert_eq!(found, expected);
}
