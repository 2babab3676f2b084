//! Gatekeepers and trainers that do the same at once, through two openings of one registry.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
};

use forecasting::{artifact::ArtifactName, gate::Verdict};
use jiff::{SignedDuration, Timestamp};

use super::objects::needed;
use super::samples::{
    Opened, decide, job, judgement, minute, model, prepare, promote, proposal, propose, recorded,
};
use crate::{
    DELETE_WITHIN, Decided, Expired, Job, NewDecision, Proposal, RegistryError, StoredObject, VersionState,
};

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

/// An artifact store, and a clock that goes on by a second whenever somebody looks at either.
#[derive(Default)]
struct Store {
    stored: BTreeSet<ArtifactName>,
    seconds: i64,
}

impl Store {
    fn now(&mut self) -> Timestamp {
        self.seconds += 1;
        minute(0) + SignedDuration::from_secs(self.seconds)
    }
}

type SharedStore = Arc<Mutex<Store>>;

fn opened(store: &SharedStore) -> MutexGuard<'_, Store> {
    store.lock().expect("nobody panics while holding it")
}

/// Trainers whose fits are often the same bytes as one that was refused long ago.
async fn train_and_lose(registry: Opened, store: SharedStore, name: String, artifact: ArtifactName) {
    registry.record_job(&job(&name), minute(0)).await.expect("can be recorded");
    let mine = Proposal { artifact, ..proposal(&name) };
    let made = loop {
        let began = opened(&store).now();
        tokio::task::yield_now().await;
        opened(&store).stored.insert(artifact);
        tokio::task::yield_now().await;
        match registry.propose(&mine, began).await {
            Ok(made) => break made,
            Err(RegistryError::Condemned { until, .. }) => {
                let mut store = opened(&store);
                let left = store.now().duration_until(until).as_secs();
                store.seconds += left.max(0); // the job comes back then
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert!(opened(&store).stored.contains(&artifact), "{name} is a candidate without an artifact");
    let refused = judgement(Verdict::KeepIncumbent(Vec::new()));
    let refused = NewDecision { judgement: refused, scored_rows: None, ..promote(&made, None) };
    let now = opened(&store).now();
    recorded(decide(&registry, &refused, now).await);
}

/// A cleaner for which everything has expired at once and nothing is too young.
async fn clean(registry: Opened, store: SharedStore) {
    for round in 0..20 {
        let condemned_at = opened(&store).now();
        let condemned = if round % 2 == 0 {
            let expired = Expired { versions_before: condemned_at, decisions_before: condemned_at };
            registry.condemn_expired(&expired, 2, condemned_at).await
        } else {
            let found: Vec<_> = opened(&store)
                .stored
                .iter()
                .map(|name| StoredObject { name: *name, size_bytes: 7 })
                .collect();
            registry.condemn_unknown(&found, condemned_at).await
        };
        for name in condemned.expect("can be condemned") {
            tokio::task::yield_now().await;
            let mut store = opened(&store);
            if condemned_at.duration_until(store.now())
                < SignedDuration::try_from(DELETE_WITHIN).expect("short")
            {
                store.stored.remove(&name);
            }
        }
    }
}

pub async fn cleaners_and_trainers_that_race_leave_nothing_without_its_object(one: Opened, other: Opened) {
    prepare(&one).await;
    let store = SharedStore::default();
    let names: Vec<_> = (0_u8..3).map(|fit| ArtifactName::of(&[fit])).collect();
    let trainers = (0..24).map(|task| {
        let registry = if task % 2 == 0 { one.clone() } else { other.clone() };
        let (store, name) = (store.clone(), format!("j{task}"));
        Box::pin(train_and_lose(registry, store, name, names[task % 3])) as Task
    });
    let cleaners = [&one, &other].map(|registry| Box::pin(clean(registry.clone(), store.clone())) as Task);
    at_once(trainers.chain(cleaners)).await;
    let needed = needed(&one).await;
    assert!(needed.is_subset(&opened(&store).stored), "{needed:?} are needed and gone");
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs all of them on threads of the runtime.
pub(super) async fn at_once<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in running {
        results.push(task.await.expect("does not panic"));
    }
    results
}
