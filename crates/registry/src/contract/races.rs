//! Gatekeepers and trainers that do the same at once, through two openings of one registry.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use std::future::Future;

use forecasting::artifact::ArtifactName;

use super::samples::{Opened, decide, job, minute, model, prepare, promote, proposal, propose, recorded};
use crate::{Decided, Job, Proposal, VersionState};

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
    let history = one.incumbent_history(&model("bike-demand")).await.expect("can be read");
    let generations: Vec<_> = history.iter().map(|past| past.generation).collect();
    assert_eq!(generations, (1..=TASKS).collect::<Vec<_>>(), "each generation was made once");
    for incumbent in &history {
        let makers: Vec<_> =
            decisions.iter().filter(|made| made.promoted.as_ref() == Some(incumbent)).collect();
        assert_eq!(makers.len(), 1, "by one decision");
        let before = incumbent.generation.checked_sub(1).filter(|generation| *generation > 0);
        assert_eq!(makers[0].judged_against, before, "that was judged against the one before");
    }
    let versions = one.versions(&model("bike-demand")).await.expect("can be read");
    let in_use: Vec<_> = versions.iter().filter(|version| version.state == VersionState::Promoted).collect();
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
    let carried_out: Vec<_> = all.iter().filter(|decided| matches!(decided, Decided::Recorded(_))).collect();
    assert_eq!(carried_out.len(), 1);
    let decision = recorded(carried_out[0].clone());
    let same = |decided: &Decided| match decided {
        Decided::Recorded(this) | Decided::AlreadyDecided(this) => *this == decision,
        Decided::LostRace { .. } => false,
    };
    assert!(all.iter().all(same), "everyone is told the same decision");
    assert_eq!(one.incumbent_history(&model("bike-demand")).await.expect("can be read").len(), 1);
}

pub async fn jobs_and_proposals_in_a_race_are_recorded_once(one: Opened, other: Opened) {
    prepare(&one).await;
    let race = (0..8).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        async move {
            let mine = Job { cut_off: minute(task), ..job("j1") };
            let recorded = registry.record_job(&mine, minute(task)).await.expect("can be recorded");
            let mine = Proposal { artifact: ArtifactName::of(&task.to_le_bytes()), ..proposal("j1") };
            (recorded, registry.propose(&mine, minute(task)).await.expect("can be proposed"))
        }
    });
    let all = at_once(race).await;
    assert!(all.iter().all(|same| *same == all[0]), "{all:?}");
    assert_eq!(one.versions(&model("bike-demand")).await.expect("can be read").len(), 1);
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
