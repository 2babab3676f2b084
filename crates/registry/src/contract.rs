//! What every [`Registry`] promises, as tests that any adapter runs: see
//! [`registry_contract!`](crate::registry_contract).
//!
//! Each test gets an empty registry that was opened twice, as by two processes (an adapter that cannot be
//! gives the same one twice). One long file: the whole contract can be read from top to bottom.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use std::{future::Future, sync::Arc};

use forecasting::{
    artifact::ArtifactName,
    evaluation::Errors,
    gate::{Evidence, Judgement, Objection, Shortage, Side, Verdict},
    names::{LearnerName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    Applied, Decided, Decision, Incumbent, Job, JobId, NewDecision, Proposal, Registry, RegistryError,
    Version, VersionState,
};

/// Makes a test of every promise. `$open` is an async function that returns one empty registry opened
/// twice, as two `Arc<dyn Registry>`, and something to keep until the test ends (its folder, its schema).
#[macro_export]
macro_rules! registry_contract {
    ($open:path) => {
        $crate::registry_contract!($open:
            a_specification_applied_again_changes_nothing
            a_changed_specification_is_a_new_version_and_an_old_one_may_come_back
            a_model_needs_its_dataset
            the_current_specifications_are_listed_by_name
            the_first_job_of_an_id_counts
            a_job_needs_its_model
            a_job_is_proposed_once
            versions_are_numbered_per_model
            a_proposal_must_agree_with_its_job
            the_first_promotion_makes_an_incumbent
            a_promotion_retires_the_incumbent_before
            a_refusal_is_kept_whole_and_changes_no_incumbent
            a_candidate_without_enough_evidence_stays_pending
            a_job_without_a_candidate_is_decided_too
            a_job_is_decided_once
            who_judged_against_another_incumbent_changes_nothing
            a_decision_needs_its_job
            a_decision_must_agree_with_its_job
            an_incumbent_never_came_before_the_one_before
            gatekeepers_that_race_promote_once_per_generation
            the_same_decision_in_a_race_is_carried_out_once
            jobs_and_proposals_in_a_race_are_recorded_once
            versions_in_a_race_get_numbers_of_their_own
            what_would_not_come_back_is_not_stored
            decisions_come_back_latest_first
            incumbents_are_listed_by_name
            a_tick_is_remembered
            instants_are_cut_to_microseconds
        );
    };
    ($open:path: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (first, second, _keep) = $open().await;
                $crate::contract::$promise(first, second).await;
            }
        )*
    };
}

type Opened = Arc<dyn Registry>;

pub async fn a_specification_applied_again_changes_nothing(registry: Opened, other: Opened) {
    let first = Applied {
        version: 1,
        changed: true,
    };
    let again = Applied {
        version: 1,
        changed: false,
    };
    assert_eq!(
        registry
            .apply_dataset(&bikes("PT1H"), minute(0))
            .await
            .expect("is new"),
        first
    );
    assert_eq!(
        other
            .apply_dataset(&bikes("PT1H"), minute(1))
            .await
            .expect("is known"),
        again
    );
    assert_eq!(
        registry
            .apply_model(&demand("bike-demand", 24), minute(2))
            .await
            .expect("is new"),
        first
    );
    assert_eq!(
        other
            .apply_model(&demand("bike-demand", 24), minute(3))
            .await
            .expect("is known"),
        again
    );
    let stored = other
        .model(&model("bike-demand"))
        .await
        .expect("can be read")
        .expect("was applied");
    assert_eq!(stored.spec, demand("bike-demand", 24));
    assert_eq!((stored.version, stored.applied_at), (1, minute(2)));
    assert_eq!(stored.hash, demand("bike-demand", 24).hash());
}

