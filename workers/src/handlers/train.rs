//! `TrainJob → TrainResult`.

use std::{sync::Arc, time::Duration};

use artifacts::ArtifactStore;
use forecasting::{
    learning::{TrainError, Trained, TrainingRequest, train},
    names::{LearnerName, ModelName},
    series::{Covariates, Frame},
    spec::{DatasetSpec, LearnerSpec, ModelSpec},
};
use history::{History, Range};
use jiff::Timestamp;
use protocol::messages::{Competitor, LeftOut, TrainJob, TrainOutcome, TrainResult};
use registry::{Job, JobId, Proposal, Registry, Version};
use runner::{CpuPool, HandleError, Handler, JobContext};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{compute, not_written, put_error, read_error, registry_error, rejected};
use crate::holdout;

/// How far ahead a publisher's clock may be.
const FAST_CLOCK: Duration = Duration::from_mins(5);

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
        if let Some(decided) = self.registry.decision_of_job(&id).await.map_err(registry_error)? {
            return Ok(no_candidate(&decided.model, decided.judgement.reasons().join("; ")));
        }

        // Load.
        let recorded = self.registry.job(&id).await.map_err(registry_error)?;
        let task = self.task(&message, recorded.as_ref()).await?;
        let job = match self.plan(id, &message, &task, context.now).await? {
            Ok(job) => job,
            Err(reason) => return Ok(no_candidate(&task.model.name, reason)),
        };
        let past = self.past(&task, &job).await?;

        // Decide.
        let fitted = match self.fit(&task, &job, past).await? {
            Ok(fitted) => fitted,
            Err(reason) => return Ok(no_candidate(&task.model.name, reason)),
        };

        // Save: the artifact before the row that names it.
        let version = self.propose(&job, fitted, context.now).await?;
        let (model, number, learner) = (&job.model, version.version, &version.proposal.learner);
        info!(%model, version = number, %learner, "fitted version {number} of {model}");
        candidate(&version)
    }
}

/// What came of a training, with the bytes to store.
struct Fitted {
    trained: Trained,
    artifact: Vec<u8>,
}

/// What a job may learn from.
struct Past {
    frame: Frame,
    covariates: Covariates,
}

/// What a job is about: the specifications that it names.
struct Task {
    dataset: DatasetSpec,
    model: ModelSpec,
    spec_hash: String,
    learners: Vec<LearnerSpec>,
}

impl TrainHandler {
    /// What the message names; where the job was recorded before, the specification that it named then.
    async fn task(&self, message: &TrainJob, recorded: Option<&Job>) -> Result<Task, HandleError> {
        let name = ModelName::new(message.model.as_str()).map_err(rejected)?;
        let hash = recorded.map(|job| &job.spec_hash).or(message.spec_hash.as_ref());
        let stored = match hash {
            None => self.registry.model(&name).await,
            Some(hash) => self.registry.model_by_hash(&name, hash).await,
        };
        let hash = hash.map(|hash| format!(" with spec_hash {hash:?}")).unwrap_or_default();
        let unknown =
            || rejected(format!("model {:?}{hash}: no such specification was applied", message.model));
        let stored = stored.map_err(registry_error)?.ok_or_else(unknown)?;
        let learners = chosen_learners(&stored.spec, &message.learners)?;
        let dataset = self.registry.dataset(&stored.spec.dataset).await.map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {:?} was not applied", stored.spec.dataset)))?;
        Ok(Task { dataset: dataset.spec, model: stored.spec, spec_hash: stored.hash, learners })
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
        wait_for(message.as_of, now)?;
        check_shift(message)?;
        let (history, as_of, shift) = (&*self.history, message.as_of, message.shift);
        let planned = if let Some(given) = message.cut_off {
            let checked = holdout::check(history, &task.dataset, as_of, shift).await;
            checked.map_err(read_error)?.map(|()| given)
        } else {
            let sized = holdout::plan(history, &task.dataset, &task.model, as_of, shift).await;
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
            reason: message.why().to_owned(),
            shift: message.shift,
        };
        let job = self.registry.record_job(&job, now).await.map_err(registry_error)?;
        Ok(planned.map(|_cut_off| job))
    }

    /// The history up to the cut-off: what comes after it stays unseen.
    async fn past(&self, task: &Task, job: &Job) -> Result<Past, HandleError> {
        let (dataset, grid) = (&task.dataset, task.dataset.grid());
        let memory_days = task.model.train.memory_days;
        let range = Range {
            series: None,
            from: memory_days.map(|days| grid.start_of_day(job.cut_off, -i64::from(days))),
            until: Some(grid.advance(job.cut_off, 1)),
            as_of: Some(job.as_of),
        };
        let frame = self.history.read(&dataset.name, &grid, &range).await.map_err(read_error)?;
        let covariates = self.history.covariates(&dataset.name, &grid, &dataset.covariates, &range).await;
        Ok(Past { frame, covariates: covariates.map_err(read_error)? })
    }

