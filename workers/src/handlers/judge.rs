//! `TrainResult → GateDecision`.

use std::sync::Arc;

use artifacts::{ArtifactStoreError, DecodedModels, LoadError};
use forecasting::{
    artifact::{ArtifactName, Bundle},
    gate::{Hearing, Judgement, judge},
    names::ModelName,
    spec::{DatasetSpec, ModelSpec},
};
use history::{History, Range};
use protocol::messages::{GateDecision, TrainOutcome, TrainResult};
use registry::{Decided, Decision, Incumbent, JobId, NewDecision, Registry, Version};
use runner::{CpuPool, HandleError, Handler, JobContext};
use tracing::info;

use super::{compute, convert, read_error, registry_error, rejected};

/// Judges the candidate of a train result against the incumbent.
pub struct JudgeHandler {
    /// Versions and incumbents; where the decision is recorded.
    pub registry: Arc<dyn Registry>,
    /// What both sides are scored on.
    pub history: Arc<dyn History>,
    /// The stored artifacts of both sides, loaded the way a forecaster does.
    pub models: Arc<DecodedModels>,
    /// The threads that judge.
    pub cpu: CpuPool,
}

impl Handler for JudgeHandler {
    type Message = TrainResult;
    type Reply = GateDecision;

    async fn handle(&self, message: TrainResult, context: &JobContext) -> Result<GateDecision, HandleError> {
        let job = JobId::new(context.message_id.as_str()).map_err(rejected)?;
        if let Some(decision) = self
            .registry
            .decision_of_job(&job)
            .await
            .map_err(registry_error)?
        {
            return self.announcement(decision).await;
        }
        let model = ModelName::new(message.model.as_str()).map_err(rejected)?;
        // Who loses the race for the decision judges again, against the new incumbent.
        loop {
            let incumbent = self.registry.incumbent(&model).await.map_err(registry_error)?;
            let (version, judgement) = match &message.outcome {
                TrainOutcome::NoCandidate { reason } => (None, Judgement::no_candidate(reason)),
                TrainOutcome::Candidate { .. } => {
                    let version = self.version(&job, &model).await?;
                    let judgement = self.judgement(&version, incumbent.as_ref(), context).await?;
                    (Some(version.version), judgement)
                }
            };
            let decision = NewDecision {
                job: job.clone(),
                model: model.clone(),
                version,
                judged_against: incumbent.map(|incumbent| incumbent.generation),
                judgement,
            };
            match self
                .registry
                .decide(&decision, context.now)
                .await
                .map_err(registry_error)?
            {
                Decided::Recorded(decision) => {
                    let (verdict, job) = (decision.judgement.verdict.name(), &decision.job);
                    info!(model = %model, version, verdict, %job, "decided on {model}: {verdict}");
                    return self.announcement(decision).await;
                }
                Decided::AlreadyDecided(decision) => return self.announcement(decision).await,
                Decided::LostRace { .. } => {}
            }
        }
    }
}

/// Both sides' specifications, as the candidate was trained by.
struct Case {
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

    async fn judgement(
        &self,
        version: &Version,
        incumbent: Option<&Incumbent>,
        context: &JobContext,
    ) -> Result<Judgement, HandleError> {
        // Load.
        let case = self.case(version, incumbent).await?;
        let grid = case.dataset.grid();
        let range = Range {
            as_of: Some(version.proposal.as_of),
            ..Range::default()
        };
        let frame = self
            .history
            .read(&case.dataset.name, &grid, &range)
            .await
            .map_err(read_error)?;

        // Decide.
        let judged = compute(&self.cpu, &context.stop, move |stop| {
            judge(&Hearing {
                model: &case.model,
                dataset: &case.dataset,
                candidate: &case.candidate,
                incumbent: case.incumbent.as_deref(),
                frame: &frame,
                stop,
            })
        });
        judged.await?.map_err(HandleError::transient)
    }

    async fn case(&self, version: &Version, incumbent: Option<&Incumbent>) -> Result<Case, HandleError> {
        let proposal = &version.proposal;
        let stored = self
            .registry
            .model_by_hash(&proposal.model, &proposal.spec_hash)
            .await
            .map_err(registry_error)?;
        let model =
            stored.ok_or_else(|| rejected(format!("spec_hash {:?} was not applied", proposal.spec_hash)))?;
        let dataset = self
            .registry
            .dataset(&model.spec.dataset)
            .await
            .map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {} was not applied", model.spec.dataset)))?;
        let incumbent = match incumbent {
            Some(incumbent) => Some(self.bundle(&incumbent.artifact).await?),
            None => None,
        };
        Ok(Case {
            dataset: dataset.spec,
            model: model.spec,
            candidate: self.bundle(&proposal.artifact).await?,
            incumbent,
        })
    }

    async fn bundle(&self, artifact: &ArtifactName) -> Result<Arc<Bundle>, HandleError> {
        self.models.get(artifact).await.map_err(load_error)
    }

    /// The recorded decision as an event; the same every time it is asked for.
    async fn announcement(&self, decision: Decision) -> Result<GateDecision, HandleError> {
        let incumbents = self
            .registry
            .incumbent_history(&decision.model)
            .await
            .map_err(registry_error)?;
        Ok(convert::gate_decision(&decision, &incumbents))
    }
}

/// A forecaster has no such map: it answers from what it has.
fn load_error(error: LoadError) -> HandleError {
    match &error {
        LoadError::Store(ArtifactStoreError::Unavailable { .. }) => HandleError::transient(error),
        LoadError::Store(
            ArtifactStoreError::Missing { .. }
            | ArtifactStoreError::Damaged { .. }
            | ArtifactStoreError::TooLarge { .. },
        )
        | LoadError::Unusable { .. } => HandleError::rejected(error),
    }
}