pub async fn a_changed_specification_is_a_new_version_and_an_old_one_may_come_back(r: Opened, _: Opened) {
    r.apply_dataset(&bikes("PT1H"), minute(0)).await.expect("is new");
    for (horizon, at) in [(24, 0), (48, 1), (24, 2)] {
        r.apply_model(&demand("bike-demand", horizon), minute(at))
            .await
            .expect("is another");
    }
    let name = model("bike-demand");
    let current = r.model(&name).await.expect("can be read").expect("was applied");
    assert_eq!((current.version, current.spec.horizon_steps), (3, 24));
    let hash = demand("bike-demand", 48).hash();
    let before = r
        .model_by_hash(&name, &hash)
        .await
        .expect("can be read")
        .expect("was applied");
    assert_eq!((before.version, before.spec.horizon_steps), (2, 48));
    let again = r.model_by_hash(&name, &current.hash).await.expect("can be read");
    assert_eq!(again, Some(current), "the latest of its hash");
    assert_eq!(r.model_by_hash(&name, "5bec").await.expect("can be read"), None);
    assert_eq!(
        r.model_by_hash(&model("other"), &hash)
            .await
            .expect("can be read"),
        None
    );
    let changed = r
        .apply_dataset(&bikes("PT30M"), minute(3))
        .await
        .expect("is another");
    assert_eq!(
        changed,
        Applied {
            version: 2,
            changed: true
        }
    );
    let dataset = r
        .dataset(&bikes("PT1H").name)
        .await
        .expect("can be read")
        .expect("was applied");
    assert_eq!(dataset.spec, bikes("PT30M"));
}

pub async fn a_model_needs_its_dataset(registry: Opened, _: Opened) {
    let refused = registry.apply_model(&demand("bike-demand", 24), minute(0)).await;
    assert!(
        matches!(refused, Err(RegistryError::UnknownDataset(_))),
        "{refused:?}"
    );
    assert_eq!(
        registry.model(&model("bike-demand")).await.expect("can be read"),
        None
    );
}

pub async fn the_current_specifications_are_listed_by_name(registry: Opened, _: Opened) {
    assert!(registry.datasets().await.expect("can be read").is_empty());
    assert!(registry.models().await.expect("can be read").is_empty());
    for frequency in ["PT1H", "PT30M"] {
        registry
            .apply_dataset(&bikes(frequency), minute(0))
            .await
            .expect("is new");
    }
    for (name, horizon) in [("zoo", 1), ("ant", 2), ("zoo", 3)] {
        registry
            .apply_model(&demand(name, horizon), minute(0))
            .await
            .expect("is new");
    }
    let models = registry
        .models()
        .await
        .expect("can be read")
        .into_iter()
        .map(|stored| stored.spec);
    assert_eq!(models.collect::<Vec<_>>(), [demand("ant", 2), demand("zoo", 3)]);
    let datasets = registry
        .datasets()
        .await
        .expect("can be read")
        .into_iter()
        .map(|stored| stored.spec);
    assert_eq!(datasets.collect::<Vec<_>>(), [bikes("PT30M")]);
}

pub async fn the_first_job_of_an_id_counts(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let first = registry.record_job(&job("j1"), minute(5)).await.expect("is new");
    assert_eq!(first, job("j1"));
    let later = Job {
        as_of: minute(9),
        cut_off: minute(8),
        learners: vec![],
        ..job("j1")
    };
    assert_eq!(
        other.record_job(&later, minute(9)).await.expect("is known"),
        first
    );
    assert_eq!(other.job(&first.id).await.expect("can be read"), Some(first));
    assert_eq!(other.job(&id("j2")).await.expect("can be read"), None);
}

pub async fn a_job_needs_its_model(registry: Opened, _: Opened) {
    let refused = registry.record_job(&job("j1"), minute(0)).await;
    assert!(
        matches!(refused, Err(RegistryError::UnknownModel(_))),
        "{refused:?}"
    );
    assert_eq!(registry.job(&id("j1")).await.expect("can be read"), None);
}

pub async fn a_job_is_proposed_once(registry: Opened, other: Opened) {
    prepare(&registry).await;
    assert_eq!(
        registry.version_of_job(&id("j1")).await.expect("can be read"),
        None
    );
    let made = propose(&registry, "j1").await;
    let expected = Version {
        version: 1,
        proposal: proposal("j1"),
        proposed_at: minute(1),
        state: VersionState::Pending,
        state_since: minute(1),
    };
    assert_eq!(made, expected);
    let another = Proposal {
        artifact: ArtifactName::of(b"another"),
        seed: 8,
        ..proposal("j1")
    };
    assert_eq!(
        other.propose(&another, minute(2)).await.expect("is known"),
        made,
        "the first one wins"
    );
    assert_eq!(
        other
            .version_of_job(&id("j1"))
            .await
            .expect("can be read")
            .as_ref(),
        Some(&made)
    );
    assert_eq!(
        other
            .version(&made.proposal.model, 1)
            .await
            .expect("can be read")
            .as_ref(),
        Some(&made)
    );
    assert_eq!(
        other.versions(&made.proposal.model).await.expect("can be read"),
        [made]
    );
}

