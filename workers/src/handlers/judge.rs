//! `TrainResult → GateDecision`.

mod measuring;

use std::sync::Arc;

use artifacts::{ArtifactStore, DecodedModels};
use forecasting::{
    gate::{self, Given, Grounds, Side, Verdict},
    names::ModelName,
};
use history::History;
use jiff::Timestamp;
use protocol::messages::{GateDecision, TrainOutcome, TrainResult};
use registry::{
    Decided, Decision, Incumbent, Job, JobId, NewDecision, Registry, StoredEdgeCase, StoredObject, Version,
};
use runner::{CpuPool, HandleError, Handler, JobContext};
use tracing::{info, warn};

use super::{compute, convert, not_written, put_error, read_error, registry_error, rejected};
use crate::{
    case::{CaseError, Found, Sources},
    earlier::{self, MOST_EARLIER},
    metrics,
};

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
        if let Some(decision) = latest.as_ref().filter(|decision| !decision.awaits(number)) {
            return self.announcement(decision.clone()).await;
        }
        let model = ModelName::new(message.model.as_str()).map_err(rejected)?;
        let look = self.look(&id, earlier::look(number, latest.as_ref()), context.now).await?;
        // Who loses the race for the decision judges again, against the new incumbent or with the new edge case.
        loop {
            let incumbent = self.registry.incumbent(&model).await.map_err(registry_error)?;
            let (version, found) = match &message.outcome {
                TrainOutcome::NoCandidate { reason } => (None, Found::nobody(reason)),
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

/// A look at the candidate of a job, and what it may see: that is not for the message to say.
struct Look {
    job: Job,
    /// A further look sees what was recorded since the job.
    as_of: Timestamp,
    /// Where among the looks at the candidate it stands.
    place: gate::Look,
}

impl JudgeHandler {
    async fn look(&self, id: &JobId, place: gate::Look, now: Timestamp) -> Result<Look, HandleError> {
        let job = self.registry.job(id).await.map_err(registry_error)?;
        let job = job.ok_or_else(|| rejected(format!("train job {id} was not recorded")))?;
        let number = place.number;
        if number == 1 {
            return Ok(Look { as_of: job.as_of, job, place });
        }
        info!(model = %job.model, job = %id, look = number, "look {number} at the candidate of {id}");
        // A clock that went back does not take away what the first look saw.
        Ok(Look { as_of: now.max(job.as_of), job, place })
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
        let Self { registry, history, models, .. } = self;
        let sources = Sources { registry: &**registry, history: &**history, models };
        let grounds = self.grounds(&look.job, version, incumbent).await?;
        let loaded = match measuring::load(models, version).await {
            Ok(loaded) => loaded,
            Err(source) => return not_loaded(CaseError::Side { side: Side::Candidate, source }, &grounds),
        };
        // Whether it is still there must not depend on what this process remembers: a replay would not find it.
        if let Some(incumbent) = incumbent
            && let Err(source) = models.load_anew(&incumbent.artifact).await
        {
            return not_loaded(CaseError::Side { side: Side::Incumbent, source }, &grounds);
        }
        let case = match sources.case(&look.job, &grounds, look.as_of).await {
            Ok(case) => case,
            Err(error) => return not_loaded(error, &grounds),
        };
        let given = self.given(look).await?;

        // Decide.
        let found = compute(&self.cpu, move |stop| {
            let measured = measuring::measure(&loaded, case.model(), case.dataset(), case.at_hand(), stop)?;
            case.judge(&Given { measured: Some(measured), ..given }, stop)
        });
        found.await?.map_err(HandleError::transient)
    }

    /// What the registry knows that the judgement must be given.
    async fn given(&self, look: &Look) -> Result<Given, HandleError> {
        let model = &look.job.model;
        let cases = self.registry.edge_cases(model).await.map_err(registry_error)?;
        let decisions = self.registry.decisions(model, MOST_EARLIER).await.map_err(registry_error)?;
        Ok(Given {
            measured: None,
            edge_cases: cases
                .into_iter()
                .filter(StoredEdgeCase::is_active)
                .map(|stored| stored.case)
                .collect(),
            look: look.place,
            earlier: earlier::past_looks(&decisions, &look.job.id),
        })
    }

    /// The specification that the candidate was trained by, the dataset's current one, and both artifacts.
    async fn grounds(
        &self,
        job: &Job,
        version: &Version,
        incumbent: Option<&Incumbent>,
    ) -> Result<Grounds, HandleError> {
        let stored = self.registry.model_by_hash(&job.model, &job.spec_hash).await.map_err(registry_error)?;
        let model =
            stored.ok_or_else(|| rejected(format!("spec_hash {:?} was not applied", job.spec_hash)))?;
        let dataset = self.registry.dataset(&model.spec.dataset).await.map_err(registry_error)?;
        let dataset =
            dataset.ok_or_else(|| rejected(format!("dataset {} was not applied", model.spec.dataset)))?;
        Ok(Grounds {
            gate_version: gate::VERSION,
            spec_hash: model.hash,
            dataset_hash: dataset.hash,
            candidate: version.proposal.artifact,
            incumbent: incumbent.map(|incumbent| incumbent.artifact),
        })
    }

    /// The recorded decision as an event; the same every time it is asked for.
    async fn announcement(&self, decision: Decision) -> Result<GateDecision, HandleError> {
        let incumbents = self.registry.incumbent_history(&decision.model).await.map_err(registry_error)?;
        Ok(convert::gate_decision(&decision, &incumbents))
    }
}

/// A side that can never be loaded is a finding.
fn not_loaded(error: CaseError, grounds: &Grounds) -> Result<Found, HandleError> {
    error.found(grounds).ok_or_else(|| case_error(error))
}

/// What is away is waited for; what was never applied stays so.
fn case_error(error: CaseError) -> HandleError {
    match error {
        CaseError::Registry(error) => registry_error(error),
        CaseError::History { source, .. } => read_error(source),
        CaseError::Side { .. } => HandleError::away(error),
        CaseError::UnknownModelSpec { .. } | CaseError::UnknownDatasetSpec { .. } => {
            HandleError::rejected(error)
        }
    }
}
