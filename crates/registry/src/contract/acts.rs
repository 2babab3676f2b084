//! Acts of people: what they keep out, and the incumbents that they make.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use forecasting::{
    artifact::ArtifactName,
    gate::{Objection, Verdict},
};
use jiff::Timestamp;

use super::{
    races::at_once,
    samples::{
        Opened, decide, id, job, judgement, minute, model, prepare, promote, proposal, propose, recorded,
        state,
    },
};
use crate::{
    Act, ActKind, ActRefusal, Acted, Decided, Expired, InForce, NewAct, NewDecision, Proposal, RegistryError,
    Version, VersionState,
};

/// An act that is decided on the incumbent of this generation.
fn new_act(message_id: &str, kind: ActKind, decided_on: Option<u64>) -> NewAct {
    NewAct {
        message_id: message_id.to_owned(),
        model: model("bike-demand"),
        kind,
        by: "ann".to_owned(),
        reason: "the \"ferry\" is 'off'".to_owned(),
        expires: None,
        refusal: None,
        decided_on,
    }
}

async fn act(registry: &Opened, act: &NewAct, now: Timestamp) -> Act {
    match registry.act(act, now).await.expect("can be recorded") {
        Acted::Recorded(act) => act,
        other => panic!("was not recorded: {other:?}"),
    }
}

/// Generation, version and the act that made it, of the incumbent.
async fn in_use(registry: &Opened) -> (u64, u32, Option<Act>) {
    let incumbent = registry.incumbent(&model("bike-demand")).await.expect("can be read").expect("is there");
    (incumbent.generation, incumbent.version, incumbent.act().cloned())
}

/// Version 1 in use, 2 waiting.
async fn one_in_use(registry: &Opened) -> [Version; 2] {
    prepare(registry).await;
    let made = [propose(registry, "j1").await, propose(registry, "j2").await];
    recorded(decide(registry, &promote(&made[0], None), minute(2)).await);
    made
}

fn refusal(candidate: &Version, judged_against: Option<u64>) -> NewDecision {
    let worse = Verdict::KeepIncumbent(vec![Objection::NotComparable { problem: "worse".to_owned() }]);
    NewDecision { judgement: judgement(worse), ..promote(candidate, judged_against) }
}

pub async fn a_freeze_keeps_a_winner_out_until_it_ends_and_the_verdict_stays_what_it_was(
    registry: Opened,
    other: Opened,
) {
    let [_, second] = one_in_use(&registry).await;
    let freeze = NewAct { expires: Some(minute(9)), ..new_act("a1", ActKind::Freeze, Some(1)) };
    let freeze = act(&registry, &freeze, minute(3)).await;
    assert_eq!((freeze.acted_at, freeze.expires), (minute(3), Some(minute(9))));
    let decision = recorded(decide(&other, &promote(&second, Some(1)), minute(8)).await);
    assert_eq!(decision.judgement.verdict, Verdict::Promote);
    assert_eq!((decision.promoted.as_ref(), decision.barred_by.as_ref()), (None, Some(&freeze)));
    assert_eq!(registry.decision_of_job(&id("j2")).await.expect("can be read"), Some(decision));
    assert_eq!(state(&registry, 2).await, (VersionState::Refused, minute(8)));
    assert_eq!(in_use(&registry).await, (1, 1, None));
    let third = propose(&registry, "j3").await;
    let decision = recorded(decide(&registry, &promote(&third, Some(1)), minute(9)).await);
    assert_eq!((decision.promoted.map(|made| made.version), decision.barred_by), (Some(3), None));
}

pub async fn a_freeze_is_lifted(registry: Opened, other: Opened) {
    let [_, second] = one_in_use(&registry).await;
    let freeze = act(&registry, &new_act("a1", ActKind::Freeze, Some(1)), minute(3)).await;
    let third = propose(&registry, "j3").await;
    // What would not have gone live anyhow is refused for its own reasons.
    let decision = recorded(decide(&registry, &refusal(&third, Some(1)), minute(4)).await);
    assert_eq!(decision.barred_by, None);
    let unfreeze = act(&other, &new_act("a2", ActKind::Unfreeze, Some(1)), minute(5)).await;
    let decision = recorded(decide(&registry, &promote(&second, Some(1)), minute(6)).await);
    assert_eq!(decision.promoted.map(|made| made.version), Some(2));
    let name = model("bike-demand");
    assert_eq!(other.acts(&name).await.expect("can be read"), [freeze, unfreeze]);
    assert_eq!(other.acts(&model("other")).await.expect("can be read"), []);
}