pub async fn versions_are_numbered_per_model(registry: Opened, _: Opened) {
    prepare(&registry).await;
    registry
        .apply_model(&demand("other", 24), minute(0))
        .await
        .expect("is new");
    assert_eq!(propose(&registry, "j1").await.version, 1);
    assert_eq!(
        propose(&registry, "j2").await.version,
        2,
        "the same artifact may be fitted twice"
    );
    let foreign = Job {
        model: model("other"),
        ..job("j3")
    };
    registry.record_job(&foreign, minute(0)).await.expect("is new");
    let made = Proposal {
        model: model("other"),
        ..proposal("j3")
    };
    assert_eq!(
        registry.propose(&made, minute(0)).await.expect("is new").version,
        1
    );
    assert_eq!(
        registry
            .versions(&model("other"))
            .await
            .expect("can be read")
            .len(),
        1
    );
    assert_eq!(
        registry.version(&model("other"), 2).await.expect("can be read"),
        None
    );
}

pub async fn a_proposal_must_agree_with_its_job(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let refused = registry.propose(&proposal("j1"), minute(0)).await;
    assert!(
        matches!(refused, Err(RegistryError::UnknownJob(_))),
        "{refused:?}"
    );
    registry.record_job(&job("j1"), minute(0)).await.expect("is new");
    let foreign = Proposal {
        model: model("other"),
        ..proposal("j1")
    };
    let refused = registry
        .propose(&foreign, minute(0))
        .await
        .expect_err("is for another model");
    assert_eq!(
        refused.to_string(),
        "job j1 trains bike-demand, its proposal is for other"
    );
    assert_eq!(
        registry.version_of_job(&id("j1")).await.expect("can be read"),
        None
    );
}

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
        decision: decision.id,
    };
    assert_eq!(decision.promoted.as_ref(), Some(&incumbent));
    assert_eq!(decision.judgement, judgement(Verdict::Promote));
    assert_eq!((decision.decided_at, decision.judged_against), (minute(2), None));
    assert_eq!(
        other.incumbent(&name).await.expect("can be read").as_ref(),
        Some(&incumbent)
    );
    assert_eq!(
        other.incumbent_history(&name).await.expect("can be read"),
        [incumbent]
    );
    assert_eq!(
        other.decision_of_job(&id("j1")).await.expect("can be read"),
        Some(decision)
    );
    assert_eq!(state(&other, 1).await, (VersionState::Promoted, minute(2)));
}

pub async fn a_promotion_retires_the_incumbent_before(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    recorded(decide(&registry, &promote(&first, None), minute(2)).await);
    let decision = recorded(decide(&registry, &promote(&second, Some(1)), minute(3)).await);
    let incumbent = decision.promoted.expect("was promoted");
    assert_eq!(
        (
            incumbent.version,
            incumbent.generation,
            incumbent.previous_version
        ),
        (2, 2, Some(1))
    );
    assert_eq!(state(&registry, 1).await, (VersionState::Retired, minute(3)));
    assert_eq!(state(&registry, 2).await, (VersionState::Promoted, minute(3)));
    let name = model("bike-demand");
    assert_eq!(
        registry.incumbent(&name).await.expect("can be read").as_ref(),
        Some(&incumbent)
    );
    let history = registry.incumbent_history(&name).await.expect("can be read");
    let history = history
        .iter()
        .map(|past| (past.generation, past.version, past.since));
    assert_eq!(
        history.collect::<Vec<_>>(),
        [(1, 1, minute(2)), (2, 2, minute(3))]
    );
}

