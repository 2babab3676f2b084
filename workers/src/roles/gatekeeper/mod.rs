//! Judges candidates. Only gatekeepers change an incumbent, and they alone delete from the artifact store.

pub mod retention;

use std::sync::Arc;

use protocol::Queue;
use runner::CpuPool;
use tokio_util::sync::CancellationToken;

use super::{Work, work};
use crate::{environment::Environment, handlers::JudgeHandler};

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let handler = JudgeHandler {
        registry: environment.registry.clone(),
        history: environment.history.clone(),
        models: environment.models.clone(),
        artifacts: environment.artifacts.clone(),
        cpu: CpuPool::new(1),
    };
    let what = Work { queue: Queue::TrainResults, prefetch: 1, time_limit: None };
    tokio::join!(work(environment, what, handler, stop.clone()), retention::keep(environment, stop));
    Ok(())
}
