use super::{ActRecorded, ActRefused, announce, answer};
use crate::{EncodeError, Properties, Publication, Reply};

/// The gatekeeper's answer to a [`GateRequest`](super::GateRequest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActReply {
    /// `act-recorded`.
    Recorded(ActRecorded),
    /// `act-refused`.
    Refused(ActRefused),
}

impl Reply for ActReply {
    /// What was done is said to everybody and to the asker, what was not done to the asker alone.
    fn publications(self, request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        match self {
            Self::Recorded(event) => announce(&event, &event.model, request),
            Self::Refused(refused) => answer(&refused, request),
        }
    }
}
