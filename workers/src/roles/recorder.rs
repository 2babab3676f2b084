//! Writes observations and forecasts issued into the history.

use std::sync::Arc;

use protocol::Queue;
use tokio_util::sync::CancellationToken;

use super::{Work, work};
use crate::{
    environment::Environment,
    handlers::{RecordForecastsHandler, RecordObservationsHandler},
};

/// Batches in hand at once. The history has one writer; a second batch is decoded meanwhile.
const PREFETCH: u16 = 2;

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let observations = RecordObservationsHandler {
        registry: environment.registry.clone(),
        history: environment.history.clone(),
    };
    let forecasts = RecordForecastsHandler { history: environment.history.clone() };
    let on = |queue| Work { queue, prefetch: PREFETCH, time_limit: None };
    tokio::join!(
        work(environment, on(Queue::Observations), observations, stop.clone()),
        work(environment, on(Queue::ForecastsIssued), forecasts, stop),
    );
    Ok(())
}
