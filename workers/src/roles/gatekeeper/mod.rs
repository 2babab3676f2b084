//! Judges candidates and carries out acts of people. Only gatekeepers change an incumbent, and they alone delete
//! from the artifact store.

pub mod retention;
pub mod second_looks;

use std::sync::Arc;

use protocol::Queue;
use runner::CpuPool;
use tokio_util::sync::CancellationToken;

use super::{Work, consumer_timeout, work};
use crate::{
    config::Config,
    environment::Environment,
    handlers::{ActHandler, JudgeHandler},
};

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    let what = train_results(&environment.config);
    consumer_timeout::warn_if_outlasted(&environment.config, &what, "gatekeeper.time_limit");
    let judging = JudgeHandler {
        registry: environment.registry.clone(),
        history: environment.history.clone(),
        models: environment.models.clone(),
        artifacts: environment.artifacts.clone(),
        cpu: CpuPool::new(1),
    };
    // With a thread of its own: a freeze does not wait for a verdict, or it may come too late for it.
    let acting = ActHandler {
        registry: environment.registry.clone(),
        history: environment.history.clone(),
        models: environment.models.clone(),
        artifacts: environment.artifacts.clone(),
        cpu: CpuPool::new(1),
    };
    tokio::join!(
        work(environment, what, judging, stop.clone()),
        work(environment, gate_requests(&environment.config), acting, stop.clone()),
        second_looks::keep(environment, stop.clone()),
        retention::keep(environment, stop)
    );
    Ok(())
}

/// A verdict that never ends would be taken away by the server and begun anew by the next gatekeeper, and so on.
fn train_results(config: &Config) -> Work {
    Work { queue: Queue::TrainResults, prefetch: 1, time_limit: Some(config.gatekeeper.time_limit) }
}

/// A person's act, which may have to load a version and to forecast with it.
fn gate_requests(config: &Config) -> Work {
    Work { queue: Queue::GateRequests, prefetch: 1, time_limit: Some(config.gatekeeper.time_limit) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_verdict_may_take_as_long_as_the_configuration_says() {
        let mut config = Config::default();
        assert_eq!(train_results(&config).time_limit, Some(Duration::from_mins(10)));
        config.gatekeeper.time_limit = Duration::from_secs(7);
        assert_eq!(train_results(&config).time_limit, Some(Duration::from_secs(7)));
    }
}
