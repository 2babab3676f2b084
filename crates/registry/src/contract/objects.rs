//! What lies in the artifact store, and when it may go.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use std::collections::BTreeSet;

use forecasting::{
    artifact::ArtifactName,
    gate::{Objection, Shortage, Verdict},
};
use jiff::{SignedDuration, Timestamp};

use super::samples::{
    Opened, decide, id, job, judgement, minute, prepare, promote, proposal, recorded, rows_of,
};
use crate::{CONDEMNED_FOR, Expired, NewDecision, Proposal, RegistryError, StoredObject, Version};

/// Everything from before this minute, of versions and of decisions.
fn before(versions: i64, decisions: i64) -> Expired {
    Expired { versions_before: minute(versions), decisions_before: minute(decisions) }
}

fn artifact_of(job: &str) -> StoredObject {
    StoredObject { name: ArtifactName::of(format!("artifact of {job}").as_bytes()), size_bytes: 7 }
}

/// A candidate with an artifact of its own.
async fn propose_own(registry: &Opened, name: &str) -> Version {
    registry.record_job(&job(name), minute(0)).await.expect("can be recorded");
    let own = Proposal { artifact: artifact_of(name).name, ..proposal(name) };
    registry.propose(&own, minute(1)).await.expect("can be proposed")
}

fn refusal(candidate: &Version, against: Option<u64>) -> NewDecision {
    let worse = Verdict::KeepIncumbent(vec![Objection::NotComparable { problem: "worse".to_owned() }]);
    NewDecision { judgement: judgement(worse), ..promote(candidate, against) }
}

async fn condemned(registry: &Opened, expired: &Expired, now: Timestamp) -> BTreeSet<ArtifactName> {
    let names = registry.condemn_expired(expired, 100, now).await.expect("can be condemned");
    names.into_iter().collect()
}

/// What has to be in the store.
pub(super) async fn needed(registry: &Opened) -> BTreeSet<ArtifactName> {
    let mut all = BTreeSet::new();
    for first_byte in 0..=u8::MAX {
        let some = registry.objects(first_byte).await.expect("can be read");
        assert!(some.keys().all(|name| name.to_string().starts_with(&format!("{first_byte:02x}"))));
        all.extend(some.into_iter().filter(|(_, condemned)| condemned.is_none()).map(|(name, _)| name));
    }
    all
}

/// Version 1 retired at minute 3, 2 in use, 3 refused at minute 4, 4 pending.
async fn one_of_each_state(registry: &Opened) {
    prepare(registry).await;
    let mut made = Vec::new();
    for job in ["retired", "in-use", "refused", "pending"] {
        made.push(propose_own(registry, job).await);
    }
    recorded(decide(registry, &promote(&made[0], None), minute(2)).await);
    recorded(decide(registry, &promote(&made[1], Some(1)), minute(3)).await);
    recorded(decide(registry, &refusal(&made[2], Some(2)), minute(4)).await);
    let shortage = Shortage { origins: 3, needed_origins: 28, expected: None, unsure: Vec::new() };
    let waits = judgement(Verdict::NotEnoughEvidence(shortage));
    let waits = NewDecision { judgement: waits, ..promote(&made[3], Some(2)) };
    recorded(decide(registry, &waits, minute(5)).await);
}

pub async fn only_refused_and_retired_versions_lose_their_artifacts_and_only_after_their_period(
    registry: Opened,
    other: Opened,
) {
    one_of_each_state(&registry).await;
    assert_eq!(condemned(&registry, &before(3, 0), minute(90)).await, BTreeSet::new());
    let retired = BTreeSet::from([artifact_of("retired").name]);
    assert_eq!(condemned(&registry, &before(4, 0), minute(90)).await, retired);
    let refused = BTreeSet::from([artifact_of("refused").name]);
    assert_eq!(condemned(&registry, &before(90, 0), minute(90)).await, refused);
    assert_eq!(condemned(&registry, &before(90, 0), minute(90)).await, BTreeSet::new(), "each once");
    let kept: BTreeSet<_> = ["in-use", "pending"].map(|job| artifact_of(job).name).into();
    let rows: BTreeSet<_> =
        ["retired", "in-use", "refused", "pending"].map(|job| rows_of(&id(job)).name).into();
    assert_eq!(needed(&other).await, &kept | &rows);
    let name = artifact_of("refused").name;
    let digits = name.to_string();
    let first_byte = u8::from_str_radix(&digits[..2], 16).expect("are hex digits");
    let objects = other.objects(first_byte).await.expect("can be read");
    assert_eq!(objects.get(&name), Some(&Some(minute(90))), "condemned, and known");
}

pub async fn scored_rows_go_after_their_period_and_decisions_stay(registry: Opened, other: Opened) {
    one_of_each_state(&registry).await;
    let first: BTreeSet<_> = ["retired", "in-use"].map(|job| rows_of(&id(job)).name).into();
    assert_eq!(condemned(&registry, &before(0, 4), minute(90)).await, first);
    let decision = other.decision_of_job(&id("retired")).await.expect("can be read").expect("stays");
    assert_eq!(decision.scored_rows, Some(rows_of(&id("retired"))), "and still says what it was found on");
    assert_eq!(condemned(&registry, &before(0, 90), minute(90)).await.len(), 2);
}

