//! A registry in a SQL database: this folder is compiled once for SQLite and once for PostgreSQL, each with
//! its own `Store`, `Connection` and `DbRow` beside it. The statements are the same.

mod acts;
mod decisions;
mod edge_cases;
mod jobs;
mod objects;
mod specs;
mod versions;

use std::collections::BTreeMap;

use async_trait::async_trait;
use forecasting::{
    artifact::ArtifactName,
    names::{DatasetName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;

use super::Store;
use crate::{
    Act, Acted, Applied, Decided, Decision, EdgeCaseAdded, EdgeCaseRetired, Expired, Incumbent, Job, JobId,
    NewAct, NewDecision, NewEdgeCase, Proposal, Registry, RegistryError, Statement, Stored, StoredEdgeCase,
    StoredObject, Version,
};

/// What one transaction at a time writes to.
const REGISTRY: &str = "registry";

/// A [`Registry`] in a database. Other tasks and processes may use the same one.
#[derive(Debug)]
pub struct SqlRegistry {
    pub(super) store: Store,
}

impl SqlRegistry {
    /// Lets what is under way end and closes the connections.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

#[async_trait]
impl Registry for SqlRegistry {
    async fn apply_dataset(&self, spec: &DatasetSpec, now: Timestamp) -> Result<Applied, RegistryError> {
        specs::apply_dataset(&self.store, spec, now).await
    }

    async fn dataset(&self, name: &DatasetName) -> Result<Option<Stored<DatasetSpec>>, RegistryError> {
        Ok(specs::dataset(&mut *self.store.read().await?, name).await?)
    }

    async fn dataset_by_hash(
        &self,
        name: &DatasetName,
        spec_hash: &str,
    ) -> Result<Option<Stored<DatasetSpec>>, RegistryError> {
        Ok(specs::dataset_by_hash(&mut *self.store.read().await?, name, spec_hash).await?)
    }

    async fn datasets(&self) -> Result<Vec<Stored<DatasetSpec>>, RegistryError> {
        Ok(specs::datasets(&mut *self.store.read().await?).await?)
    }

    async fn apply_model(&self, spec: &ModelSpec, now: Timestamp) -> Result<Applied, RegistryError> {
        specs::apply_model(&self.store, spec, now).await
    }

    async fn model(&self, name: &ModelName) -> Result<Option<Stored<ModelSpec>>, RegistryError> {
        Ok(specs::model(&mut *self.store.read().await?, name).await?)
    }

    async fn model_by_hash(
        &self,
        name: &ModelName,
        spec_hash: &str,
    ) -> Result<Option<Stored<ModelSpec>>, RegistryError> {
        Ok(specs::model_by_hash(&mut *self.store.read().await?, name, spec_hash).await?)
    }

    async fn models(&self) -> Result<Vec<Stored<ModelSpec>>, RegistryError> {
        Ok(specs::models(&mut *self.store.read().await?).await?)
    }

    async fn record_job(&self, job: &Job, now: Timestamp) -> Result<Job, RegistryError> {
        jobs::record(&self.store, job, now).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, RegistryError> {
        Ok(jobs::job(&mut *self.store.read().await?, id).await?)
    }

    async fn propose(&self, proposal: &Proposal, now: Timestamp) -> Result<Version, RegistryError> {
        versions::propose(&self.store, proposal, now).await
    }

    async fn version_of_job(&self, job: &JobId) -> Result<Option<Version>, RegistryError> {
        Ok(versions::of_job(&mut *self.store.read().await?, job).await?)
    }

    async fn version(&self, model: &ModelName, version: u32) -> Result<Option<Version>, RegistryError> {
        Ok(versions::version(&mut *self.store.read().await?, model, version).await?)
    }

    async fn versions(&self, model: &ModelName) -> Result<Vec<Version>, RegistryError> {
        Ok(versions::of_model(&mut *self.store.read().await?, model).await?)
    }

    async fn decide(&self, decision: &NewDecision, now: Timestamp) -> Result<Decided, RegistryError> {
        Box::pin(decisions::decide(&self.store, decision, now)).await
    }

    async fn decision_of_job(&self, job: &JobId) -> Result<Option<Decision>, RegistryError> {
        Ok(decisions::of_job(&mut *self.store.read().await?, job).await?)
    }

    async fn looks_of_job(&self, job: &JobId) -> Result<Vec<Decision>, RegistryError> {
        Ok(decisions::looks_of_job(&mut *self.store.read().await?, job).await?)
    }

    async fn waiting(&self) -> Result<Vec<Decision>, RegistryError> {
        Ok(decisions::waiting(&mut *self.store.read().await?).await?)
    }

    async fn decisions(&self, model: &ModelName, limit: u32) -> Result<Vec<Decision>, RegistryError> {
        Ok(decisions::of_model(&mut *self.store.read().await?, model, limit).await?)
    }

    async fn act(&self, act: &NewAct, now: Timestamp) -> Result<Acted, RegistryError> {
        acts::act(&self.store, act, now).await
    }

    async fn act_of_message(&self, message_id: &str) -> Result<Option<Act>, RegistryError> {
        Ok(acts::of_message(&mut *self.store.read().await?, message_id).await?)
    }

    async fn acts(&self, model: &ModelName) -> Result<Vec<Act>, RegistryError> {
        Ok(acts::on_model(&mut *self.store.read().await?, model).await?)
    }

    async fn add_edge_case(&self, new: &NewEdgeCase, now: Timestamp) -> Result<EdgeCaseAdded, RegistryError> {
        edge_cases::add(&self.store, new, now).await
    }

    async fn retire_edge_case(
        &self,
        model: &ModelName,
        number: u32,
        wanted: &Statement,
        now: Timestamp,
    ) -> Result<EdgeCaseRetired, RegistryError> {
        edge_cases::retire(&self.store, model, number, wanted, now).await
    }

    async fn edge_cases(&self, model: &ModelName) -> Result<Vec<StoredEdgeCase>, RegistryError> {
        Ok(edge_cases::of_model(&mut *self.store.read().await?, model).await?)
    }

    async fn incumbent(&self, model: &ModelName) -> Result<Option<Incumbent>, RegistryError> {
        Ok(decisions::incumbent(&mut *self.store.read().await?, model).await?)
    }

    async fn incumbents(&self) -> Result<Vec<Incumbent>, RegistryError> {
        Ok(decisions::incumbents(&mut *self.store.read().await?).await?)
    }

    async fn incumbent_history(&self, model: &ModelName) -> Result<Vec<Incumbent>, RegistryError> {
        Ok(decisions::incumbent_history(&mut *self.store.read().await?, model).await?)
    }

    async fn last_tick(&self, model: &ModelName) -> Result<Option<Timestamp>, RegistryError> {
        Ok(jobs::last_tick(&mut *self.store.read().await?, model).await?)
    }

    async fn record_tick(
        &self,
        model: &ModelName,
        tick: Timestamp,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        jobs::record_tick(&self.store, model, tick, now).await
    }

    async fn condemn_expired(
        &self,
        expired: &Expired,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<ArtifactName>, RegistryError> {
        objects::condemn_expired(&self.store, expired, limit, now).await
    }

    async fn objects(
        &self,
        first_byte: u8,
    ) -> Result<BTreeMap<ArtifactName, Option<Timestamp>>, RegistryError> {
        Ok(objects::all(&mut *self.store.read().await?, first_byte).await?)
    }

    async fn condemn_unknown(
        &self,
        objects: &[StoredObject],
        now: Timestamp,
    ) -> Result<Vec<ArtifactName>, RegistryError> {
        objects::condemn_unknown(&self.store, objects, now).await
    }
}
