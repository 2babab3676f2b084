//! The kinds of messages, one file each, in the order of the pipeline.

mod series_values;

mod train_job;
mod train_result;

mod candidate_refused;
mod gate_decision;
mod model_promoted;

mod act_recorded;
mod act_refused;
mod act_reply;
mod gate_request;

mod forecast_reply;
mod forecast_request;
mod forecasts_issued;

mod observation_batch;
mod observations_recorded;

pub use act_recorded::{ActRecorded, NewIncumbent};
pub use act_refused::{ActRefusal, ActRefused};
pub use act_reply::ActReply;
pub use candidate_refused::{CandidateRefused, RefusingVerdict};
pub use forecast_reply::{
    ForecastReply, Interval, RefusalReason, Route, RouteReason, SeriesForecast, SeriesRefusal,
};
pub use forecast_request::ForecastRequest;
pub use forecasts_issued::{ForecastsIssued, IssuedForecast};
pub use gate_decision::GateDecision;
pub use gate_request::{Act, GateRequest};
pub use model_promoted::{ArtifactReference, GateErrors, ModelPromoted};
pub use observation_batch::ObservationBatch;
pub use observations_recorded::ObservationsRecorded;
pub use series_values::SeriesValues;
pub use train_job::{TrainJob, TrainReason};
pub use train_result::{Competitor, JudgeAgain, LeftOut, TrainOutcome, TrainResult};

use crate::{Destination, EncodeError, Message, Properties, Publication, ReplyAddress, RoutingKey};

/// An event for everybody, and the same as a reply to the asker of `request`, if one waits.
fn announce<M: Message>(
    event: &M,
    about: &str,
    request: &Properties,
) -> Result<Vec<Publication>, EncodeError> {
    let message = request.caused(event)?;
    let to_all = Destination::Event(RoutingKey::new(M::KIND, about));
    let destinations = std::iter::once(to_all).chain(asker(request));
    Ok(destinations.map(|destination| Publication { destination, message: message.clone() }).collect())
}

/// A reply to the asker of `request`, if it left an address that a reply may go to.
fn answer<M: Message>(reply: &M, request: &Properties) -> Result<Vec<Publication>, EncodeError> {
    let Some(destination) = asker(request) else { return Ok(Vec::new()) };
    Ok(vec![Publication { destination, message: request.caused(reply)? }])
}

fn asker(request: &Properties) -> Option<Destination> {
    let address = request.reply_to.as_deref()?;
    ReplyAddress::new(address).ok().map(Destination::Asker)
}
