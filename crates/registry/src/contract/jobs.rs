//! Jobs, the versions that they propose, and the ticks of schedules.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use forecasting::artifact::ArtifactName;
use jiff::{SignedDuration, Timestamp};

use super::samples::{Opened, demand, id, job, minute, model, prepare, proposal, propose};
use crate::{Job, Proposal, RegistryError, Version, VersionState};

pub async fn the_first_job_of_an_id_counts(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let first = registry.record_job(&job("j1"), minute(5)).await.expect("is new");
    assert_eq!(first, job("j1"));
    let later = Job { as_of: minute(9), cut_off: minute(8), learners: vec![], ..job("j1") };
    assert_eq!(other.record_job(&later, minute(9)).await.expect("is known"), first);
    assert_eq!(other.job(&first.id).await.expect("can be read"), Some(first));
    assert_eq!(other.job(&id("j2")).await.expect("can be read"), None);
}

pub async fn a_shift_is_kept_with_its_job(registry: Opened, other: Opened) {
    prepare(&registry).await;
    let declared = Job { shift: Some(minute(-600)), ..job("j1") };
    assert_eq!(registry.record_job(&declared, minute(5)).await.expect("is new"), declared);
    let another = Job { shift: Some(minute(-60)), ..job("j1") };
    assert_eq!(
        other.record_job(&another, minute(9)).await.expect("is known"),
        declared,
        "the first one counts"
    );
    assert_eq!(other.job(&declared.id).await.expect("can be read"), Some(declared));
}

pub async fn a_job_needs_its_model(registry: Opened, _: Opened) {
    let refused = registry.record_job(&job("j1"), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownModel(_))), "{refused:?}");
    assert_eq!(registry.job(&id("j1")).await.expect("can be read"), None);
}

pub async fn a_job_is_proposed_once(registry: Opened, other: Opened) {
    prepare(&registry).await;
    assert_eq!(registry.version_of_job(&id("j1")).await.expect("can be read"), None);
    let made = propose(&registry, "j1").await;
    let expected = Version {
        version: 1,
        proposal: proposal("j1"),
        proposed_at: minute(1),
        state: VersionState::Pending,
        state_since: minute(1),
    };
    assert_eq!(made, expected);
    let another = Proposal { artifact: ArtifactName::of(b"another"), seed: 8, ..proposal("j1") };
    assert_eq!(other.propose(&another, minute(2)).await.expect("is known"), made, "the first one wins");
    assert_eq!(other.version_of_job(&id("j1")).await.expect("can be read").as_ref(), Some(&made));
    assert_eq!(other.version(&made.proposal.model, 1).await.expect("can be read").as_ref(), Some(&made));
    assert_eq!(other.versions(&made.proposal.model).await.expect("can be read"), [made]);
}

pub async fn versions_are_numbered_per_model(registry: Opened, _: Opened) {
    prepare(&registry).await;
    registry.apply_model(&demand("other", 24), minute(0)).await.expect("is new");
    assert_eq!(propose(&registry, "j1").await.version, 1);
    assert_eq!(propose(&registry, "j2").await.version, 2, "the same artifact may be fitted twice");
    let foreign = Job { model: model("other"), ..job("j3") };
    registry.record_job(&foreign, minute(0)).await.expect("is new");
    let made = Proposal { model: model("other"), ..proposal("j3") };
    assert_eq!(registry.propose(&made, minute(0)).await.expect("is new").version, 1);
    assert_eq!(registry.versions(&model("other")).await.expect("can be read").len(), 1);
    assert_eq!(registry.version(&model("other"), 2).await.expect("can be read"), None);
}

pub async fn a_proposal_must_agree_with_its_job(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let refused = registry.propose(&proposal("j1"), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownJob(_))), "{refused:?}");
    registry.record_job(&job("j1"), minute(0)).await.expect("is new");
    let foreign = Proposal { model: model("other"), ..proposal("j1") };
    let refused = registry.propose(&foreign, minute(0)).await.expect_err("is for another model");
    assert_eq!(refused.to_string(), "job j1 trains bike-demand, its proposal is for other");
    assert_eq!(registry.version_of_job(&id("j1")).await.expect("can be read"), None);
}

pub async fn a_tick_is_remembered(registry: Opened, other: Opened) {
    let name = model("bike-demand");
    let refused = registry.record_tick(&name, minute(0), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownModel(_))), "{refused:?}");
    prepare(&registry).await;
    assert_eq!(registry.last_tick(&name).await.expect("can be read"), None);
    for tick in [3, 5, 5, 4] {
        registry.record_tick(&name, minute(tick), minute(9)).await.expect("can be recorded");
    }
    assert_eq!(other.last_tick(&name).await.expect("can be read"), Some(minute(5)));
}

pub async fn instants_are_cut_to_microseconds(registry: Opened, _: Opened) {
    prepare(&registry).await;
    let fine = Job {
        as_of: minute(3) + SignedDuration::from_nanos(1999),
        cut_off: Timestamp::UNIX_EPOCH - SignedDuration::from_nanos(1),
        shift: Some(minute(1) + SignedDuration::from_nanos(1)),
        ..job("j1")
    };
    let cut = Job {
        as_of: minute(3) + SignedDuration::from_micros(1),
        cut_off: Timestamp::UNIX_EPOCH - SignedDuration::from_micros(1),
        shift: Some(minute(1)),
        ..job("j1")
    };
    assert_eq!(registry.record_job(&fine, minute(0)).await.expect("is new"), cut);
    assert_eq!(registry.job(&cut.id).await.expect("can be read"), Some(cut));
}