pub async fn a_veto_keeps_one_version_out(registry: Opened, _: Opened) {
    let [_, second] = one_in_use(&registry).await;
    let veto = act(&registry, &new_act("a1", ActKind::Veto { version: 2 }, Some(1)), minute(3)).await;
    let decision = recorded(decide(&registry, &promote(&second, Some(1)), minute(4)).await);
    assert_eq!((decision.promoted, decision.barred_by), (None, Some(veto)));
    let third = propose(&registry, "j3").await;
    let decision = recorded(decide(&registry, &promote(&third, Some(1)), minute(5)).await);
    assert_eq!(decision.promoted.map(|made| made.version), Some(3));
}

pub async fn a_force_makes_an_incumbent_and_says_so(registry: Opened, other: Opened) {
    let [_, second] = one_in_use(&registry).await;
    recorded(decide(&registry, &refusal(&second, Some(1)), minute(3)).await);
    let forced = act(&registry, &new_act("a1", ActKind::Force { version: 2 }, Some(1)), minute(4)).await;
    let history = other.incumbent_history(&model("bike-demand")).await.expect("can be read");
    let incumbent = history.last().expect("is there");
    assert_eq!((incumbent.generation, incumbent.version, incumbent.previous_version), (2, 2, Some(1)));
    assert_eq!((incumbent.artifact, incumbent.since), (second.proposal.artifact, minute(4)));
    assert_eq!(incumbent.act(), Some(&forced));
    assert_eq!(history[0].act(), None);
    assert_eq!(other.incumbents().await.expect("can be read"), std::slice::from_ref(incumbent));
    assert_eq!(state(&registry, 1).await, (VersionState::Retired, minute(4)));
    assert_eq!(state(&registry, 2).await, (VersionState::Promoted, minute(4)));
    // The next candidate that beats it replaces it.
    let third = propose(&registry, "j3").await;
    recorded(decide(&registry, &promote(&third, Some(2)), minute(5)).await);
    assert_eq!(in_use(&registry).await, (3, 3, None));
}

pub async fn a_roll_back_makes_a_retired_version_the_incumbent_again(registry: Opened, _: Opened) {
    let [_, second] = one_in_use(&registry).await;
    recorded(decide(&registry, &promote(&second, Some(1)), minute(3)).await);
    let back = ActKind::RollBack { version: Some(1) };
    let back = NewAct { expires: Some(minute(9)), ..new_act("a1", back, Some(2)) };
    let back = act(&registry, &back, minute(4)).await;
    assert_eq!(in_use(&registry).await, (3, 1, Some(back.clone())));
    assert_eq!(state(&registry, 1).await, (VersionState::Promoted, minute(4)));
    assert_eq!(state(&registry, 2).await, (VersionState::Retired, minute(4)));
    // It is kept as long as was said.
    let third = propose(&registry, "j3").await;
    let decision = recorded(decide(&registry, &promote(&third, Some(3)), minute(5)).await);
    assert_eq!(decision.barred_by, Some(back));
}

pub async fn an_act_that_is_refused_is_recorded_and_changes_nothing(registry: Opened, other: Opened) {
    one_in_use(&registry).await;
    let refusals = [
        ActRefusal::UnknownVersion { version: 9 },
        ActRefusal::Unusable { version: 2, problem: "it is \"torn\"\n".to_owned() },
        ActRefusal::NothingEarlier,
    ];
    let kinds =
        [ActKind::Force { version: 9 }, ActKind::Force { version: 2 }, ActKind::RollBack { version: None }];
    for (number, (kind, refusal)) in kinds.into_iter().zip(refusals).enumerate() {
        let message_id = format!("a{number}");
        let new = NewAct { refusal: Some(refusal.clone()), ..new_act(&message_id, kind, Some(1)) };
        let refused = act(&registry, &new, minute(3)).await;
        assert_eq!((refused.kind, refused.refusal.as_ref()), (kind, Some(&refusal)));
        assert_eq!(other.act_of_message(&message_id).await.expect("can be read"), Some(refused));
    }
    assert_eq!(in_use(&registry).await, (1, 1, None));
    let acts = registry.acts(&model("bike-demand")).await.expect("can be read");
    assert_eq!((acts.len(), InForce::at(minute(4), acts)), (3, InForce::default()));
}

