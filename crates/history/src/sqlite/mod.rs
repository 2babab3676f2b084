//! A history in a SQLite file.

mod forecasts;
mod read;
mod record;

use std::path::Path;

use async_trait::async_trait;
use forecasting::{
    names::{DatasetName, ModelName},
    series::{Frame, Grid},
};
use jiff::Timestamp;
use sqlite_file::SqliteFile;
use sqlx::migrate::Migrator;

use crate::{Coverage, History, IssuedForecast, Observation, Range, ReadError, RecordError, Recorded};

pub use sqlite_file::OpenError;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// A [`History`] in a SQLite file. Other tasks and processes may open the same file.
#[derive(Debug)]
pub struct SqliteHistory {
    file: SqliteFile,
}

impl SqliteHistory {
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
impl History for SqliteHistory {
    async fn record(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        observations: &[Observation],
        recorded_at: Timestamp,
    ) -> Result<Recorded, RecordError> {
        record::record(&self.file, dataset, grid, observations, recorded_at).await
    }

    async fn coverage(
        &self,
        dataset: &DatasetName,
        as_of: Option<Timestamp>,
    ) -> Result<Option<Coverage>, ReadError> {
        Ok(read::coverage(&self.file, dataset, as_of).await?)
    }

    async fn read(&self, dataset: &DatasetName, grid: &Grid, range: &Range) -> Result<Frame, ReadError> {
        read::frame(&self.file, dataset, grid, range).await
    }

    async fn revision(&self, dataset: &DatasetName) -> Result<u64, ReadError> {
        Ok(read::revision(&self.file, dataset).await?)
    }

    async fn record_forecasts(
        &self,
        forecasts: &[IssuedForecast],
        recorded_at: Timestamp,
    ) -> Result<u64, RecordError> {
        forecasts::record(&self.file, forecasts, recorded_at).await
    }

    async fn forecasts_issued(
        &self,
        model: &ModelName,
        limit: u32,
    ) -> Result<Vec<IssuedForecast>, ReadError> {
        Ok(forecasts::issued(&self.file, model, limit).await?)
    }
}

impl From<sqlx::Error> for RecordError {
    fn from(error: sqlx::Error) -> Self {
        RecordError::Unavailable(error.into())
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        ReadError::Unavailable(error.into())
    }
}
