//! Train jobs.

use std::{fmt, str::FromStr};

use forecasting::names::{LearnerName, ModelName};
use jiff::Timestamp;

/// One training of a model, with everything fixed that its outcome depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The same for a job that is published twice.
    pub id: JobId,
    /// The model to train.
    pub model: ModelName,
    /// Hash of the model's specification to train by.
    pub spec_hash: String,
    /// Training and gate see what was recorded by then.
    pub as_of: Timestamp,
    /// Start of the last step whose value training sees.
    pub cut_off: Timestamp,
    /// Who takes part; empty for all learners of the specification.
    pub learners: Vec<LearnerName>,
    /// Why it was published: a schedule, a person, a drift.
    pub reason: String,
    /// From when on demand is another one, where that was declared: the holdout and its rule follow it.
    pub shift: Option<Timestamp>,
}

/// Tells one job from another: 1 to 200 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(String);

/// A text is not the id of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job id {value:?} must be 1 to 200 bytes without control characters")]
pub struct InvalidJobId {
    /// The text, cut to 60 characters.
    pub value: String,
}

impl JobId {
    /// Checks and takes an id.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidJobId> {
        let value = value.into();
        if (1..=200).contains(&value.len()) && !value.chars().any(char::is_control) {
            return Ok(Self(value));
        }
        Err(InvalidJobId { value: value.chars().take(60).collect() })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;
    fn from_str(value: &str) -> Result<Self, InvalidJobId> {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_job_ids_are_refused() {
        for good in ["nightly bike-demand 2025-03-30T02:00:00Z", "ä", &"x".repeat(200)] {
            assert!(JobId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a\0", "a\nb", &"x".repeat(201)] {
            assert!(JobId::new(bad).is_err(), "{bad:?}");
        }
    }
}
