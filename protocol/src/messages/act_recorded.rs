use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Act, ArtifactReference};
use crate::Message;

/// A person's act on a model was recorded and carried out. Event: `act-recorded.<model>`; also the reply to the
/// asker, if one waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActRecorded {
    /// The model.
    pub model: String,
    /// What was done; a roll back names its version.
    pub act: Act,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when the act binds the gate; see the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was recorded.
    pub acted_at: Timestamp,
    /// The incumbent that it made; absent where it made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incumbent: Option<NewIncumbent>,
}

/// A version that was put into use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NewIncumbent {
    /// The version that answers from now on.
    pub version: u32,
    /// Counts the model's changes of incumbent. Whoever hears a lower one than it knows ignores it.
    pub generation: u64,
    /// The bytes to load.
    pub artifact: ArtifactReference,
    /// The version that answered before; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<u32>,
}

impl Message for ActRecorded {
    const KIND: &'static str = "act-recorded";
}
