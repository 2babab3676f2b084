//! What the promises are tried on: one dataset, models, jobs, judgements, and minutes to do things in.

use std::sync::Arc;

use forecasting::{
    artifact::ArtifactName,
    evaluation::Errors,
    gate::{
        Bootstrap, Evidence, Grounds, Judgement, Looks, Measured, Promised, PromisedGain, Statistics,
        VERSION, Verdict,
    },
    intervals::Coverage,
    names::{LearnerName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    Decided, Decision, Job, JobId, NewDecision, Proposal, Registry, StoredObject, Version, VersionState,
};

/// An opening of the registry that a test is about.
pub(super) type Opened = Arc<dyn Registry>;

pub(super) fn minute(n: i64) -> Timestamp {
    "2025-06-01T12:00:00Z".parse::<Timestamp>().expect("is a timestamp") + SignedDuration::from_mins(n)
}

pub(super) fn model(name: &str) -> ModelName {
    ModelName::new(name).expect("is a name")
}

pub(super) fn id(job: &str) -> JobId {
    JobId::new(job).expect("is an id")
}

pub(super) fn bikes(frequency: &str) -> DatasetSpec {
    let spec = json!({ "name": "bikes", "frequency": frequency, "time_zone": "America/New_York" });
    serde_json::from_value(spec).expect("is a dataset")
}

pub(super) fn demand(name: &str, horizon: u32) -> ModelSpec {
    let learners = json!([{ "learner": "seasonal-naive" }]);
    let spec = json!({ "name": name, "dataset": "bikes", "horizon": horizon, "learners": learners });
    serde_json::from_value(spec).expect("is a model")
}

/// Applies the model `bike-demand`.
pub(super) async fn prepare(registry: &Opened) {
    registry.apply_dataset(&bikes("PT1H"), minute(0)).await.expect("is new");
    registry.apply_model(&demand("bike-demand", 24), minute(0)).await.expect("is new");
}

pub(super) fn job(name: &str) -> Job {
    Job {
        id: id(name),
        model: model("bike-demand"),
        spec_hash: demand("bike-demand", 24).hash(),
        as_of: minute(0),
        cut_off: minute(-60),
        learners: vec![LearnerName::new("seasonal-naive").expect("is a name")],
        reason: "a test".to_owned(),
        shift: None,
    }
}

pub(super) fn proposal(job_name: &str) -> Proposal {
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
pub(super) async fn propose(registry: &Opened, job_name: &str) -> Version {
    registry.record_job(&job(job_name), minute(0)).await.expect("can be recorded");
    registry.propose(&proposal(job_name), minute(1)).await.expect("can be proposed")
}

pub(super) fn errors() -> Errors {
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

const MEASURED: Measured = Measured {
    size_bytes: 1_234_567,
    load: SignedDuration::from_micros(40_123),
    answer: SignedDuration::from_nanos(15_000_001),
    series: 21,
};

pub(super) fn judgement(verdict: Verdict) -> Judgement {
    let evidence = Evidence {
        candidate_coverage: vec![Coverage { level: 80, held: 0.79 }],
        measured: Some(MEASURED),
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
    let bootstrap = Bootstrap {
        resamples: 2_000,
        seed: u64::MAX,
        alpha: 0.05,
        block_origins: 7,
        blocks: 8,
        stretch: 1.0 / 3.0,
    };
    let statistics = Statistics { bootstrap: Some(bootstrap), ..Statistics::default() };
    let grounds = Grounds {
        gate_version: VERSION,
        spec_hash: demand("bike-demand", 24).hash(),
        dataset_hash: bikes("PT1H").hash(),
        candidate: ArtifactName::of(b"a model"),
        incumbent: Some(ArtifactName::of(b"another")),
    };
    let gain = PromisedGain { measured: 0.1, shrunken: 0.1 / 3.0, standard_error: 1e-17 };
    Judgement {
        verdict,
        candidate: Some(errors()),
        incumbent: Some(errors()),
        evidence,
        statistics,
        grounds: Some(grounds),
        looks: Looks {
            at_candidate: 1,
            bets_at_candidate: 3,
            at_these_rows: 2,
            expected_by_luck: 0.1 + 0.2,
            left: 17,
        },
        promised: Some(Promised { average: gain, worst_case: gain }),
    }
}

/// Scored rows of a job, as if they were stored.
pub(super) fn rows_of(job: &JobId) -> StoredObject {
    StoredObject { name: ArtifactName::of(job.as_str().as_bytes()), size_bytes: 70_000 }
}

pub(super) fn promote(candidate: &Version, judged_against: Option<u64>) -> NewDecision {
    NewDecision {
        job: candidate.proposal.job.clone(),
        model: candidate.proposal.model.clone(),
        version: Some(candidate.version),
        judged_against,
        look: 1,
        as_of: candidate.proposal.as_of,
        judgement: judgement(Verdict::Promote),
        scored_rows: Some(rows_of(&candidate.proposal.job)),
    }
}

pub(super) async fn decide(registry: &Opened, decision: &NewDecision, now: Timestamp) -> Decided {
    registry.decide(decision, now).await.expect("can be decided")
}

pub(super) fn recorded(decided: Decided) -> Decision {
    match decided {
        Decided::Recorded(decision) => decision,
        other => panic!("was not recorded: {other:?}"),
    }
}

pub(super) async fn state(registry: &Opened, version: u32) -> (VersionState, Timestamp) {
    let version = registry.version(&model("bike-demand"), version).await.expect("can be read");
    let version = version.expect("was proposed");
    (version.state, version.state_since)
}