pub async fn an_object_goes_once_nothing_needs_it(registry: Opened, _: Opened) {
    prepare(&registry).await;
    // Two jobs fitted the same bytes; one of them is in use.
    let shared = |job: &str| Proposal { artifact: artifact_of("both").name, ..proposal(job) };
    let mut made = Vec::new();
    for name in ["j1", "j2", "j3"] {
        registry.record_job(&job(name), minute(0)).await.expect("can be recorded");
        made.push(registry.propose(&shared(name), minute(1)).await.expect("can be proposed"));
    }
    recorded(decide(&registry, &refusal(&made[0], None), minute(2)).await);
    recorded(decide(&registry, &promote(&made[1], None), minute(3)).await);
    assert_eq!(
        condemned(&registry, &before(90, 0), minute(90)).await,
        BTreeSet::new(),
        "in use, and pending"
    );
    let own = propose_own(&registry, "j4").await;
    recorded(decide(&registry, &promote(&own, Some(1)), minute(4)).await);
    assert_eq!(condemned(&registry, &before(90, 0), minute(90)).await, BTreeSet::new(), "pending");
    recorded(decide(&registry, &refusal(&made[2], Some(2)), minute(5)).await);
    assert_eq!(condemned(&registry, &before(5, 0), minute(90)).await, BTreeSet::new(), "refused just now");
    let both = BTreeSet::from([artifact_of("both").name]);
    assert_eq!(condemned(&registry, &before(6, 0), minute(90)).await, both);
}

pub async fn at_most_so_many_are_condemned_at_once(registry: Opened, _: Opened) {
    one_of_each_state(&registry).await;
    let mut rounds = Vec::new();
    loop {
        let some = registry.condemn_expired(&before(90, 90), 4, minute(90)).await.expect("can be condemned");
        rounds.push(some.len());
        if some.is_empty() {
            break;
        }
    }
    assert_eq!(rounds, [4, 2, 0]);
}

pub async fn what_was_condemned_is_not_taken_on_a_word_given_before(registry: Opened, other: Opened) {
    one_of_each_state(&registry).await;
    let condemned_at = minute(90);
    condemned(&registry, &before(90, 90), condemned_at).await;
    let until = condemned_at + SignedDuration::try_from(CONDEMNED_FOR).expect("is short");
    other.record_job(&job("j5"), minute(0)).await.expect("can be recorded");
    let again = Proposal { artifact: artifact_of("refused").name, ..proposal("j5") };
    for began in [minute(0), condemned_at, until - SignedDuration::from_micros(1)] {
        let refused = other.propose(&again, began).await;
        let named = matches!(&refused, Err(RegistryError::Condemned { name, until: told })
            if *name == again.artifact && *told == until);
        assert!(named, "{refused:?}");
    }
    assert_eq!(other.version_of_job(&id("j5")).await.expect("can be read"), None);
    let made = other.propose(&again, until).await.expect("was stored after it could be deleted");
    // The same for the rows of a decision; a refusal changes nothing of it.
    let same_rows = NewDecision { scored_rows: Some(rows_of(&id("refused"))), ..promote(&made, Some(2)) };
    let refused = other.decide(&same_rows, minute(91)).await;
    assert!(matches!(refused, Err(RegistryError::Condemned { .. })), "{refused:?}");
    assert_eq!(other.decision_of_job(&id("j5")).await.expect("can be read"), None);
    recorded(decide(&other, &same_rows, until).await);
    // Both are needed from then on.
    let needed = needed(&registry).await;
    assert!(needed.contains(&again.artifact) && needed.contains(&rows_of(&id("refused")).name));
    assert_eq!(condemned(&registry, &before(90, 90), minute(200)).await, BTreeSet::new());
}

pub async fn what_nothing_refers_to_is_condemned_and_nothing_else(registry: Opened, other: Opened) {
    one_of_each_state(&registry).await;
    let orphan = artifact_of("a crash");
    let found = [artifact_of("in-use"), orphan, rows_of(&id("pending"))];
    for _again in 0..2 {
        // A cleaner that was killed before it deleted the object finds it again.
        let gone = registry.condemn_unknown(&found, minute(90)).await.expect("can be condemned");
        assert_eq!(gone, [orphan.name]);
    }
    other.record_job(&job("j5"), minute(0)).await.expect("can be recorded");
    let late = Proposal { artifact: orphan.name, ..proposal("j5") };
    let refused = other.propose(&late, minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::Condemned { .. })), "held up for a day: {refused:?}");
    other.propose(&late, minute(120)).await.expect("was stored again");
    let gone = registry.condemn_unknown(&found, minute(200)).await.expect("can be condemned");
    assert_eq!(gone, []);
}
