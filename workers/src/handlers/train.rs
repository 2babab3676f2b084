//! `TrainJob → TrainResult`.

use std::sync::Arc;

use artifacts::{ArtifactStore, ArtifactStoreError};
use forecasting::{
    artifact::Bundle,
    learning::{TrainError, Trained, TrainingRequest, train},
    names::{LearnerName, ModelName},
    series::Frame,
    spec::{DatasetSpec, LearnerSpec, ModelSpec},
};
use history::{History, Range};
use jiff::Timestamp;
use protocol::messages::{Competitor, TrainJob, TrainOutcome, TrainResult};
use registry::{Job, JobId, Proposal, Registry, Version};
use runner::{CpuPool, HandleError, Handler, JobContext};
use tracing::info;

use super::{compute, read_error, registry_error, rejected};
use crate::holdout;

/// Fits the candidate of a train job.
pub struct TrainHandler {
    /// Specifications, and where the candidate is proposed.
    pub registry: Arc<dyn Registry>,
    /// What the learners learn from.
    pub history: Arc<dyn History>,
    /// Where the fitted model goes.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// The threads that fit.
    pub cpu: CpuPool,
}

impl Handler for TrainHandler {
    type Message = TrainJob;
    type Reply = TrainResult;

    async fn handle(&self, message: TrainJob, context: &JobContext) -> Result<TrainResult, HandleError> {
        let id = JobId::new(context.message_id.as_str()).map_err(rejected)?;
        if let Some(version) = self.registry.version_of_job(&id).await.map_err(registry_error)? {
            return candidate(&version);
        }

        // Load.
        let task = self.task(&message).await?;
        let job = match self.plan(id, &message, &task, context.now).await? {
            Ok(job) => job,
            Err(reason) => return Ok(no_candidate(&task.model.name, reason)),
        };
        let frame = self.frame(&task, &job).await?;

        // Decide.
        let trained = match self.fit(&task, &job, frame, context).await? {
            Ok(trained) => trained,
            Err(reason) => return Ok(no_candidate(&task.model.name, reason)),
        };

        // Save: the artifact before the row that names it.
        let version = self.propose(&job, &trained, context.now).await?;
        let (model, number, learner) = (&job.model, version.version, &version.proposal.learner);
        info!(%model, version = number, %learner, "fitted version {number} of {model}");
        candidate(&version)
    }
}

/// What a job is about: the specifications that it names.
struct Task {
    dataset: DatasetSpec,
    model: ModelSpec,
    spec_hash: String,
    learners: Vec<LearnerSpec>,
}

impl TrainHandler {
    async fn task(&self, message: &TrainJob) -> Result<Task, HandleError> {
        let name = ModelName::new(message.model.as_str()).map_err(rejected)?;
        let stored = match &message.spec_hash {
            None => self.registry.model(&name).await,
            Some(hash) => self.registry.model_by_hash(&name, hash).await,
        };
        let hash = message
            .spec_hash
            .as_ref()
            .map(|hash| format!(" with spec_hash {hash:?}"))
            .unwrap_or_default();
        let unknown = || {
            rejected(format!(
                "model {:?}{hash}: no such specification was applied",
                message.model
            ))
        };
        let stored = stored.map_err(registry_error)?.ok_or_else(unknown)?;
        let learners = chosen_learners(&stored.spec, &message.learners)?;
        let dataset = self
            .registry
            .dataset(&stored.spec.dataset)
            .await
            .map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {:?} was not applied", stored.spec.dataset)))?;
        Ok(Task {
            dataset: dataset.spec,
            model: stored.spec,
            spec_hash: stored.hash,
            learners,
        })
    }

    /// The job as it was first recorded, so that a second delivery trains on the same rows; or why there
    /// cannot be a candidate.
    async fn plan(
        &self,
        id: JobId,
        message: &TrainJob,
        task: &Task,
        now: Timestamp,
    ) -> Result<Result<Job, String>, HandleError> {
        let planned = if let Some(given) = message.cut_off {
            Ok(given)
        } else {
            let sized = holdout::plan(&*self.history, &task.dataset, &task.model, message.as_of).await;
            sized.map_err(read_error)?.map(|plan| plan.cut_off)
        };
        let job = Job {
            id,
            model: task.model.name.clone(),
            spec_hash: task.spec_hash.clone(),
            as_of: message.as_of,
            // Where there is too little history nothing is held out, and nothing is trained either.
            cut_off: planned.as_ref().copied().unwrap_or(message.as_of),
            learners: task.learners.iter().map(|learner| learner.name.clone()).collect(),
            reason: message.reason.as_str().to_owned(),
        };
        let job = self
            .registry
            .record_job(&job, now)
            .await
            .map_err(registry_error)?;
        Ok(planned.map(|_cut_off| job))
    }

