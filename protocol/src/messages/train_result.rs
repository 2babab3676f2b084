use serde::{Deserialize, Serialize};

use crate::{Destination, EncodeError, Message, Properties, Publication, Queue, Reply};

/// What came of a train job; its `message_id` is the job's. Queue: `train-results`.
///
/// Nothing in it counts for the verdict: the gatekeeper reads the version from the registry, loads the
/// stored artifact and computes every number itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TrainResult {
    /// The model that was trained.
    pub model: String,
    /// Candidate or none.
    pub outcome: TrainOutcome,
    /// Set where a candidate that lacked evidence is to be judged again; the `message_id` is another one then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<JudgeAgain>,
}

/// A further look at a candidate that lacked evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JudgeAgain {
    /// The train job whose candidate it is.
    pub job: String,
    /// Which look it is, from 2.
    pub look: u32,
}

/// Candidate or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TrainOutcome {
    /// A version waits for its verdict.
    Candidate {
        /// Number of the version within its model.
        version: u32,
        /// Name of the learner that it came from.
        learner: String,
        /// Who competed for being proposed; empty where only one learner was asked for.
        #[serde(default)]
        competed: Vec<Competitor>,
        /// Learners that could not compete.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<LeftOut>,
        /// Why several learners did not compete and the first that could be fitted was taken, as a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uncontested: Option<String>,
    },
    /// There is nothing to judge.
    NoCandidate {
        /// Why, as a sentence.
        reason: String,
    },
}

/// A learner's errors on origins before the holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Competitor {
    /// Name of the learner.
    pub learner: String,
    /// Mean of the scaled absolute errors.
    #[serde(deserialize_with = "crate::finite::number")]
    pub average_error: f64,
    /// Mean of the worst 1 % of them.
    #[serde(deserialize_with = "crate::finite::number")]
    pub worst_case_error: f64,
    /// Points scored.
    pub rows: u64,
    /// Series scored.
    pub series: u32,
}

/// A learner that could not compete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// Name of the learner.
    pub learner: String,
    /// Why, as a sentence.
    pub reason: String,
}

impl Message for TrainResult {
    const KIND: &'static str = "train-result";
}

impl Reply for TrainResult {
    /// One message for the gatekeeper, which answers the job's asker.
    fn publications(self, request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        let mut message = request.caused(&self)?;
        message.properties.reply_to.clone_from(&request.reply_to);
        Ok(vec![Publication { destination: Destination::Queue(Queue::TrainResults), message }])
    }
}
