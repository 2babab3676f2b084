//! `TrainResult → GateDecision`.

mod measuring;

use std::sync::Arc;

use artifacts::{ArtifactStore, DecodedModels, LoadError};
use forecasting::{
    artifact::{ArtifactName, Bundle},
    gate::{Contest, Judged, Judgement, RecordedJob, Verdict, judge},
    names::ModelName,
    routing::AtHand,
    spec::{DatasetSpec, ModelSpec},
};
use history::{History, Range};
use jiff::Timestamp;
use protocol::messages::{GateDecision, TrainOutcome, TrainResult};
use registry::{Decided, Decision, Incumbent, Job, JobId, NewDecision, Registry, StoredObject, Version};
use runner::{CpuPool, HandleError, Handler, JobContext};
use tracing::{info, warn};

use super::{compute, convert, not_written, put_error, read_error, registry_error, rejected, unusable};
use crate::{metrics, scored_rows};

/// Judges the candidate of a train result against the incumbent.
pub struct JudgeHandler {
    /// Versions and incumbents; where the decision is recorded.
    pub registry: Arc<dyn Registry>,
    /// What both sides are scored on.
    pub history: Arc<dyn History>,
    /// The stored artifacts of both sides, loaded the way a forecaster does.
    pub models: Arc<DecodedModels>,
    /// Where the scored rows go.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// The threads that judge.
    pub cpu: CpuPool,
}

impl Handler for JudgeHandler {
    type Message = TrainResult;
    type Reply = GateDecision;

    async fn handle(&self, message: TrainResult, context: &JobContext) -> Result<GateDecision, HandleError> {
        let (id, number) = match &message.again {
            None => (context.message_id.as_str(), 1),
            Some(again) => (again.job.as_str(), again.look),
        };
        let id = JobId::new(id).map_err(rejected)?;
        let latest = self.registry.decision_of_job(&id).await.map_err(registry_error)?;
        if let Some(decision) = latest.filter(|decision| !decision.awaits(number)) {
            return self.announcement(decision).await;
        }
        let model = ModelName::new(message.model.as_str()).map_err(rejected)?;
        let look = self.look(&id, number, context.now).await?;
        // Who loses the race for the decision judges again, against the new incumbent.
        loop {
            let incumbent = self.registry.incumbent(&model).await.map_err(registry_error)?;
            let (version, found) = match &message.outcome {
                TrainOutcome::NoCandidate { reason } => (None, Found::of(Judgement::no_candidate(reason))),
                TrainOutcome::Candidate { .. } => {
                    let version = self.version(&id, &model).await?;
                    let found = self.judgement(&look, &version, incumbent.as_ref()).await?;
                    if found.judgement.verdict == Verdict::Promote {
                        self.warm(&version).await;
                    }
                    (Some(version.version), found)
                }
            };
            // The rows before the decision that names them: a crash in between leaves rows that nothing names.
            let scored_rows = self.store(found.rows).await?;
            let decision = NewDecision {
                job: id.clone(),
                model: model.clone(),
                version,
                judged_against: incumbent.map(|incumbent| incumbent.generation),
                look: number,
                as_of: look.as_of,
                judgement: found.judgement,
                scored_rows,
            };
            match self
                .registry
                .decide(&decision, context.now)
                .await
                .map_err(|e| not_written(e, context.now))?
            {
                Decided::Recorded(decision) => {
                    let (verdict, job) = (decision.judgement.verdict.name(), &decision.job);
                    metrics::decided(&model, verdict);
                    info!(model = %model, version, verdict, %job, "decided on {model}: {verdict}");
                    if let Some(act) = &decision.barred_by {
                        info!(model = %model, version, "the winner {job} is kept out of {model}: {act}");
                    }
                    return self.announcement(decision).await;
                }
                Decided::AlreadyDecided(decision) => return self.announcement(decision).await,
                Decided::LostRace { .. } => {}
            }
        }
    }
}

/// What the gate found, and the rows that it was found on as bytes to keep.
struct Found {
    judgement: Judgement,
    rows: Option<Vec<u8>>,
}

impl Found {
    /// A judgement that rests on no rows.
    fn of(judgement: Judgement) -> Self {
        Self { judgement, rows: None }
    }

    fn on_rows(judged: &Judged<'_>) -> Self {
        let judgement = judged.judgement.clone();
        if judgement.evidence.rows == 0 {
            return Self::of(judgement);
        }
        let rows = scored_rows::encode(judged.rows());
        if rows.is_none() {
            let rows = judgement.evidence.rows;
            warn!(rows, "the {rows} rows of a verdict are more than one artifact holds: they are not kept");
        }
        Self { judgement, rows }
    }
}

/// A look at the candidate of a job, and what it may see: that is not for the message to say.
struct Look {
    job: Job,
    /// A further look sees what was recorded since the job.
    as_of: Timestamp,
}

/// Both sides' specifications, as the candidate was trained by.
struct Case {
    dataset: DatasetSpec,
    model: ModelSpec,
    candidate: measuring::Loaded,
    incumbent: Option<Arc<Bundle>>,
}

