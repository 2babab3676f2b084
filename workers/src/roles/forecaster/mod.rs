//! Answers forecast requests from memory: no query per request.
//!
//! What answers is in memory (`up_to_date`: models in `serving`, recent history in `recent`). One task looks
//! at registry and history and keeps the local copy, as `looks` says when; another one hears the `events`
//! that make a look worth while. Forecasts that were given out leave in batches (`issued`) and never hold up
//! a reply.

mod up_to_date;

mod looks;

mod serving;

mod recent;

mod events;

pub mod local_copy;

mod issued;

pub use events::EVENTS;
pub use issued::IssuedLog;
pub use looks::{Looked, Looks};
pub use recent::{RecentHistory, window, window_begins};
pub use serving::{Heard, InRegistry, ServingModels};
pub use up_to_date::{Keeper, UpToDate};

use std::{sync::Arc, time::Duration};

use protocol::Queue;
use runner::CpuPool;
use tokio_util::sync::CancellationToken;

use self::local_copy::LocalCopy;
use super::{Work, spawned, work};
use crate::{environment::Environment, handlers::ForecastHandler, health::KNOWS_ANSWERS};

/// Durable requests in hand at once: others are waited for, and one that kills the process takes none along.
const BATCH_PREFETCH: u16 = 1;
/// With something in the local copy, answering does not wait longer for registry and history than this.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let config = &environment.config;
    // Where the queue is embedded, everything is on the local disk as it is.
    let local = if config.is_embedded() {
        None
    } else {
        LocalCopy::open(&config.forecaster_folder(), config.forecaster.disk.as_u64())?
    };
    let keeper = Keeper::new(environment, local);
    let up_to_date = keeper.up_to_date();
    let answers = up_to_date.clone();
    environment.health.report(KNOWS_ANSWERS, move || answers.looks.is_servable());
    let (broker, models) = (environment.broker.clone(), keeper.models());
    let hearing = spawned(events::hear(broker, up_to_date.clone(), models, stop.clone()));
    let keeping = spawned(keeper.keep(stop.clone()));
    let answering = async {
        // Requests that cannot be answered yet are left to forecasters that can.
        let servable = up_to_date.looks.wait_until_servable(FIRST_LOOK);
        match stop.run_until_cancelled(servable).await {
            Some(()) => answer(environment, up_to_date.clone(), stop.clone()).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(hearing, keeping, answering)?;
    Ok(())
}

/// Answers requests until `stop`.
async fn answer(
    environment: &Arc<Environment>,
    up_to_date: Arc<UpToDate>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let config = &environment.config;
    let out_of_time = CancellationToken::new();
    let grace = tokio::spawn(end_of_grace(stop.clone(), config.runner.grace, out_of_time.clone()));
    let (issued, log) = IssuedLog::new(environment.clock.clone());
    let logging = tokio::spawn(log.publish(environment.broker.clone(), out_of_time));

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
    // The handlers are gone and with them the log's sender: what was issued is published, while there is time.
    logging.await?;
    grace.abort();
    Ok(())
}

/// Ends `out_of_time` when the grace after `stop` is over.
async fn end_of_grace(stop: CancellationToken, grace: Duration, out_of_time: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
    out_of_time.cancel();
}