    async fn fit(&self, task: &Task, job: &Job, past: Past) -> Result<Result<Fitted, String>, HandleError> {
        let (dataset, model) = (task.dataset.clone(), task.model.clone());
        let (spec_hash, learners) = (task.spec_hash.clone(), task.learners.clone());
        let (as_of, cut_off) = (job.as_of, job.cut_off);
        let fitted = compute(&self.cpu, move |stop| {
            let trained = train(&TrainingRequest {
                dataset: &dataset,
                model: &model,
                spec_hash: &spec_hash,
                frame: &past.frame,
                covariates: &past.covariates,
                as_of,
                cut_off,
                learners: &learners,
                stop,
            })?;
            let artifact = trained.bundle.encode();
            Ok(Fitted { trained, artifact })
        });
        match fitted.await? {
            Ok(fitted) => Ok(Ok(fitted)),
            Err(TrainError::NoCandidate { reason }) => Ok(Err(reason)),
            Err(TrainError::Stopped(stopped)) => Err(HandleError::transient(stopped)),
        }
    }

    async fn propose(&self, job: &Job, fitted: Fitted, now: Timestamp) -> Result<Version, HandleError> {
        let Fitted { trained: Trained { bundle, competition }, artifact } = fitted;
        if let Some(reason) = &competition.uncontested {
            let (model, learner) = (&job.model, &bundle.learner);
            info!(%model, %learner, "{learner} of {model} is proposed without a competition: {reason}");
        }
        let size_bytes = artifact.len() as u64;
        let artifact = self.artifacts.put(artifact.into()).await.map_err(put_error)?;
        let proposal = Proposal {
            job: job.id.clone(),
            model: job.model.clone(),
            learner: bundle.learner,
            artifact,
            size_bytes,
            cut_off: bundle.cut_off,
            as_of: bundle.as_of,
            spec_hash: bundle.spec_hash,
            data_hash: bundle.data_hash,
            seed: bundle.seed,
            code_version: bundle.code_version,
            competed: competition_document(&competition)?,
        };
        self.registry.propose(&proposal, now).await.map_err(|error| not_written(error, now))
    }
}

/// A job that looks ahead of the clock would see more at its second delivery than at its first. A publisher
/// whose clock is a little fast waits.
fn wait_for(as_of: Timestamp, now: Timestamp) -> Result<(), HandleError> {
    match Duration::try_from(now.duration_until(as_of)) {
        Err(_) | Ok(Duration::ZERO) => Ok(()),
        Ok(after) if after <= FAST_CLOCK => Err(HandleError::Postponed { after }),
        Ok(_) => Err(rejected(format!("as_of {as_of}: lies after now ({now})"))),
    }
}

/// What is to come has shifted nothing yet.
fn check_shift(message: &TrainJob) -> Result<(), HandleError> {
    match message.shift {
        Some(shift) if shift > message.as_of => {
            Err(rejected(format!("shift {shift}: lies after as_of ({})", message.as_of)))
        }
        _ => Ok(()),
    }
}

/// The learners that a job names, or all of the model's.
fn chosen_learners(model: &ModelSpec, names: &[String]) -> Result<Vec<LearnerSpec>, HandleError> {
    if names.is_empty() {
        return Ok(model.learners.clone());
    }
    let known: Vec<&str> = model.learners.iter().map(|learner| learner.name.as_str()).collect();
    let find = |(at, name): (usize, &String)| {
        let learner = LearnerName::new(name.as_str()).ok().and_then(|name| model.learner(&name).cloned());
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

/// How a candidate was chosen, as it is kept beside the version.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Competition {
    /// As versions were recorded before it was known who could not compete.
    Ranking(Vec<Competitor>),
    Whole {
        competed: Vec<Competitor>,
        left_out: Vec<LeftOut>,
        uncontested: Option<String>,
    },
}

fn competition_document(
    competition: &forecasting::learning::Competition,
) -> Result<serde_json::Value, HandleError> {
    let competitor = |competitor: &forecasting::learning::Competitor| Competitor {
        learner: competitor.learner.to_string(),
        average_error: competitor.average_error,
        worst_case_error: competitor.worst_case_error,
        rows: competitor.rows,
        series: competitor.series,
    };
    let left_out = |left_out: &forecasting::learning::LeftOut| LeftOut {
        learner: left_out.learner.to_string(),
        reason: left_out.reason.clone(),
    };
    let document = Competition::Whole {
        competed: competition.competed.iter().map(competitor).collect(),
        left_out: competition.left_out.iter().map(left_out).collect(),
        uncontested: competition.uncontested.clone(),
    };
    serde_json::to_value(document).map_err(HandleError::transient)
}

/// The reply about a version, the same however often its job is delivered.
fn candidate(version: &Version) -> Result<TrainResult, HandleError> {
    let competition = serde_json::from_value(version.proposal.competed.clone());
    let (competed, left_out, uncontested) = match competition.map_err(HandleError::transient)? {
        Competition::Ranking(competed) => (competed, Vec::new(), None),
        Competition::Whole { competed, left_out, uncontested } => (competed, left_out, uncontested),
    };
    let learner = version.proposal.learner.to_string();
    let outcome =
        TrainOutcome::Candidate { version: version.version, learner, competed, left_out, uncontested };
    Ok(TrainResult { model: version.proposal.model.to_string(), outcome, again: None })
}

fn no_candidate(model: &ModelName, reason: String) -> TrainResult {
    info!(model = %model, "no candidate for {model}: {reason}");
    TrainResult { model: model.to_string(), outcome: TrainOutcome::NoCandidate { reason }, again: None }
}
