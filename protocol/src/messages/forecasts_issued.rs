use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Route, RouteReason, SeriesValues};
use crate::Message;

/// A batch of forecasts that were given out, for the history. Queue: `forecasts-issued`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ForecastsIssued {
    /// The forecasts, in the order in which they were issued.
    pub forecasts: Vec<IssuedForecast>,
}

/// One series' forecast as it was given out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IssuedForecast {
    /// `message_id` of the request that it answered.
    pub request_id: String,
    /// The model that was asked.
    pub model: String,
    /// When it was given out.
    pub issued_at: Timestamp,
    /// The points: `start` is the origin.
    pub points: SeriesValues,
    /// The version that answered; absent where the fallback did without an incumbent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Generation of the incumbent, 0 where there is none.
    pub generation: u64,
    /// Who answered.
    pub route: Route,
    /// Why it was not the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RouteReason>,
}

impl Message for ForecastsIssued {
    const KIND: &'static str = "forecasts-issued";
}
