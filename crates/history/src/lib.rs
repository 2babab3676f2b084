//! What happened and what was forecast: observations of datasets, corrections included, covariates, and forecasts
//! issued, behind one trait.
//!
//! Observations and covariates have two times. `ds` is when something was, `recorded_at` is when we learned it; a
//! correction is a new row and a read may name an *as-of* instant, so that a verdict can be replayed on
//! exactly what was known. What a dataset *is* (frequency, time zone) belongs to the registry.

mod covariates;
mod forecasts;
mod observations;
mod reading;
mod retention;

pub mod contract;
mod memory;
mod postgres;
mod sqlite;

use async_trait::async_trait;
use forecasting::{
    names::{DatasetName, ModelName},
    series::{Covariates, Frame, Grid},
    spec::CovariateSpec,
};
use jiff::Timestamp;

pub use covariates::{RecordedRows, Rows};
pub use forecasts::IssuedForecast;
pub use memory::MemoryHistory;
pub use observations::{Observation, ObservationMessage, RecordError, Recorded};
pub use postgres::PostgresHistory;
pub use reading::{Coverage, MAX_STEPS, Range, ReadError, SeriesCoverage};
pub use retention::Forgettable;
pub use sqlite::SqliteHistory;

/// Why the store itself failed: it is away, full or damaged. Trying again may help.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Observations, covariates and forecasts issued. Instants are kept to the microsecond; finer parts are cut.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Records observations, all or none, and says how many of them told something new.
    ///
    /// A value must lie on the dataset's grid through the first known value of its series (of a new series:
    /// through its first one in the batch), and may not stretch the series beyond [`MAX_STEPS`], so that what
    /// is recorded can be read. Declaring a step missing is always possible: it is how a stray value is
    /// taken back.
    ///
    /// Recording is idempotent: a value that is already known is left alone, another value becomes a new
    /// row. That row's record time is `recorded_at`, or one microsecond after the row that it corrects if
    /// that is later: what arrives later wins, even where a clock stands still or goes back.
    async fn record(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        observations: &[Observation],
        recorded_at: Timestamp,
    ) -> Result<Recorded, RecordError> {
        let rows = Rows { observations, covariates: Covariates::none() };
        Ok(self.record_rows(dataset, grid, rows, recorded_at).await?.values)
    }

    /// As [`record`](Self::record), with what is known besides the values: all or none of both. Numbers of
    /// covariates may be of steps to come, and lie on the grid of the values of their series.
    async fn record_rows(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        rows: Rows<'_>,
        recorded_at: Timestamp,
    ) -> Result<RecordedRows, RecordError>;

    /// Records what several messages bring about one dataset, in one go: each message all or none, in their
    /// order, and once. One that was recorded before, under its id, changes nothing and repeats its outcome,
    /// until it is [forgotten](Self::forget).
    ///
    /// # Errors
    /// The inner ones are those of [`record`](Self::record) for single messages; the outer one means that
    /// nothing of any message was recorded. A dataset that somebody else goes on writing to is
    /// [unavailable](RecordError::Unavailable) after seconds.
    async fn record_messages(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        messages: &[ObservationMessage],
        recorded_at: Timestamp,
    ) -> Result<Vec<Result<Recorded, RecordError>>, RecordError>;

    /// What is known of each series, as of an instant or (`None`) now. `None` if nothing is.
    async fn coverage(
        &self,
        dataset: &DatasetName,
        as_of: Option<Timestamp>,
    ) -> Result<Option<Coverage>, ReadError>;

    /// The last step at which any series of the dataset has a value; `None` if none has. Cheap to ask.
    async fn newest(&self, dataset: &DatasetName) -> Result<Option<Timestamp>, ReadError>;

    /// The observations in a range, laid on the dataset's grid, from one state of the store.
    ///
    /// Each series begins with its first value in the range and ends with its last; a series without any,
    /// or unknown, is left out.
    async fn read(&self, dataset: &DatasetName, grid: &Grid, range: &Range) -> Result<Frame, ReadError>;

    /// What is known in a range besides the values, from one state of the store, by what is declared. Static
    /// attributes have no time, but for their record time. What is declared and not recorded is missing.
    async fn covariates(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        declared: &CovariateSpec,
        range: &Range,
    ) -> Result<Covariates, ReadError>;

    /// A number that grows whenever something new about the dataset was recorded; 0 before. Cheap to ask. It
    /// follows the clock, so that another history (one made anew, or from a backup) has other ones.
    async fn revision(&self, dataset: &DatasetName) -> Result<u64, ReadError>;

    /// Records forecasts that were issued, all or none, and says how many were not yet known by their
    /// request id and series.
    async fn record_forecasts(
        &self,
        forecasts: &[IssuedForecast],
        recorded_at: Timestamp,
    ) -> Result<u64, RecordError>;

    /// The forecasts of a model that were issued last, latest first.
    async fn forecasts_issued(&self, model: &ModelName, limit: u32)
    -> Result<Vec<IssuedForecast>, ReadError>;

    /// Deletes the oldest of what was recorded (issued) before an instant, at most `limit`, and says how many.
    async fn forget(&self, what: Forgettable, before: Timestamp, limit: u32) -> Result<u64, RecordError>;
}
