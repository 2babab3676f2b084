use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Message;

/// Asks for a person's act on a model. Queue: `gate-requests`. Answered by [`ActRecorded`](super::ActRecorded)
/// or [`ActRefused`](super::ActRefused) to `reply_to`.
///
/// The act's id is its `message_id`: the same id twice is one act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GateRequest {
    /// The model.
    pub model: String,
    /// What is to be done.
    pub act: Act,
    /// Who wants it, 1 to 100 bytes.
    pub by: String,
    /// Why, 1 to 1000 bytes: shown wherever the act has an effect.
    pub reason: String,
    /// Until when the act binds the gate. A freeze or a veto without it stays until a later one. With it, a
    /// version that was put into use by hand stays there until then, whoever would beat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What a person does about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// No candidate goes live, whatever the gate finds.
    Freeze,
    /// Candidates may go live again.
    Unfreeze,
    /// Puts a version into use that the gate refused or did not judge yet, if its artifact is sound.
    Force {
        /// The version.
        version: u32,
    },
    /// A version that is not in use never goes live.
    Veto {
        /// The version.
        version: u32,
    },
    /// Puts a version into use again that was before, if its artifact is sound.
    RollBack {
        /// The version; absent: the last one before that is neither vetoed nor unusable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
}

impl Message for GateRequest {
    const KIND: &'static str = "gate-request";
}
