//! Fits candidates: one thread per train job, never the async ones.

use std::sync::Arc;

use protocol::Queue;
use runner::CpuPool;
use tokio_util::sync::CancellationToken;

use super::{Work, consumer_timeout, work};
use crate::{environment::Environment, handlers::TrainHandler};

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let settings = &environment.config.trainer;
    let handler = TrainHandler {
        registry: environment.registry.clone(),
        history: environment.history.clone(),
        artifacts: environment.artifacts.clone(),
        cpu: CpuPool::new(settings.slots.into()),
    };
    // A job in hand occupies a thread: more of them would only wait here, where no other trainer sees them.
    let what =
        Work { queue: Queue::TrainJobs, prefetch: settings.slots, time_limit: Some(settings.time_limit) };
    consumer_timeout::warn_if_outlasted(&environment.config, &what, "trainer.time_limit");
    work(environment, what, handler, stop).await;
    Ok(())
}
