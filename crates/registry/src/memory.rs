//! A registry in memory, for tests and for a first look.

mod acts;
mod decisions;
mod edge_cases;
mod incumbents;
mod objects;
mod versions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use database::instant::cut_to_micros;
use forecasting::{
    artifact::ArtifactName,
    names::{DatasetName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;

use crate::{
    Act, Acted, Applied, Decided, Decision, EdgeCaseAdded, EdgeCaseRetired, Expired, Incumbent, Job, JobId,
    NewAct, NewDecision, NewEdgeCase, Proposal, Registry, RegistryError, Statement, Stored, StoredEdgeCase,
    StoredObject, Version, VersionState, error::storable_json,
};

/// A [`Registry`] that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    datasets: BTreeMap<DatasetName, Vec<Stored<DatasetSpec>>>,
    models: BTreeMap<ModelName, Vec<Stored<ModelSpec>>>,
    jobs: BTreeMap<JobId, Job>,
    versions: BTreeMap<ModelName, Vec<Version>>,
    decisions: Vec<Decision>,
    acts: Vec<Act>,
    edge_cases: BTreeMap<ModelName, Vec<StoredEdgeCase>>,
    incumbents: BTreeMap<ModelName, Vec<Incumbent>>,
    ticks: BTreeMap<ModelName, BTreeSet<Timestamp>>,
    /// Everything that a version or a decision refers to or that was condemned; when it was, if it was.
    objects: BTreeMap<ArtifactName, Option<Timestamp>>,
}

impl MemoryRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn apply_dataset(&self, spec: &DatasetSpec, now: Timestamp) -> Result<Applied, RegistryError> {
        storable_json("a dataset's specification", spec)?;
        let mut state = self.state();
        Ok(apply(state.datasets.entry(spec.name.clone()).or_default(), spec, spec.hash(), now))
    }

    async fn dataset(&self, name: &DatasetName) -> Result<Option<Stored<DatasetSpec>>, RegistryError> {
        Ok(self.state().datasets.get(name).and_then(|versions| versions.last()).cloned())
    }

    async fn dataset_by_hash(
        &self,
        name: &DatasetName,
        spec_hash: &str,
    ) -> Result<Option<Stored<DatasetSpec>>, RegistryError> {
        let state = self.state();
        let mut latest_first = state.datasets.get(name).into_iter().flatten().rev();
        Ok(latest_first.find(|stored| stored.hash == spec_hash).cloned())
    }

    async fn datasets(&self) -> Result<Vec<Stored<DatasetSpec>>, RegistryError> {
        Ok(self.state().datasets.values().filter_map(|versions| versions.last()).cloned().collect())
    }

    async fn apply_model(&self, spec: &ModelSpec, now: Timestamp) -> Result<Applied, RegistryError> {
        storable_json("a model's specification", spec)?;
        let mut state = self.state();
        if !state.datasets.contains_key(&spec.dataset) {
            return Err(RegistryError::UnknownDataset(spec.dataset.clone()));
        }
        Ok(apply(state.models.entry(spec.name.clone()).or_default(), spec, spec.hash(), now))
    }

    async fn model(&self, name: &ModelName) -> Result<Option<Stored<ModelSpec>>, RegistryError> {
        Ok(self.state().models.get(name).and_then(|versions| versions.last()).cloned())
    }

    async fn model_by_hash(
        &self,
        name: &ModelName,
        spec_hash: &str,
    ) -> Result<Option<Stored<ModelSpec>>, RegistryError> {
        let state = self.state();
        let mut latest_first = state.models.get(name).into_iter().flatten().rev();
        Ok(latest_first.find(|stored| stored.hash == spec_hash).cloned())
    }

    async fn models(&self) -> Result<Vec<Stored<ModelSpec>>, RegistryError> {
        Ok(self.state().models.values().filter_map(|versions| versions.last()).cloned().collect())
    }

    async fn record_job(&self, job: &Job, _now: Timestamp) -> Result<Job, RegistryError> {
        let mut state = self.state();
        state.check_model(&job.model)?;
        let recorded = state.jobs.entry(job.id.clone()).or_insert_with(|| Job {
            as_of: cut_to_micros(job.as_of),
            cut_off: cut_to_micros(job.cut_off),
            shift: job.shift.map(cut_to_micros),
            ..job.clone()
        });
        Ok(recorded.clone())
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, RegistryError> {
        Ok(self.state().jobs.get(id).cloned())
    }

    async fn propose(&self, proposal: &Proposal, now: Timestamp) -> Result<Version, RegistryError> {
        let mut state = self.state();
        proposal.check(state.job(&proposal.job)?)?;
        if let Some(made) = state.version_of_job(&proposal.job) {
            return Ok(made.clone());
        }
        let now = cut_to_micros(now);
        state.refer_to(&proposal.stored(), now)?;
        let versions = state.versions.entry(proposal.model.clone()).or_default();
        let version = Version {
            version: u32::try_from(versions.len() + 1).expect("memory ends before the numbers do"),
            proposal: Proposal {
                cut_off: cut_to_micros(proposal.cut_off),
                as_of: cut_to_micros(proposal.as_of),
                ..proposal.clone()
            },
            proposed_at: now,
            state: VersionState::Pending,
            state_since: now,
        };
        versions.push(version.clone());
        Ok(version)
    }

    async fn version_of_job(&self, job: &JobId) -> Result<Option<Version>, RegistryError> {
        Ok(self.state().version_of_job(job).cloned())
    }

    async fn version(&self, model: &ModelName, version: u32) -> Result<Option<Version>, RegistryError> {
        let state = self.state();
        let mut versions = state.versions.get(model).into_iter().flatten();
        Ok(versions.find(|candidate| candidate.version == version).cloned())
    }

    async fn versions(&self, model: &ModelName) -> Result<Vec<Version>, RegistryError> {
        Ok(self.state().versions.get(model).cloned().unwrap_or_default())
    }

    async fn decide(&self, decision: &NewDecision, now: Timestamp) -> Result<Decided, RegistryError> {
        storable_json("a judgement", &decision.judgement)?;
        self.state().decide(decision, cut_to_micros(now))
    }

    async fn decision_of_job(&self, job: &JobId) -> Result<Option<Decision>, RegistryError> {
        Ok(self.state().decision_of_job(job).cloned())
    }

    async fn looks_of_job(&self, job: &JobId) -> Result<Vec<Decision>, RegistryError> {
        let state = self.state();
        Ok(state.decisions.iter().filter(|decision| decision.job == *job).cloned().collect())
    }

    async fn waiting(&self) -> Result<Vec<Decision>, RegistryError> {
        let state = self.state();
        Ok(state.decisions.iter().filter(|decision| state.is_waiting(decision)).cloned().collect())
    }

    async fn decisions(&self, model: &ModelName, limit: u32) -> Result<Vec<Decision>, RegistryError> {
        let state = self.state();
        let of_model = state.decisions.iter().rev().filter(|decision| decision.model == *model);
        Ok(of_model.take(limit as usize).cloned().collect())
    }

    async fn act(&self, act: &NewAct, now: Timestamp) -> Result<Acted, RegistryError> {
        storable_json("the refusal of an act", &act.refusal)?;
        self.state().act(act, cut_to_micros(now))
    }

    async fn act_of_message(&self, message_id: &str) -> Result<Option<Act>, RegistryError> {
        Ok(self.state().act_of_message(message_id).cloned())
    }

    async fn acts(&self, model: &ModelName) -> Result<Vec<Act>, RegistryError> {
        Ok(self.state().acts_on(model).cloned().collect())
    }

    async fn add_edge_case(&self, new: &NewEdgeCase, now: Timestamp) -> Result<EdgeCaseAdded, RegistryError> {
        storable_json("an edge case", &new.bound)?;
        self.state().add_edge_case(new, cut_to_micros(now))
    }

    async fn retire_edge_case(
        &self,
        model: &ModelName,
        number: u32,
        wanted: &Statement,
        now: Timestamp,
    ) -> Result<EdgeCaseRetired, RegistryError> {
        self.state().retire_edge_case(model, number, wanted, cut_to_micros(now))
    }

    async fn edge_cases(&self, model: &ModelName) -> Result<Vec<StoredEdgeCase>, RegistryError> {
        Ok(self.state().edge_cases.get(model).cloned().unwrap_or_default())
    }

    async fn incumbent(&self, model: &ModelName) -> Result<Option<Incumbent>, RegistryError> {
        Ok(self.state().incumbent(model).cloned())
    }

    async fn incumbents(&self) -> Result<Vec<Incumbent>, RegistryError> {
        Ok(self.state().incumbents.values().filter_map(|history| history.last()).cloned().collect())
    }

    async fn incumbent_history(&self, model: &ModelName) -> Result<Vec<Incumbent>, RegistryError> {
        Ok(self.state().incumbents.get(model).cloned().unwrap_or_default())
    }

    async fn last_tick(&self, model: &ModelName) -> Result<Option<Timestamp>, RegistryError> {
        Ok(self.state().ticks.get(model).and_then(|ticks| ticks.last()).copied())
    }

    async fn record_tick(
        &self,
        model: &ModelName,
        tick: Timestamp,
        _now: Timestamp,
    ) -> Result<(), RegistryError> {
        let mut state = self.state();
        state.check_model(model)?;
        state.ticks.entry(model.clone()).or_default().insert(cut_to_micros(tick));
        Ok(())
    }

    async fn condemn_expired(
        &self,
        expired: &Expired,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<ArtifactName>, RegistryError> {
        let mut state = self.state();
        let needed = state.objects.keys().filter(|name| state.is_needed(name)).copied();
        let expired = needed.filter(|name| !state.is_kept(name, expired));
        let names: Vec<ArtifactName> = expired.take(limit as usize).collect();
        state.condemn(&names, now);
        Ok(names)
    }

    async fn objects(
        &self,
        first_byte: u8,
    ) -> Result<BTreeMap<ArtifactName, Option<Timestamp>>, RegistryError> {
        let mut objects = self.state().objects.clone();
        objects.retain(|name, _| name.to_string().starts_with(&format!("{first_byte:02x}")));
        Ok(objects)
    }

    async fn condemn_unknown(
        &self,
        objects: &[StoredObject],
        now: Timestamp,
    ) -> Result<Vec<ArtifactName>, RegistryError> {
        let mut state = self.state();
        let names = objects.iter().map(|object| object.name).filter(|name| !state.is_needed(name));
        let names: Vec<ArtifactName> = names.collect();
        state.condemn(&names, now);
        Ok(names)
    }
}

fn apply<Spec: Clone>(
    versions: &mut Vec<Stored<Spec>>,
    spec: &Spec,
    hash: String,
    now: Timestamp,
) -> Applied {
    match versions.last() {
        Some(current) if current.hash == hash => Applied { version: current.version, changed: false },
        current => {
            let version = current.map_or(1, |current| current.version + 1);
            versions.push(Stored { version, hash, applied_at: cut_to_micros(now), spec: spec.clone() });
            Applied { version, changed: true }
        }
    }
}

impl State {
    fn check_model(&self, model: &ModelName) -> Result<(), RegistryError> {
        if self.models.contains_key(model) {
            return Ok(());
        }
        Err(RegistryError::UnknownModel(model.clone()))
    }

    fn job(&self, id: &JobId) -> Result<&Job, RegistryError> {
        self.jobs.get(id).ok_or_else(|| RegistryError::UnknownJob(id.clone()))
    }
}
