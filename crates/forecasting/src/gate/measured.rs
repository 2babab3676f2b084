//! What a candidate costs whoever serves it. Only who loads it can measure that, so the gate is told, and a replay takes
//! it from the record.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What loading a candidate and answering a request with it took, both done as a forecaster does them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Size of the artifact.
    pub size_bytes: u64,
    /// From asking the store until the model could be asked: the fastest of several loads.
    pub load: SignedDuration,
    /// For one request: the fastest of several answers.
    pub answer: SignedDuration,
    /// Series that the request asked for, each over the whole horizon; 0: there was nothing to ask about.
    pub series: u32,
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timed {
    /// From asking the store until the model can be asked.
    Loading,
    /// One request.
    Answering {
        /// Series that it asked for.
        series: u32,
    },
}