pub async fn an_act_is_recorded_once(registry: Opened, other: Opened) {
    one_in_use(&registry).await;
    assert_eq!(registry.act_of_message("a1").await.expect("can be read"), None);
    let force = act(&registry, &new_act("a1", ActKind::Force { version: 2 }, Some(1)), minute(3)).await;
    for decided_on in [None, Some(1), Some(2)] {
        let again = new_act("a1", ActKind::Veto { version: 1 }, decided_on);
        let again = other.act(&again, minute(4)).await.expect("is known");
        assert_eq!(again, Acted::AlreadyRecorded(force.clone()), "decided on {decided_on:?}");
    }
    assert_eq!(other.act_of_message("a1").await.expect("can be read"), Some(force.clone()));
    assert_eq!(in_use(&other).await, (2, 2, Some(force)));
}

pub async fn who_acts_on_another_incumbent_changes_nothing(registry: Opened, _: Opened) {
    one_in_use(&registry).await;
    for kind in [ActKind::Force { version: 2 }, ActKind::Freeze] {
        for decided_on in [None, Some(2)] {
            let late = registry.act(&new_act("a1", kind, decided_on), minute(3)).await.expect("is answered");
            assert_eq!(late, Acted::LostRace);
        }
    }
    assert_eq!(registry.act_of_message("a1").await.expect("can be read"), None);
    assert_eq!(in_use(&registry).await, (1, 1, None));
    assert_eq!(state(&registry, 2).await, (VersionState::Pending, minute(1)));
}

pub async fn a_version_that_was_vetoed_meanwhile_is_not_put_into_use(registry: Opened, other: Opened) {
    one_in_use(&registry).await;
    let veto = NewAct { expires: Some(minute(9)), ..new_act("a1", ActKind::Veto { version: 2 }, Some(1)) };
    act(&other, &veto, minute(3)).await;
    let force = new_act("a2", ActKind::Force { version: 2 }, Some(1));
    assert_eq!(registry.act(&force, minute(8)).await.expect("is answered"), Acted::LostRace);
    assert_eq!(in_use(&registry).await, (1, 1, None));
    act(&registry, &force, minute(9)).await;
    let (generation, version, _) = in_use(&registry).await;
    assert_eq!((generation, version), (2, 2));
}

pub async fn an_act_needs_its_model_and_its_version(registry: Opened, _: Opened) {
    let refused = registry.act(&new_act("a1", ActKind::Freeze, None), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownModel(_))), "{refused:?}");
    prepare(&registry).await;
    let nobody = new_act("a1", ActKind::Force { version: 1 }, None);
    let refused = registry.act(&nobody, minute(1)).await.expect_err("there is no version");
    assert_eq!(refused.to_string(), "version 1 of bike-demand is not known");
    assert_eq!(registry.act_of_message("a1").await.expect("can be read"), None);
    propose(&registry, "j1").await;
    act(&registry, &nobody, minute(2)).await;
    let (generation, version, _) = in_use(&registry).await;
    assert_eq!((generation, version), (1, 1), "a first incumbent");
}

pub async fn a_version_whose_artifact_has_expired_is_not_put_into_use(registry: Opened, other: Opened) {
    one_in_use(&registry).await;
    registry.record_job(&job("j3"), minute(0)).await.expect("can be recorded");
    let own = Proposal { artifact: ArtifactName::of(b"another"), ..proposal("j3") };
    let third = registry.propose(&own, minute(1)).await.expect("can be proposed");
    recorded(decide(&registry, &refusal(&third, Some(1)), minute(3)).await);
    let expired = Expired { versions_before: minute(4), decisions_before: minute(0) };
    let gone = other.condemn_expired(&expired, 10, minute(5)).await.expect("can be condemned");
    assert_eq!(gone, [own.artifact]);
    let force = new_act("a1", ActKind::Force { version: 3 }, Some(1));
    assert_eq!(registry.act(&force, minute(6)).await.expect("is answered"), Acted::ArtifactExpired);
    assert_eq!(registry.act_of_message("a1").await.expect("can be read"), None);
    assert_eq!(in_use(&registry).await, (1, 1, None));
    assert_eq!(state(&registry, 3).await, (VersionState::Refused, minute(3)));
}

