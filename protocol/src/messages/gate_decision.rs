use super::{CandidateRefused, ModelPromoted, announce};
use crate::{EncodeError, Properties, Publication, Reply};

/// The gatekeeper's answer to a [`TrainResult`](super::TrainResult): one of two events.
#[derive(Debug, Clone, PartialEq)]
pub enum GateDecision {
    /// `model-promoted`.
    Promoted(ModelPromoted),
    /// `candidate-refused`.
    Refused(CandidateRefused),
}

impl Reply for GateDecision {
    /// The event for everybody, then the same for the asker, if one waits.
    fn publications(self, request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        match self {
            Self::Promoted(event) => announce(&event, &event.model, request),
            Self::Refused(event) => announce(&event, &event.model, request),
        }
    }
}
