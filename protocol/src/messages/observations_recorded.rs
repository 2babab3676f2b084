use serde::{Deserialize, Serialize};

use super::announce;
use crate::{EncodeError, Message, Properties, Publication, Reply};

/// The history of a dataset has grown. Event: `observations-recorded.<dataset>`; also the reply to the
/// asker, if one waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObservationsRecorded {
    /// The dataset.
    pub dataset: String,
    /// Observations of steps that had none.
    pub new: u64,
    /// Observations with another value than the recorded one.
    pub corrected: u64,
    /// Observations that were recorded already.
    pub unchanged: u64,
}

impl Message for ObservationsRecorded {
    const KIND: &'static str = "observations-recorded";
}

impl Reply for ObservationsRecorded {
    /// The event for everybody, then the same for the asker, if one waits.
    fn publications(self, request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        announce(&self, &self.dataset, request)
    }
}
