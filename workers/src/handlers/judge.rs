//! `TrainResult → GateDecision`.

use std::sync::Arc;

use artifacts::{ArtifactStore, ArtifactStoreError, DecodedModels, LoadError};
use forecasting::{
    artifact::{ArtifactName, Bundle},
    gate::{Contest, Judged, Judgement, RecordedJob, Verdict, judge},
    names::ModelName,
    spec::{DatasetSpec, ModelSpec},
};
use history::{History, Range};
use protocol::messages::{GateDecision, TrainOutcome, TrainResult};
use registry::{Decided, Decision, Incumbent, Job, JobId, NewDecision, Registry, StoredObject, Version};
use runner::{CpuPool, HandleError, Handler, JobContext};
use tracing::{info, warn};

use super::{compute, convert, not_written, put_error, read_error, registry_error, rejected};
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
        let job = JobId::new(context.message_id.as_str()).map_err(rejected)?;
        if let Some(decision) = self.registry.decision_of_job(&job).await.map_err(registry_error)? {
            return self.announcement(decision).await;
        }
        let model = ModelName::new(message.model.as_str()).map_err(rejected)?;
        // Who loses the race for the decision judges again, against the new incumbent.
        loop {
            let incumbent = self.registry.incumbent(&model).await.map_err(registry_error)?;
            let (version, found) = match &message.outcome {
                TrainOutcome::NoCandidate { reason } => (None, Found::of(Judgement::no_candidate(reason))),
                TrainOutcome::Candidate { .. } => {
                    let version = self.version(&job, &model).await?;
                    let found = self.judgement(&version, incumbent.as_ref()).await?;
                    if found.judgement.verdict == Verdict::Promote {
                        self.warm(&version).await;
                    }
                    (Some(version.version), found)
                }
            };
            // The rows before the decision that names them: a crash in between leaves rows that nothing names.
            let scored_rows = self.store(found.rows).await?;
            let decision = NewDecision {
                job: job.clone(),
                model: model.clone(),
                version,
                judged_against: incumbent.map(|incumbent| incumbent.generation),
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

/// Both sides' specifications, as the candidate was trained by.
struct Case {
    job: Job,
    dataset: DatasetSpec,
    model: ModelSpec,
    candidate: Arc<Bundle>,
    incumbent: Option<Arc<Bundle>>,
}

impl JudgeHandler {
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
        version: &Version,
        incumbent: Option<&Incumbent>,
    ) -> Result<Found, HandleError> {
        // Load.
        let case = match self.case(version, incumbent).await {
            Ok(case) => case,
            Err(NoCase::Unusable(problem)) => return Ok(Found::of(Judgement::not_comparable(problem))),
            Err(NoCase::Fault(fault)) => return Err(fault),
        };
        let grid = case.dataset.grid();
        let range = Range { as_of: Some(case.job.as_of), ..Range::default() };
        let (dataset, declared) = (&case.dataset.name, &case.dataset.covariates);
        let frame = self.history.read(dataset, &grid, &range).await.map_err(read_error)?;
        let covariates =
            self.history.covariates(dataset, &grid, declared, &range).await.map_err(read_error)?;

        // Decide.
        let judged = compute(&self.cpu, move |stop| {
            let judged = judge(&Contest {
                model: &case.model,
                dataset: &case.dataset,
                candidate: &case.candidate,
                job: RecordedJob {
                    spec_hash: &case.job.spec_hash,
                    as_of: case.job.as_of,
                    cut_off: case.job.cut_off,
                },
                incumbent: case.incumbent.as_deref(),
                frame: &frame,
                covariates: &covariates,
                stop,
            });
            judged.map(|judged| Found::on_rows(&judged))
        });
        judged.await?.map_err(HandleError::transient)
    }

    async fn case(&self, version: &Version, incumbent: Option<&Incumbent>) -> Result<Case, NoCase> {
        let proposal = &version.proposal;
        let job = self.registry.job(&proposal.job).await.map_err(registry_error)?;
        let job = job.ok_or_else(|| rejected(format!("train job {} was not recorded", proposal.job)))?;
        let stored =
            self.registry.model_by_hash(&proposal.model, &job.spec_hash).await.map_err(registry_error)?;
        let model =
            stored.ok_or_else(|| rejected(format!("spec_hash {:?} was not applied", job.spec_hash)))?;
        let dataset = self.registry.dataset(&model.spec.dataset).await.map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {} was not applied", model.spec.dataset)))?;
        let incumbent = match incumbent {
            Some(incumbent) => Some(self.bundle("incumbent", &incumbent.artifact).await?),
            None => None,
        };
        Ok(Case {
            job,
            dataset: dataset.spec,
            model: model.spec,
            candidate: self.bundle("candidate", &proposal.artifact).await?,
            incumbent,
        })
    }

    async fn bundle(&self, side: &str, artifact: &ArtifactName) -> Result<Arc<Bundle>, NoCase> {
        self.models.get(artifact).await.map_err(|error| load_error(side, error))
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

impl From<HandleError> for NoCase {
    fn from(fault: HandleError) -> Self {
        Self::Fault(fault)
    }
}

/// A forecaster has no such map: it answers from what it has.
fn load_error(side: &str, error: LoadError) -> NoCase {
    match &error {
        LoadError::Store(ArtifactStoreError::Unavailable { .. }) => NoCase::Fault(HandleError::away(error)),
        LoadError::Store(
            ArtifactStoreError::Missing { .. }
            | ArtifactStoreError::Damaged { .. }
            | ArtifactStoreError::TooLarge { .. },
        )
        | LoadError::Unusable { .. } => {
            NoCase::Unusable(format!("the {side} cannot be loaded: {:#}", anyhow::Error::from(error)))
        }
    }
}
