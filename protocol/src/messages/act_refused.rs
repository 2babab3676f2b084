use serde::{Deserialize, Serialize};

use crate::Message;

/// A person's act that changed nothing, and why. To the asker only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActRefused {
    /// For programs.
    pub reason: ActRefusal,
    /// For people: names field and value.
    pub message: String,
}

/// Why an act is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActRefusal {
    /// No specification of that name was applied.
    UnknownModel,
    /// The model has no such version.
    UnknownVersion,
    /// A field of the request has a value that it may not have.
    BadRequest,
    /// It does not fit what is in use, or what binds the gate already.
    NotPossible,
    /// The version cannot be put into use by anybody: its artifact is gone, damaged or foreign, or its forecasts
    /// are no numbers.
    Unusable,
}

impl Message for ActRefused {
    const KIND: &'static str = "act-refused";
}
