use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::GateErrors;
use crate::Message;

/// The incumbent stays, and why. Event: `candidate-refused.<model>`; also the reply to the asker of the
/// train job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CandidateRefused {
    /// The model.
    pub model: String,
    /// The version that was judged; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Which of the refusing verdicts.
    pub verdict: RefusingVerdict,
    /// Why, in sentences with numbers.
    pub reasons: Vec<String>,
    /// The candidate's errors on the holdout, where they could be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<GateErrors>,
    /// The incumbent's errors on the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incumbent: Option<GateErrors>,
    /// The version that goes on answering; absent: the fallback does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incumbent_version: Option<u32>,
    /// When the decision was recorded.
    pub decided_at: Timestamp,
}

/// A verdict that leaves the incumbent where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusingVerdict {
    /// The candidate did not beat it on both errors, or a person kept it out: the reasons say which.
    KeepIncumbent,
    /// The holdout is too small to tell.
    NotEnoughEvidence,
    /// The train job produced none.
    NoCandidate,
}

impl Message for CandidateRefused {
    const KIND: &'static str = "candidate-refused";
}
