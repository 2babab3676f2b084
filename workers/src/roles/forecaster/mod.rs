//! Answers forecast requests from memory: no query per request.
//!
//! A task of its own keeps the models (`serving`) and the recent history (`recent`) up to date: an
//! event says that something changed, the registry and the history say what. Forecasts that were given
//! out leave in batches (`issued`) and never hold up a reply.

mod issued;
pub mod local_copy;
mod recent;
mod serving;
mod up_to_date;

pub use issued::IssuedLog;
pub use recent::RecentHistory;
pub use serving::{Heard, ServingModels};
pub use up_to_date::UpToDate;

use std::sync::Arc;

use protocol::Queue;
use runner::CpuPool;
use tokio_util::sync::CancellationToken;

use self::local_copy::LocalCopy;
use super::{Work, work};
use crate::{environment::Environment, handlers::ForecastHandler};

/// Durable requests in hand at once: few, since others are waited for.
const BATCH_PREFETCH: u16 = 4;

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let config = &environment.config;
    // Where the queue is embedded, everything is on the local disk as it is.
    let local = if config.is_embedded() {
        None
    } else {
        LocalCopy::open(&config.forecaster_folder(), config.forecaster.disk.as_u64())?
    };
    let up_to_date = Arc::new(UpToDate::new(environment, local.map(Arc::new)));
    environment.health.answers_from(up_to_date.clone());
    up_to_date.restore().await;
    let poll = config.forecaster.poll;
    let Some(events) = up_to_date.listen(poll, &stop).await else { return Ok(()) };
    // The events are listened to before the first look, so that nothing falls in between.
    if !up_to_date.look_briefly().await && !up_to_date.is_servable() {
        up_to_date.look().await; // there is nothing to answer with before
    }
    let keeping = tokio::spawn(up_to_date.clone().keep(events, poll, stop.clone()));

    let (issued, log) = IssuedLog::new(environment.clock.clone());
    let logging = tokio::spawn(log.publish(environment.broker.clone()));

    let cpu = CpuPool::new(std::thread::available_parallelism().map_or(2, usize::from));
    let handler =
        || ForecastHandler { up_to_date: up_to_date.clone(), issued: issued.clone(), cpu: cpu.clone() };
    let on = |queue, prefetch| Work { queue, prefetch, time_limit: None };
    let (requests, batches) = (
        work(environment, on(Queue::ForecastRequests, config.forecaster.prefetch), handler(), stop.clone()),
        work(environment, on(Queue::ForecastBatches, BATCH_PREFETCH), handler(), stop),
    );
    drop(issued);
    tokio::join!(requests, batches);
    // The handlers are gone and with them the log's sender: what was issued is published, then the log ends.
    logging.await?;
    keeping.await?;
    Ok(())
}
