//! What a judgement was found from, by name: whoever finds these judges it again.

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactName;

/// Which gate this is. Raised by hand with every change after which the same case may be judged otherwise, be it in
/// a single number: a replay tells by it whether the gate changed or what it was given.
pub const VERSION: u32 = 1;

/// Everything that a judgement follows from, beside the job's record and what was known as of the look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The [`VERSION`] of the gate that judged.
    pub gate_version: u32,
    /// Hash of the model's specification: that of the candidate's job.
    pub spec_hash: String,
    /// Hash of the dataset's specification: the current one at the time.
    pub dataset_hash: String,
    /// The artifact of the candidate.
    pub candidate: ArtifactName,
    /// The artifact of the version in use; `None`: the candidate competed with the fallback.
    pub incumbent: Option<ArtifactName>,
}
