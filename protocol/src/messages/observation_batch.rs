use serde::{Deserialize, Serialize};

use super::SeriesValues;
use crate::Message;

/// Observations of one dataset, new ones or corrections. Queue: `observations`. Answered by
/// [`ObservationsRecorded`](super::ObservationsRecorded).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObservationBatch {
    /// The dataset.
    pub dataset: String,
    /// The values; a null says nothing about its step.
    pub series: Vec<SeriesValues>,
}

impl Message for ObservationBatch {
    const KIND: &'static str = "observation-batch";
}
