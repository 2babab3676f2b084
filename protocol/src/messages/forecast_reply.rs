use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{SeriesValues, answer};
use crate::{EncodeError, Message, Properties, Publication, Reply};

/// The answer to a [`ForecastRequest`](super::ForecastRequest).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ForecastReply {
    /// Each series of the request is in one of the two lists.
    Answered {
        /// The model that was asked.
        model: String,
        /// The forecasts.
        forecasts: Vec<SeriesForecast>,
        /// The series that nothing could be said about.
        #[serde(default)]
        refused: Vec<SeriesRefusal>,
        /// Set where the forecaster could not look at the registry or the history since then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stale_since: Option<Timestamp>,
    },
    /// Nothing in the request could be answered.
    Refused {
        /// For programs.
        reason: RefusalReason,
        /// For people: names field and value.
        message: String,
    },
}

/// One series' forecast, and who made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeriesForecast {
    /// The points: `start` is the origin.
    #[serde(flatten)]
    pub points: SeriesValues,
    /// One per level asked for; none where the version in use knows too little of its errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Interval>,
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

/// The range that holds each actual with a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interval {
    /// The probability, in percent.
    pub level: u8,
    /// One lower end per point.
    #[serde(deserialize_with = "crate::finite::numbers")]
    pub lower: Vec<f64>,
    /// One upper end per point.
    #[serde(deserialize_with = "crate::finite::numbers")]
    pub upper: Vec<f64>,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The incumbent's model.
    Primary,
    /// The simple model that answers when the incumbent should not or cannot.
    Fallback,
}

/// Why the fallback answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RouteReason {
    /// No version was promoted yet, or none could be loaded.
    NoIncumbent,
    /// The series is shorter than the incumbent looks back.
    HistoryTooShort,
    /// More steps were asked for than the incumbent learned.
    HorizonTooLong,
    /// The model has got another dataset, or the dataset another grid, since the incumbent was trained.
    TrainedElsewhere,
    /// The incumbent's forecast was not finite.
    NotFinite,
}

/// A series that nothing could be said about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SeriesRefusal {
    /// `unique_id` of the series.
    pub id: String,
    /// For programs.
    pub reason: RefusalReason,
    /// For people: names field and value.
    pub message: String,
}

/// Why no model may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// No specification of that name was applied.
    UnknownModel,
    /// The dataset has no such series.
    UnknownSeries,
    /// A field of the request has a value that it may not have.
    BadRequest,
    /// There is no value before the origin.
    NothingToGoOn,
    /// A covariate that is known in advance is missing within the horizon, or the request brought a history without any.
    MissingCovariate,
}

impl Message for ForecastReply {
    const KIND: &'static str = "forecast-reply";
}

impl Reply for ForecastReply {
    /// One message to the asker, if it left an address that a reply may go to.
    fn publications(self, request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        answer(&self, request)
    }
}
