use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Message;

/// A candidate beat the incumbent on both errors and is the incumbent now.
/// Event: `model-promoted.<model>`; also the reply to the asker of the train job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelPromoted {
    /// The model.
    pub model: String,
    /// The version that answers from now on.
    pub version: u32,
    /// Counts the model's changes of incumbent. Whoever hears a lower one than it knows ignores it.
    pub generation: u64,
    /// The bytes to load.
    pub artifact: ArtifactReference,
    /// The candidate's errors on the holdout.
    pub candidate: GateErrors,
    /// The errors of the side that lost: the previous version, or the fallback for a first candidate.
    pub incumbent: GateErrors,
    /// The verdict in sentences.
    pub reasons: Vec<String>,
    /// The version that answered before; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<u32>,
    /// When the decision was recorded.
    pub decided_at: Timestamp,
}

/// Names the bytes of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArtifactReference {
    /// SHA-256 of the bytes in hex, which is also the artifact's name.
    pub sha256: String,
    /// Number of bytes.
    pub size_bytes: u64,
}

/// The two errors that decide, of one side. Unit: in-sample seasonal-naive MAE of the series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GateErrors {
    /// Mean of the scaled absolute errors.
    #[serde(deserialize_with = "crate::finite::number")]
    pub average: f64,
    /// Mean of the worst 1 % of them (CVaR 99 %).
    #[serde(deserialize_with = "crate::finite::number")]
    pub worst_case: f64,
}

impl Message for ModelPromoted {
    const KIND: &'static str = "model-promoted";
}
