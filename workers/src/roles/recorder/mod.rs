//! Writes observations and forecasts issued into the history.

mod grouped;
mod retention;

use std::sync::Arc;

use protocol::Queue;
use tokio_util::sync::CancellationToken;

pub use grouped::GroupedRecords;

use super::{Work, spawned, work};
use crate::{
    environment::Environment,
    handlers::{RecordForecastsHandler, RecordObservationsHandler},
};

/// Messages of observations in hand at once. Those that wait for the history are written in one transaction.
const OBSERVATIONS: u16 = 64;
/// Messages of forecasts issued likewise: each is a statement of its own with many forecasts, and takes a
/// connection from the observations.
const FORECASTS: u16 = 4;

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let records = GroupedRecords::new(environment.history.clone(), environment.clock.clone());
    let forgetting = spawned(retention::keep(
        environment.history.clone(),
        environment.clock.clone(),
        environment.config.retention.clone(),
        stop.clone(),
    ));
    let observations = RecordObservationsHandler { registry: environment.registry.clone(), records };
    let forecasts = RecordForecastsHandler { history: environment.history.clone() };
    let on = |queue, prefetch| Work { queue, prefetch, time_limit: None };
    let recording = async {
        tokio::join!(
            work(environment, on(Queue::Observations, OBSERVATIONS), observations, stop.clone()),
            work(environment, on(Queue::ForecastsIssued, FORECASTS), forecasts, stop),
        );
        Ok(())
    };
    tokio::try_join!(forgetting, recording)?;
    Ok(())
}
