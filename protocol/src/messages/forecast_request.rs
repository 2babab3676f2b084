use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SeriesValues;
use crate::Message;

/// Asks for forecasts. Queue: `forecast-requests`. Answered by a [`ForecastReply`](super::ForecastReply)
/// to `reply_to`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ForecastRequest {
    /// The model to ask.
    pub model: String,
    /// The series to forecast; empty: every series of `history`, or else of the model's dataset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<String>,
    /// Number of steps, 1 to 10,000; absent: the model's horizon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u32>,
    /// The instant to forecast from: only values before it are used, and it is the first step that is
    /// forecast. Absent: the step after each series' newest value, and as many later as values of the dataset
    /// are late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Timestamp>,
    /// Which intervals are wanted, in percent: up to 10 of 50 to 99, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<u8>,
    /// The past of the series, for callers who bring their own; absent: the recorded history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<SeriesValues>,
}

impl Message for ForecastRequest {
    const KIND: &'static str = "forecast-request";
}
