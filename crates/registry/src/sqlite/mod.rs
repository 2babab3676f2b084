//! A registry in a SQLite file.

mod decisions;
mod jobs;
mod specs;
mod versions;

use std::path::Path;

use async_trait::async_trait;
use forecasting::{
    names::{DatasetName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use sqlite_file::SqliteFile;
use sqlx::migrate::Migrator;

use crate::{
    Applied, Decided, Decision, Incumbent, Job, JobId, NewDecision, Proposal, Registry, RegistryError,
    Stored, Version,
};

pub use sqlite_file::OpenError;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// A [`Registry`] in a SQLite file. Other tasks and processes may open the same file.
#[derive(Debug)]
pub struct SqliteRegistry {
    file: SqliteFile,
}

impl SqliteRegistry {
    /// Opens the file, or makes it where there is none, with tables as of this version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { file: SqliteFile::open(path.as_ref(), &MIGRATIONS).await? })
    }

    /// Lets what is under way end and closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }
}

#[async_trait]
impl Registry for SqliteRegistry {
    async fn apply_dataset(&self, spec: &DatasetSpec, now: Timestamp) -> Result<Applied, RegistryError> {
        specs::apply_dataset(&self.file, spec, now).await
    }

    async fn dataset(&self, name: &DatasetName) -> Result<Option<Stored<DatasetSpec>>, RegistryError> {
        Ok(specs::dataset(&mut *self.file.read().await?, name).await?)
    }

    async fn datasets(&self) -> Result<Vec<Stored<DatasetSpec>>, RegistryError> {
        Ok(specs::datasets(&mut *self.file.read().await?).await?)
    }

    async fn apply_model(&self, spec: &ModelSpec, now: Timestamp) -> Result<Applied, RegistryError> {
        specs::apply_model(&self.file, spec, now).await
    }

    async fn model(&self, name: &ModelName) -> Result<Option<Stored<ModelSpec>>, RegistryError> {
        Ok(specs::model(&mut *self.file.read().await?, name).await?)
    }

    async fn model_by_hash(
        &self,
        name: &ModelName,
        spec_hash: &str,
    ) -> Result<Option<Stored<ModelSpec>>, RegistryError> {
        Ok(specs::model_by_hash(&mut *self.file.read().await?, name, spec_hash).await?)
    }

    async fn models(&self) -> Result<Vec<Stored<ModelSpec>>, RegistryError> {
        Ok(specs::models(&mut *self.file.read().await?).await?)
    }

    async fn record_job(&self, job: &Job, now: Timestamp) -> Result<Job, RegistryError> {
        jobs::record(&self.file, job, now).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, RegistryError> {
        Ok(jobs::job(&mut *self.file.read().await?, id).await?)
    }

    async fn propose(&self, proposal: &Proposal, now: Timestamp) -> Result<Version, RegistryError> {
        versions::propose(&self.file, proposal, now).await
    }

    async fn version_of_job(&self, job: &JobId) -> Result<Option<Version>, RegistryError> {
        Ok(versions::of_job(&mut *self.file.read().await?, job).await?)
    }

    async fn version(&self, model: &ModelName, version: u32) -> Result<Option<Version>, RegistryError> {
        Ok(versions::version(&mut *self.file.read().await?, model, version).await?)
    }

    async fn versions(&self, model: &ModelName) -> Result<Vec<Version>, RegistryError> {
        Ok(versions::of_model(&mut *self.file.read().await?, model).await?)
    }

    async fn decide(&self, decision: &NewDecision, now: Timestamp) -> Result<Decided, RegistryError> {
        decisions::decide(&self.file, decision, now).await
    }

    async fn decision_of_job(&self, job: &JobId) -> Result<Option<Decision>, RegistryError> {
        Ok(decisions::of_job(&mut *self.file.read().await?, job).await?)
    }

    async fn decisions(&self, model: &ModelName, limit: u32) -> Result<Vec<Decision>, RegistryError> {
        Ok(decisions::of_model(&mut *self.file.read().await?, model, limit).await?)
    }

    async fn incumbent(&self, model: &ModelName) -> Result<Option<Incumbent>, RegistryError> {
        Ok(decisions::incumbent(&mut *self.file.read().await?, model).await?)
    }

    async fn incumbents(&self) -> Result<Vec<Incumbent>, RegistryError> {
        Ok(decisions::incumbents(&mut *self.file.read().await?).await?)
    }

    async fn incumbent_history(&self, model: &ModelName) -> Result<Vec<Incumbent>, RegistryError> {
        Ok(decisions::incumbent_history(&mut *self.file.read().await?, model).await?)
    }

    async fn last_tick(&self, model: &ModelName) -> Result<Option<Timestamp>, RegistryError> {
        Ok(jobs::last_tick(&mut *self.file.read().await?, model).await?)
    }

    async fn record_tick(
        &self,
        model: &ModelName,
        tick: Timestamp,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        jobs::record_tick(&self.file, model, tick, now).await
    }
}

impl From<sqlx::Error> for RegistryError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                RegistryError::Unreadable(error.into())
            }
            other => RegistryError::Unavailable(other.into()),
        }
    }
}
