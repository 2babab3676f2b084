use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Message;

/// Asks a trainer to fit one candidate. Queue: `train-jobs`. Answered by a [`TrainResult`](super::TrainResult)
/// onto `train-results`; whoever set `reply_to` hears the gatekeeper's decision.
///
/// The job's id is its `message_id`: the same id twice is one job and ends in one decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrainJob {
    /// The model (forecasting task) to train.
    pub model: String,
    /// SHA-256 of the specification to train by, in hex; absent: the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<String>,
    /// Only what was recorded by this instant counts.
    pub as_of: Timestamp,
    /// The last target that training may see; absent: the trainer sizes the holdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<Timestamp>,
    /// Names of the learners that compete; empty: all of the model's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learners: Vec<String>,
    /// Why the job was published.
    #[serde(default)]
    pub reason: TrainReason,
    /// From when on demand is another one (a declared drift): the days since then are split between training and
    /// holdout, and the gate may decide after a few of them. Not after `as_of`. A trainer that does not know
    /// of shifts holds out as ever. Such a job is recorded with the reason `drift`; on the wire its `reason` stays what
    /// it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Timestamp>,
}

impl TrainJob {
    /// Why it was published, in a word: `drift` if a shift is declared, else the name of its reason.
    pub fn why(&self) -> &'static str {
        if self.shift.is_some() { "drift" } else { self.reason.as_str() }
    }
}

/// Why a train job was published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrainReason {
    /// A person or program asked for it.
    #[default]
    Requested,
    /// The model's schedule.
    Scheduled,
}

impl TrainReason {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Scheduled => "scheduled",
        }
    }
}

impl Message for TrainJob {
    const KIND: &'static str = "train-job";
}
