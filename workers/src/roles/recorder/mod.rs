//! Writes observations and forecasts issued into the history.

mod grouped;
mod retention;

use std::sync::Arc;

use protocol::Queue;
use tokio_util::sync::CancellationToken;

pub use grouped::GroupedRecords;

use super::{Work, work};
use crate::{
    environment::Environment,
    handlers::{RecordForecastsHandler, RecordObservationsHandler},
};

/// Messages in hand at once. Those that wait for the history are written in one transaction.
const PREFETCH: u16 = 64;

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let (records, writer) = GroupedRecords::new(usize::from(PREFETCH));
    let writing = tokio::spawn(writer.write(environment.history.clone(), environment.clock.clone()));
    let forgetting = tokio::spawn(retention::keep(
        environment.history.clone(),
        environment.clock.clone(),
        environment.config.retention.clone(),
        stop.clone(),
    ));
    let observations = RecordObservationsHandler { registry: environment.registry.clone(), records };
    let forecasts = RecordForecastsHandler { history: environment.history.clone() };
    let on = |queue| Work { queue, prefetch: PREFETCH, time_limit: None };
    tokio::join!(
        work(environment, on(Queue::Observations), observations, stop.clone()),
        work(environment, on(Queue::ForecastsIssued), forecasts, stop),
    );
    forgetting.await?;
    writing.await?; // ends with the handler, which holds the other end
    Ok(())
}
