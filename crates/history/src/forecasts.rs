//! Forecasts that were issued, kept to be compared with what came.

use forecasting::names::{ModelName, SeriesId};
use jiff::Timestamp;

use crate::RecordError;

/// The answer to one request for one series.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuedForecast {
    /// The id of the request's message: with the series it tells one answer from another.
    pub request_id: String,
    /// The model that was asked.
    pub model: ModelName,
    /// The series that was forecast.
    pub series: SeriesId,
    /// The step of the first value.
    pub origin: Timestamp,
    /// When the answer was given.
    pub issued_at: Timestamp,
    /// The version that answered; `None` where the fallback did without one.
    pub version: Option<u32>,
    /// The model's generation then; 0 if it had no incumbent.
    pub generation: u64,
    /// `primary` or `fallback`.
    pub route: String,
    /// Why the fallback answered.
    pub reason: Option<String>,
    /// One value per step; all finite.
    pub values: Vec<f64>,
}

impl IssuedForecast {
    /// As databases keep them.
    pub(crate) fn values_as_json(&self) -> String {
        serde_json::to_string(&self.values).expect("numbers are JSON")
    }
}

/// A forecast that is no number was never issued; a store could not give it back either.
pub(crate) fn refuse_missing_values(forecasts: &[IssuedForecast]) -> Result<(), RecordError> {
    let finite = |forecast: &&IssuedForecast| forecast.values.iter().all(|value| value.is_finite());
    match forecasts.iter().find(|forecast| !finite(forecast)) {
        None => Ok(()),
        Some(bad) => Err(RecordError::NotFinite { series: bad.series.clone(), ds: bad.origin }),
    }
}