    /// The history up to the cut-off: what comes after it stays unseen.
    async fn frame(&self, task: &Task, job: &Job) -> Result<Frame, HandleError> {
        let grid = task.dataset.grid();
        let memory_days = task.model.train.memory_days;
        let range = Range {
            series: None,
            from: memory_days.map(|days| grid.start_of_day(job.cut_off, -i64::from(days))),
            until: Some(grid.advance(job.cut_off, 1)),
            as_of: Some(job.as_of),
        };
        self.history
            .read(&task.dataset.name, &grid, &range)
            .await
            .map_err(read_error)
    }

    async fn fit(
        &self,
        task: &Task,
        job: &Job,
        frame: Frame,
        context: &JobContext,
    ) -> Result<Result<Trained, String>, HandleError> {
        let (dataset, model) = (task.dataset.clone(), task.model.clone());
        let (spec_hash, learners) = (task.spec_hash.clone(), task.learners.clone());
        let (as_of, cut_off) = (job.as_of, job.cut_off);
        let fitted = compute(&self.cpu, &context.stop, move |stop| {
            train(&TrainingRequest {
                dataset: &dataset,
                model: &model,
                spec_hash: &spec_hash,
                frame: &frame,
                as_of,
                cut_off,
                learners: &learners,
                stop,
            })
        });
        match fitted.await? {
            Ok(trained) => Ok(Ok(trained)),
            Err(TrainError::NoCandidate { reason }) => Ok(Err(reason)),
            Err(TrainError::Stopped(stopped)) => Err(HandleError::transient(stopped)),
        }
    }

    async fn propose(&self, job: &Job, trained: &Trained, now: Timestamp) -> Result<Version, HandleError> {
        let bundle: &Bundle = &trained.bundle;
        let bytes = bundle.encode();
        let size_bytes = bytes.len() as u64;
        let artifact = self.artifacts.put(bytes.into()).await.map_err(put_error)?;
        let proposal = Proposal {
            job: job.id.clone(),
            model: job.model.clone(),
            learner: bundle.learner.clone(),
            artifact,
            size_bytes,
            cut_off: bundle.cut_off,
            as_of: bundle.as_of,
            spec_hash: bundle.spec_hash.clone(),
            data_hash: bundle.data_hash.clone(),
            seed: bundle.seed,
            code_version: bundle.code_version.clone(),
            competed: competed(&trained.competed)?,
        };
        self.registry
            .propose(&proposal, now)
            .await
            .map_err(registry_error)
    }
}

/// The learners that a job names, or all of the model's.
fn chosen_learners(model: &ModelSpec, names: &[String]) -> Result<Vec<LearnerSpec>, HandleError> {
    if names.is_empty() {
        return Ok(model.learners.clone());
    }
    let known: Vec<&str> = model
        .learners
        .iter()
        .map(|learner| learner.name.as_str())
        .collect();
    let find = |(at, name): (usize, &String)| {
        let learner = LearnerName::new(name.as_str())
            .ok()
            .and_then(|name| model.learner(&name).cloned());
        learner.ok_or_else(|| {
            let known = known.join(", ");
            rejected(format!(
                "learners[{at}] {name:?}: model {} has no such learner, but {known}",
                model.name
            ))
        })
    };
    names.iter().enumerate().map(find).collect()
}

/// Who competed, as it is kept beside the version for people to read.
fn competed(competed: &[forecasting::learning::Competitor]) -> Result<serde_json::Value, HandleError> {
    let convert = |competitor: &forecasting::learning::Competitor| Competitor {
        learner: competitor.learner.to_string(),
        average_error: competitor.average_error,
        worst_case_error: competitor.worst_case_error,
        rows: competitor.rows,
        series: competitor.series,
    };
    serde_json::to_value(competed.iter().map(convert).collect::<Vec<_>>()).map_err(HandleError::transient)
}

/// The reply about a version, the same however often its job is delivered.
fn candidate(version: &Version) -> Result<TrainResult, HandleError> {
    let outcome = TrainOutcome::Candidate {
        version: version.version,
        learner: version.proposal.learner.to_string(),
        competed: serde_json::from_value(version.proposal.competed.clone())
            .map_err(HandleError::transient)?,
    };
    Ok(TrainResult {
        model: version.proposal.model.to_string(),
        outcome,
    })
}

fn no_candidate(model: &ModelName, reason: String) -> TrainResult {
    info!(model = %model, "no candidate for {model}: {reason}");
    TrainResult {
        model: model.to_string(),
        outcome: TrainOutcome::NoCandidate { reason },
    }
}

fn put_error(error: ArtifactStoreError) -> HandleError {
    match error {
        ArtifactStoreError::Unavailable { .. } => HandleError::transient(error),
        ArtifactStoreError::Missing { .. }
        | ArtifactStoreError::Damaged { .. }
        | ArtifactStoreError::TooLarge { .. } => HandleError::rejected(error),
    }
}
