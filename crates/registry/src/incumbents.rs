//! Incumbents: which version of a model is, or was, in use.

use forecasting::{artifact::ArtifactName, names::ModelName};
use jiff::Timestamp;

/// A version in use, from its promotion to the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Incumbent {
    /// The model.
    pub model: ModelName,
    /// The version in use.
    pub version: u32,
    /// Counts the model's changes of incumbent; 1 for its first.
    pub generation: u64,
    /// The bytes to forecast with.
    pub artifact: ArtifactName,
    /// How many there are.
    pub size_bytes: u64,
    /// When it came into use: not before the incumbent before it did, even if a clock was set back.
    pub since: Timestamp,
    /// The version in use before; `None` for a model's first.
    pub previous_version: Option<u32>,
    /// The decision that promoted it.
    pub decision: u64,
}

/// The generation and the start of the incumbent that follows.
pub(crate) fn succession(current: Option<&Incumbent>, now: Timestamp) -> (u64, Timestamp) {
    match current {
        None => (1, now),
        Some(current) => (current.generation + 1, now.max(current.since)),
    }
}
