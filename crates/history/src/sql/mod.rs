//! A history in a SQL database: this folder is compiled once for SQLite and once for PostgreSQL, each with
//! its own `Store`, `Connection`, `DbRow` and `dialect` beside it. Nearly all statements are the same.

mod covariates;
mod forecasts;
mod read;
mod record;
mod retention;

use async_trait::async_trait;
use forecasting::{
    names::{DatasetName, ModelName},
    series::{Covariates, Frame, Grid},
    spec::CovariateSpec,
};
use jiff::Timestamp;

use super::Store;
use crate::{
    Coverage, Forgettable, History, IssuedForecast, ObservationMessage, Range, ReadError, RecordError,
    Recorded, RecordedRows, Rows,
};

/// A [`History`] in a database. Other tasks and processes may use the same one.
#[derive(Debug)]
pub struct SqlHistory {
    pub(super) store: Store,
}

impl SqlHistory {
    /// Lets what is under way end and closes the connections.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

#[async_trait]
impl History for SqlHistory {
    async fn record_rows(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        rows: Rows<'_>,
        recorded_at: Timestamp,
    ) -> Result<RecordedRows, RecordError> {
        record::record_rows(&self.store, dataset, grid, rows, recorded_at).await
    }

    async fn record_messages(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        messages: &[ObservationMessage],
        recorded_at: Timestamp,
    ) -> Result<Vec<Result<Recorded, RecordError>>, RecordError> {
        record::record_messages(&self.store, dataset, grid, messages, recorded_at).await
    }

    async fn coverage(
        &self,
        dataset: &DatasetName,
        as_of: Option<Timestamp>,
    ) -> Result<Option<Coverage>, ReadError> {
        Ok(read::coverage(&self.store, dataset, as_of).await?)
    }

    async fn newest(&self, dataset: &DatasetName) -> Result<Option<Timestamp>, ReadError> {
        Ok(read::newest(&self.store, dataset).await?)
    }

    async fn read(&self, dataset: &DatasetName, grid: &Grid, range: &Range) -> Result<Frame, ReadError> {
        read::frame(&self.store, dataset, grid, range).await
    }

    async fn covariates(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        declared: &CovariateSpec,
        range: &Range,
    ) -> Result<Covariates, ReadError> {
        covariates::read(&self.store, dataset, grid, declared, range).await
    }

    async fn revision(&self, dataset: &DatasetName) -> Result<u64, ReadError> {
        Ok(read::revision(&self.store, dataset).await?)
    }

    async fn record_forecasts(
        &self,
        forecasts: &[IssuedForecast],
        recorded_at: Timestamp,
    ) -> Result<u64, RecordError> {
        forecasts::record(&self.store, forecasts, recorded_at).await
    }

    async fn forecasts_issued(
        &self,
        model: &ModelName,
        limit: u32,
    ) -> Result<Vec<IssuedForecast>, ReadError> {
        Ok(forecasts::issued(&self.store, model, limit).await?)
    }

    async fn forget(&self, what: Forgettable, before: Timestamp, limit: u32) -> Result<u64, RecordError> {
        Ok(retention::forget(&self.store, what, before, limit).await?)
    }
}
