//! Incumbents: which version of a model is, or was, in use.

use forecasting::{artifact::ArtifactName, names::ModelName};
use jiff::Timestamp;

use crate::Act;

/// A version in use, from when it was put there to the next one.
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
    /// What put it into use.
    pub made_by: MadeBy,
}

/// What put a version into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeBy {
    /// The decision with this id: the gate promoted it.
    Decision(u64),
    /// A person, past the gate.
    Act(Box<Act>),
}

impl Incumbent {
    /// The act of a person that put it into use; `None` where the gate promoted it.
    pub fn act(&self) -> Option<&Act> {
        match &self.made_by {
            MadeBy::Decision(_) => None,
            MadeBy::Act(act) => Some(act),
        }
    }
}

/// The generation and the start of the incumbent that follows.
pub(crate) fn succession(current: Option<&Incumbent>, now: Timestamp) -> (u64, Timestamp) {
    match current {
        None => (1, now),
        Some(current) => (current.generation + 1, now.max(current.since)),
    }
}