impl JudgeHandler {
    async fn look(&self, id: &JobId, number: u32, now: Timestamp) -> Result<Look, HandleError> {
        let job = self.registry.job(id).await.map_err(registry_error)?;
        let job = job.ok_or_else(|| rejected(format!("train job {id} was not recorded")))?;
        if number == 1 {
            return Ok(Look { as_of: job.as_of, job });
        }
        info!(model = %job.model, job = %id, look = number, "look {number} at the candidate of {id}");
        // A clock that went back does not take away what the first look saw.
        Ok(Look { as_of: now.max(job.as_of), job })
    }

    async fn version(&self, job: &JobId, model: &ModelName) -> Result<Version, HandleError> {
        let version = self.registry.version_of_job(job).await.map_err(registry_error)?;
        let version =
            version.ok_or_else(|| rejected(format!("train job {job}: no version was proposed for it")))?;
        if version.proposal.model != *model {
            return Err(rejected(format!(
                "model {model}: train job {job} was for model {}",
                version.proposal.model
            )));
        }
        Ok(version)
    }

    /// Every forecaster is about to load it. One that has to wait for the store is slow, not wrong.
    async fn warm(&self, version: &Version) {
        let (model, number) = (&version.proposal.model, version.version);
        if let Err(fault) = self.models.warm(&version.proposal.artifact).await {
            let fault = anyhow::Error::from(fault);
            warn!(%model, version = number, "version {number} of {model} could not be brought into the cache: {fault:#}");
        }
    }

    async fn store(&self, rows: Option<Vec<u8>>) -> Result<Option<StoredObject>, HandleError> {
        let Some(rows) = rows else { return Ok(None) };
        let size_bytes = rows.len() as u64;
        let name = self.artifacts.put(rows.into()).await.map_err(put_error)?;
        Ok(Some(StoredObject { name, size_bytes }))
    }

    async fn judgement(
        &self,
        look: &Look,
        version: &Version,
        incumbent: Option<&Incumbent>,
    ) -> Result<Found, HandleError> {
        // Load.
        let case = match self.case(&look.job, version, incumbent).await {
            Ok(case) => case,
            Err(NoCase::Unusable(problem)) => return Ok(Found::of(Judgement::not_comparable(problem))),
            Err(NoCase::Fault(fault)) => return Err(fault),
        };
        let grid = case.dataset.grid();
        let range = Range { as_of: Some(look.as_of), ..Range::default() };
        let (dataset, declared) = (&case.dataset.name, &case.dataset.covariates);
        let frame = self.history.read(dataset, &grid, &range).await.map_err(read_error)?;
        let covariates =
            self.history.covariates(dataset, &grid, declared, &range).await.map_err(read_error)?;

        // Decide.
        let job = look.job.clone();
        let judged = compute(&self.cpu, move |stop| {
            let known = AtHand { history: &frame, covariates: Some(&covariates) };
            let measured = measuring::measure(&case.candidate, &case.model, &case.dataset, known, stop)?;
            let judged = judge(&Contest {
                model: &case.model,
                dataset: &case.dataset,
                candidate: &case.candidate.live.bundle,
                job: RecordedJob { spec_hash: &job.spec_hash, as_of: job.as_of, cut_off: job.cut_off },
                incumbent: case.incumbent.as_deref(),
                frame: &frame,
                covariates: &covariates,
                measured: Some(measured),
                stop,
            });
            judged.map(|judged| Found::on_rows(&judged))
        });
        judged.await?.map_err(HandleError::transient)
    }

    async fn case(
        &self,
        job: &Job,
        version: &Version,
        incumbent: Option<&Incumbent>,
    ) -> Result<Case, NoCase> {
        let proposal = &version.proposal;
        let stored =
            self.registry.model_by_hash(&proposal.model, &job.spec_hash).await.map_err(registry_error)?;
        let model =
            stored.ok_or_else(|| rejected(format!("spec_hash {:?} was not applied", job.spec_hash)))?;
        let dataset = self.registry.dataset(&model.spec.dataset).await.map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {} was not applied", model.spec.dataset)))?;
        let incumbent = match incumbent {
            Some(incumbent) => Some(self.incumbent(&incumbent.artifact).await?),
            None => None,
        };
        let candidate = measuring::load(&self.models, version).await;
        let candidate = candidate.map_err(|error| NoCase::of("candidate", error))?;
        Ok(Case { dataset: dataset.spec, model: model.spec, candidate, incumbent })
    }

    async fn incumbent(&self, artifact: &ArtifactName) -> Result<Arc<Bundle>, NoCase> {
        self.models.get(artifact).await.map_err(|error| NoCase::of("incumbent", error))
    }

    /// The recorded decision as an event; the same every time it is asked for.
    async fn announcement(&self, decision: Decision) -> Result<GateDecision, HandleError> {
        let incumbents = self.registry.incumbent_history(&decision.model).await.map_err(registry_error)?;
        Ok(convert::gate_decision(&decision, &incumbents))
    }
}

/// Why there is nothing to judge.
enum NoCase {
    /// Another attempt may find it gone, or it is a fault of the message.
    Fault(HandleError),
    /// A side cannot be loaded, now or later: what is in use stays, and the decision says why.
    Unusable(String),
}

impl NoCase {
    /// A side that was not loaded.
    fn of(side: &str, error: LoadError) -> Self {
        match unusable(error) {
            Ok(problem) => Self::Unusable(format!("the {side} cannot be loaded: {problem}")),
            Err(fault) => Self::Fault(fault),
        }
    }
}

impl From<HandleError> for NoCase {
    fn from(fault: HandleError) -> Self {
        Self::Fault(fault)
    }
}
