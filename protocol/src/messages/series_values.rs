use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A series as it travels: never a time stamp per point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeriesValues {
    /// `unique_id` of the series.
    pub id: String,
    /// Start of the interval of the first value; RFC 3339 with offset.
    pub start: Timestamp,
    /// ISO 8601 duration, e.g. `PT1H` or `P1D`.
    pub frequency: String,
    /// IANA time zone, e.g. `Pacific/Auckland`, or `UTC`.
    pub tz: String,
    /// One value per step; null where none is known.
    pub values: Vec<Option<f64>>,
}
