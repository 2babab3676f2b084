//! Versions of a model: what its learners fitted.

use std::{fmt, str::FromStr};

use forecasting::{
    artifact::ArtifactName,
    gate::Verdict,
    names::{LearnerName, ModelName},
};
use jiff::Timestamp;

use crate::{Job, JobId, RegistryError, StoredObject};

/// What a training fitted, its artifact already stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The training.
    pub job: JobId,
    /// The model that was trained.
    pub model: ModelName,
    /// Who fitted it.
    pub learner: LearnerName,
    /// The bytes to forecast with.
    pub artifact: ArtifactName,
    /// How many there are.
    pub size_bytes: u64,
    /// Start of the last step whose value training saw.
    pub cut_off: Timestamp,
    /// Training saw what was recorded by then.
    pub as_of: Timestamp,
    /// Hash of the model's specification that training went by.
    pub spec_hash: String,
    /// SHA-256, in hex, of the values that training saw.
    pub data_hash: String,
    /// What every random choice started from.
    pub seed: u64,
    /// The version of the code that trained.
    pub code_version: String,
    /// Who else was fitted and how they did, for people to read.
    pub competed: serde_json::Value,
}

/// A proposal with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// 1, 2, … of its model.
    pub version: u32,
    /// Where it came from.
    pub proposal: Proposal,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// What became of it.
    pub state: VersionState,
    /// Since when.
    pub state_since: Timestamp,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionState {
    /// A candidate: not judged yet, or not on enough evidence.
    Pending,
    /// In use.
    Promoted,
    /// Judged and kept out, or overtaken by a newer winner while it waited.
    Refused,
    /// Was in use.
    Retired,
}

impl VersionState {
    const ALL: [Self; 4] = [Self::Pending, Self::Promoted, Self::Refused, Self::Retired];

    /// What a verdict makes of a candidate.
    pub(crate) fn after(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Promote => VersionState::Promoted,
            Verdict::KeepIncumbent(_) | Verdict::NoCandidate(_) => VersionState::Refused,
            Verdict::NotEnoughEvidence(_) => VersionState::Pending,
        }
    }

    /// The state in one word, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            VersionState::Pending => "pending",
            VersionState::Promoted => "promoted",
            VersionState::Refused => "refused",
            VersionState::Retired => "retired",
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text is not the name of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a state of a version")]
pub struct InvalidState {
    /// The text, cut to 60 characters.
    pub value: String,
}

impl FromStr for VersionState {
    type Err = InvalidState;
    fn from_str(value: &str) -> Result<Self, InvalidState> {
        let found = Self::ALL.into_iter().find(|state| state.name() == value);
        found.ok_or_else(|| InvalidState { value: value.chars().take(60).collect() })
    }
}

impl Proposal {
    pub(crate) fn stored(&self) -> StoredObject {
        StoredObject { name: self.artifact, size_bytes: self.size_bytes }
    }

    /// A version belongs to the model whose job made it.
    pub(crate) fn check(&self, job: &Job) -> Result<(), RegistryError> {
        if self.model == job.model {
            return Ok(());
        }
        let problem = format!("trains {}, its proposal is for {}", job.model, self.model);
        Err(RegistryError::Contradiction { job: job.id.clone(), problem })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_found_by_its_name() {
        for state in VersionState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert!("frozen".parse::<VersionState>().is_err());
    }
}