pub async fn a_refusal_is_kept_whole_and_changes_no_incumbent(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    recorded(decide(&registry, &promote(&first, None), minute(2)).await);
    let before = registry
        .incumbent(&model("bike-demand"))
        .await
        .expect("can be read");
    let objections = vec![
        Objection::AverageNotBetter {
            candidate: 0.1 + 0.2,
            opponent: 0.3,
            against: Side::Incumbent,
        },
        Objection::NotComparable {
            problem: "the candidate's 'worst' is \"no\" number\n".to_owned(),
        },
    ];
    let refusal = NewDecision {
        judgement: judgement(Verdict::KeepIncumbent(objections)),
        ..promote(&second, Some(1))
    };
    let decision = recorded(decide(&registry, &refusal, minute(3)).await);
    assert_eq!(
        (&decision.judgement, decision.promoted.as_ref()),
        (&refusal.judgement, None)
    );
    assert_eq!((decision.version, decision.judged_against), (Some(2), Some(1)));
    assert_eq!(
        other.decision_of_job(&id("j2")).await.expect("can be read"),
        Some(decision)
    );
    assert_eq!(state(&other, 2).await, (VersionState::Refused, minute(3)));
    assert_eq!(
        other.incumbent(&model("bike-demand")).await.expect("can be read"),
        before
    );
}

pub async fn a_candidate_without_enough_evidence_stays_pending(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let shortage = Shortage {
        origins: 3,
        needed_origins: 28,
        expected: Some(minute(9)),
    };
    let verdict = Verdict::NotEnoughEvidence(shortage);
    let waits = NewDecision {
        judgement: judgement(verdict),
        ..promote(&made, None)
    };
    let decision = recorded(decide(&registry, &waits, minute(2)).await);
    assert_eq!((&decision.judgement, decision.promoted), (&waits.judgement, None));
    assert_eq!(
        state(&registry, 1).await,
        (VersionState::Pending, minute(1)),
        "pending since its proposal"
    );
    assert_eq!(
        registry
            .incumbent(&model("bike-demand"))
            .await
            .expect("can be read"),
        None
    );
}

pub async fn a_job_without_a_candidate_is_decided_too(registry: Opened, _: Opened) {
    prepare(&registry).await;
    registry.record_job(&job("j1"), minute(0)).await.expect("is new");
    let nobody = NewDecision {
        job: id("j1"),
        model: model("bike-demand"),
        version: None,
        judged_against: None,
        judgement: Judgement::no_candidate("3 days of history, 28 are needed"),
    };
    let decision = recorded(decide(&registry, &nobody, minute(2)).await);
    assert_eq!((decision.version, &decision.judgement), (None, &nobody.judgement));
    assert_eq!(
        registry.decision_of_job(&id("j1")).await.expect("can be read"),
        Some(decision)
    );
}

pub async fn a_job_is_decided_once(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let decision = recorded(decide(&registry, &promote(&made, None), minute(2)).await);
    let verdict = Verdict::KeepIncumbent(vec![Objection::NotComparable {
        problem: "late".to_owned(),
    }]);
    for against in [None, Some(1), Some(7)] {
        let again = NewDecision {
            judgement: judgement(verdict.clone()),
            ..promote(&made, against)
        };
        let repeated = decide(&other, &again, minute(3)).await;
        assert_eq!(
            repeated,
            Decided::AlreadyDecided(decision.clone()),
            "against {against:?}"
        );
    }
    assert_eq!(state(&other, 1).await, (VersionState::Promoted, minute(2)));
    assert_eq!(
        other
            .incumbent_history(&model("bike-demand"))
            .await
            .expect("can be read")
            .len(),
        1
    );
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
        assert_eq!(
            lost,
            Decided::LostRace {
                incumbent: promoted.clone()
            }
        );
    }
    assert_eq!(
        registry.decision_of_job(&id("j2")).await.expect("can be read"),
        None
    );
    assert_eq!(state(&registry, 2).await, (VersionState::Pending, minute(1)));
    assert_eq!(
        registry
            .incumbent(&model("bike-demand"))
            .await
            .expect("can be read"),
        promoted
    );
}

pub async fn a_decision_must_agree_with_its_job(registry: Opened, _: Opened) {
    prepare(&registry).await;
    registry
        .apply_model(&demand("other", 24), minute(0))
        .await
        .expect("is new");
    let made = propose(&registry, "j1").await;
    propose(&registry, "j2").await;
    let good = promote(&made, None);
    let cases = [
        (
            NewDecision {
                version: Some(2),
                ..good.clone()
            },
            "job j1 did not make version 2 of bike-demand",
        ),
        (
            NewDecision {
                version: None,
                ..good.clone()
            },
            "job j1 is to promote, but names no version",
        ),
        (
            NewDecision {
                model: model("other"),
                ..good.clone()
            },
            "job j1 trains bike-demand, its decision is about other",
        ),
    ];
    for (bad, problem) in cases {
        let refused = registry
            .decide(&bad, minute(2))
            .await
            .expect_err("contradicts its job");
        assert_eq!(refused.to_string(), problem);
    }
    assert_eq!(
        registry.decision_of_job(&id("j1")).await.expect("can be read"),
        None
    );
    assert_eq!(
        registry
            .incumbent(&model("bike-demand"))
            .await
            .expect("can be read"),
        None
    );
}