pub async fn a_verdict_that_comes_after_its_version_was_forced_does_not_take_it_away(
    registry: Opened,
    _: Opened,
) {
    let [_, second] = one_in_use(&registry).await;
    let force = act(&registry, &new_act("a1", ActKind::Force { version: 2 }, Some(1)), minute(3)).await;
    let decision = recorded(decide(&registry, &refusal(&second, Some(2)), minute(4)).await);
    assert_eq!((decision.promoted, decision.barred_by), (None, None));
    assert_eq!(state(&registry, 2).await, (VersionState::Promoted, minute(3)));
    assert_eq!(in_use(&registry).await, (2, 2, Some(force)));
}

pub async fn a_verdict_that_comes_after_its_version_was_rolled_back_does_not_bring_it_back(
    registry: Opened,
    _: Opened,
) {
    let [_, second] = one_in_use(&registry).await;
    act(&registry, &new_act("a1", ActKind::Force { version: 2 }, Some(1)), minute(3)).await;
    let back = new_act("a2", ActKind::RollBack { version: Some(1) }, Some(2));
    let back = act(&registry, &back, minute(4)).await;
    let decision = recorded(decide(&registry, &promote(&second, Some(3)), minute(5)).await);
    assert_eq!((decision.promoted, decision.barred_by), (None, None));
    assert_eq!(state(&registry, 2).await, (VersionState::Retired, minute(4)));
    assert_eq!(in_use(&registry).await, (3, 1, Some(back)));
}

pub async fn acts_and_decisions_that_race_make_each_generation_once(one: Opened, other: Opened) {
    const TASKS: u32 = 8;
    prepare(&one).await;
    for task in 1..=TASKS {
        propose(&one, &format!("j{task}")).await;
    }
    let race = (1..=TASKS).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        async move {
            if task % 4 < 2 {
                force_at_last(&registry, task).await;
            } else {
                promote_at_last(&registry, task).await;
            }
        }
    });
    at_once(race).await;
    let history = one.incumbent_history(&model("bike-demand")).await.expect("can be read");
    let generations: Vec<_> = history.iter().map(|past| past.generation).collect();
    assert_eq!(generations, (1..=u64::from(TASKS)).collect::<Vec<_>>());
    assert_eq!(history.iter().filter(|past| past.act().is_some()).count(), TASKS as usize / 2);
    let versions = one.versions(&model("bike-demand")).await.expect("can be read");
    let in_use: Vec<_> = versions.iter().filter(|version| version.state == VersionState::Promoted).collect();
    assert_eq!(in_use.len(), 1);
    assert_eq!(Some(in_use[0].version), history.last().map(|last| last.version));
}

/// Forces a version on whatever is in use by then.
async fn force_at_last(registry: &Opened, version: u32) {
    loop {
        let incumbent = registry.incumbent(&model("bike-demand")).await.expect("can be read");
        let generation = incumbent.map(|incumbent| incumbent.generation);
        let force = new_act(&format!("a{version}"), ActKind::Force { version }, generation);
        match registry.act(&force, minute(2)).await.expect("is answered") {
            Acted::LostRace => {}
            Acted::Recorded(_) => return,
            other => panic!("{other:?}"),
        }
    }
}

/// Promotes a version against whatever is in use by then.
async fn promote_at_last(registry: &Opened, version: u32) {
    let candidate = registry.version(&model("bike-demand"), version).await.expect("can be read");
    let candidate = candidate.expect("was proposed");
    let mut against = None;
    while let Decided::LostRace { incumbent } =
        decide(registry, &promote(&candidate, against), minute(2)).await
    {
        against = incumbent.map(|incumbent| incumbent.generation);
    }
}