pub async fn a_decision_needs_its_job(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    let orphan = NewDecision {
        job: id("j9"),
        ..promote(&made, None)
    };
    let refused = registry.decide(&orphan, minute(2)).await;
    assert!(
        matches!(refused, Err(RegistryError::UnknownJob(_))),
        "{refused:?}"
    );
}

pub async fn an_incumbent_never_came_before_the_one_before(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let (first, second) = (propose(&registry, "j1").await, propose(&registry, "j2").await);
    recorded(decide(&registry, &promote(&first, None), minute(9)).await);
    let set_back = recorded(decide(&registry, &promote(&second, Some(1)), minute(4)).await);
    assert_eq!(set_back.decided_at, minute(4));
    assert_eq!(set_back.promoted.expect("was promoted").since, minute(9));
}

pub async fn gatekeepers_that_race_promote_once_per_generation(one: Opened, other: Opened) {
    const TASKS: u64 = 8;
    prepare(&one).await;
    let race = (1..=TASKS).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        async move {
            let made = propose(&registry, &format!("j{task}")).await;
            let mut against = None;
            loop {
                match decide(&registry, &promote(&made, against), minute(2)).await {
                    Decided::LostRace { incumbent } => {
                        against = incumbent.map(|incumbent| incumbent.generation);
                    }
                    decided => break recorded(decided),
                }
            }
        }
    });
    let decisions = at_once(race).await;
    let history = one
        .incumbent_history(&model("bike-demand"))
        .await
        .expect("can be read");
    let generations: Vec<_> = history.iter().map(|past| past.generation).collect();
    assert_eq!(
        generations,
        (1..=TASKS).collect::<Vec<_>>(),
        "each generation was made once"
    );
    for incumbent in &history {
        let makers: Vec<_> = decisions
            .iter()
            .filter(|made| made.promoted.as_ref() == Some(incumbent))
            .collect();
        assert_eq!(makers.len(), 1, "by one decision");
        let before = incumbent
            .generation
            .checked_sub(1)
            .filter(|generation| *generation > 0);
        assert_eq!(
            makers[0].judged_against, before,
            "that was judged against the one before"
        );
    }
    let versions = one.versions(&model("bike-demand")).await.expect("can be read");
    let in_use: Vec<_> = versions
        .iter()
        .filter(|version| version.state == VersionState::Promoted)
        .collect();
    assert_eq!(in_use.len(), 1);
    assert_eq!(Some(in_use[0].version), history.last().map(|last| last.version));
}

pub async fn the_same_decision_in_a_race_is_carried_out_once(one: Opened, other: Opened) {
    prepare(&one).await;
    let made = propose(&one, "j1").await;
    let race = (0..8).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        let decision = promote(&made, None);
        async move { decide(&registry, &decision, minute(task)).await }
    });
    let all = at_once(race).await;
    let carried_out: Vec<_> = all
        .iter()
        .filter(|decided| matches!(decided, Decided::Recorded(_)))
        .collect();
    assert_eq!(carried_out.len(), 1);
    let decision = recorded(carried_out[0].clone());
    let same = |decided: &Decided| match decided {
        Decided::Recorded(this) | Decided::AlreadyDecided(this) => *this == decision,
        Decided::LostRace { .. } => false,
    };
    assert!(all.iter().all(same), "everyone is told the same decision");
    assert_eq!(
        one.incumbent_history(&model("bike-demand"))
            .await
            .expect("can be read")
            .len(),
        1
    );
}

pub async fn jobs_and_proposals_in_a_race_are_recorded_once(one: Opened, other: Opened) {
    prepare(&one).await;
    let race = (0..8).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        async move {
            let mine = Job {
                cut_off: minute(task),
                ..job("j1")
            };
            let recorded = registry
                .record_job(&mine, minute(task))
                .await
                .expect("can be recorded");
            let mine = Proposal {
                artifact: ArtifactName::of(&task.to_le_bytes()),
                ..proposal("j1")
            };
            (
                recorded,
                registry
                    .propose(&mine, minute(task))
                    .await
                    .expect("can be proposed"),
            )
        }
    });
    let all = at_once(race).await;
    assert!(all.iter().all(|same| *same == all[0]), "{all:?}");
    assert_eq!(
        one.versions(&model("bike-demand"))
            .await
            .expect("can be read")
            .len(),
        1
    );
}

pub async fn versions_in_a_race_get_numbers_of_their_own(one: Opened, other: Opened) {
    prepare(&one).await;
    let race = (0..8).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        async move { propose(&registry, &format!("j{task}")).await.version }
    });
    let mut numbers = at_once(race).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

pub async fn what_would_not_come_back_is_not_stored(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let made = propose(&registry, "j1").await;
    for number in [f64::NAN, f64::INFINITY] {
        let mut hopeless = promote(&made, None);
        hopeless.judgement.candidate = Some(Errors {
            average: number,
            ..errors()
        });
        let refused = registry.decide(&hopeless, minute(2)).await;
        assert!(
            matches!(refused, Err(RegistryError::NotStorable { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        registry.decision_of_job(&id("j1")).await.expect("can be read"),
        None
    );
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
        let found = registry
            .decisions(&model("bike-demand"), limit)
            .await
            .expect("can be read");
        found.into_iter().map(|decision| decision.job).collect::<Vec<_>>()
    };
    assert_eq!(jobs_of(10).await, jobs);
    assert_eq!(jobs_of(2).await, jobs[..2]);
    assert_eq!(
        registry
            .decisions(&model("other"), 10)
            .await
            .expect("can be read"),
        []
    );
}

pub async fn incumbents_are_listed_by_name(registry: Opened, _: Opened) {
    prepare(&registry).await;
    assert_eq!(registry.incumbents().await.expect("can be read"), []);
    let mut expected = Vec::new();
    for (name, number) in [("zoo", 1), ("ant", 2)] {
        registry
            .apply_model(&demand(name, 24), minute(0))
            .await
            .expect("is new");
        for (against, turn) in [(None, 0), (Some(1), 1)] {
            let job = Job {
                model: model(name),
                ..job(&format!("{name}-{turn}"))
            };
            registry.record_job(&job, minute(0)).await.expect("is new");
            let proposal = Proposal {
                model: model(name),
                job: job.id,
                ..proposal("any")
            };
            let made = registry.propose(&proposal, minute(number)).await.expect("is new");
            recorded(decide(&registry, &promote(&made, against), minute(5)).await);
        }
        expected.insert(0, (model(name), 2));
    }
    let found = registry.incumbents().await.expect("can be read").into_iter();
    let found: Vec<_> = found
        .map(|incumbent| (incumbent.model, incumbent.generation))
        .collect();
    assert_eq!(found, expected);
}

pub async fn a_tick_is_remembered(registry: Opened, other: Opened) {
    let name = model("bike-demand");
    let refused = registry.record_tick(&name, minute(0), minute(0)).await;
    assert!(
        matches!(refused, Err(RegistryError::UnknownModel(_))),
        "{refused:?}"
    );
    prepare(&registry).await;
    assert_eq!(registry.last_tick(&name).await.expect("can be read"), None);
    for tick in [3, 5, 5, 4] {
        registry
            .record_tick(&name, minute(tick), minute(9))
            .await
            .expect("can be recorded");
    }
    assert_eq!(
        other.last_tick(&name).await.expect("can be read"),
        Some(minute(5))
    );
}

pub async fn instants_are_cut_to_microseconds(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let fine = Job {
        as_of: minute(3) + SignedDuration::from_nanos(1999),
        cut_off: Timestamp::UNIX_EPOCH - SignedDuration::from_nanos(1),
        ..job("j1")
    };
    let cut = Job {
        as_of: minute(3) + SignedDuration::from_micros(1),
        cut_off: Timestamp::UNIX_EPOCH - SignedDuration::from_micros(1),
        ..job("j1")
    };
    assert_eq!(registry.record_job(&fine, minute(0)).await.expect("is new"), cut);
    assert_eq!(registry.job(&cut.id).await.expect("can be read"), Some(cut));
}

fn minute(n: i64) -> Timestamp {
    "2025-06-01T12:00:00Z"
        .parse::<Timestamp>()
        .expect("is a timestamp")
        + SignedDuration::from_mins(n)
}

fn model(name: &str) -> ModelName {
    ModelName::new(name).expect("is a name")
}

fn id(job: &str) -> JobId {
    JobId::new(job).expect("is an id")
}

fn bikes(frequency: &str) -> DatasetSpec {
    let spec = json!({ "name": "bikes", "frequency": frequency, "time_zone": "America/New_York" });
    serde_json::from_value(spec).expect("is a dataset")
}

fn demand(name: &str, horizon: u32) -> ModelSpec {
    let learners = json!([{ "learner": "seasonal-naive" }]);
    let spec = json!({ "name": name, "dataset": "bikes", "horizon": horizon, "learners": learners });
    serde_json::from_value(spec).expect("is a model")
}

/// Applies the model `bike-demand`.
async fn prepare(registry: &Opened) {
    registry
        .apply_dataset(&bikes("PT1H"), minute(0))
        .await
        .expect("is new");
    registry
        .apply_model(&demand("bike-demand", 24), minute(0))
        .await
        .expect("is new");
}

fn job(name: &str) -> Job {
    Job {
        id: id(name),
        model: model("bike-demand"),
        spec_hash: demand("bike-demand", 24).hash(),
        as_of: minute(0),
        cut_off: minute(-60),
        learners: vec![LearnerName::new("seasonal-naive").expect("is a name")],
        reason: "a test".to_owned(),
    }
}

fn proposal(job_name: &str) -> Proposal {
    let job = job(job_name);
    Proposal {
        job: job.id,
        model: job.model,
        learner: LearnerName::new("seasonal-naive").expect("is a name"),
        artifact: ArtifactName::of(b"a model"),
        size_bytes: 7,
        cut_off: job.cut_off,
        as_of: job.as_of,
        spec_hash: job.spec_hash,
        data_hash: "da7a".to_owned(),
        seed: u64::MAX,
        code_version: "0.1.0".to_owned(),
        competed: json!([{ "learner": "seasonal-naive", "average_error": 0.1 }]),
    }
}

/// Records the job and proposes what it fitted, a minute past.
async fn propose(registry: &Opened, job_name: &str) -> Version {
    registry
        .record_job(&job(job_name), minute(0))
        .await
        .expect("can be recorded");
    registry
        .propose(&proposal(job_name), minute(1))
        .await
        .expect("can be proposed")
}

fn errors() -> Errors {
    Errors {
        average: 0.1 + 0.2,
        worst_case: 7.0,
        mae: 12.5,
        wape: Some(0.25),
        rmse: 20.0,
        mase: 0.9,
        bias: None,
        p999: 80.0,
        max: 1e15,
    }
}

fn judgement(verdict: Verdict) -> Judgement {
    let evidence = Evidence {
        origins: 56,
        rows: 28_224,
        series: 21,
        first_origin: Some(minute(-90_000)),
        last_target: Some(minute(-60)),
        tail_points: 283,
        tail_share: 283.0 / 28_224.0,
        rows_hash: "7045".to_owned(),
        ..Evidence::default()
    };
    Judgement {
        verdict,
        candidate: Some(errors()),
        incumbent: Some(errors()),
        evidence,
    }
}

fn promote(candidate: &Version, judged_against: Option<u64>) -> NewDecision {
    NewDecision {
        job: candidate.proposal.job.clone(),
        model: candidate.proposal.model.clone(),
        version: Some(candidate.version),
        judged_against,
        judgement: judgement(Verdict::Promote),
    }
}

async fn decide(registry: &Opened, decision: &NewDecision, now: Timestamp) -> Decided {
    registry.decide(decision, now).await.expect("can be decided")
}

fn recorded(decided: Decided) -> Decision {
    match decided {
        Decided::Recorded(decision) => decision,
        other => panic!("was not recorded: {other:?}"),
    }
}

async fn state(registry: &Opened, version: u32) -> (VersionState, Timestamp) {
    let version = registry
        .version(&model("bike-demand"), version)
        .await
        .expect("can be read");
    let version = version.expect("was proposed");
    (version.state, version.state_since)
}

/// Runs all of them on threads of the runtime.
async fn at_once<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in running {
        results.push(task.await.expect("does not panic"));
    }
    results
}
