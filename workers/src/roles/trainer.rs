//! Fits candidates: one thread per train job, never the async ones.

use std::sync::Arc;

use messaging::rabbitmq::DEFAULT_CONSUMER_TIMEOUT;
use protocol::Queue;
use runner::CpuPool;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Work, work};
use crate::{config::Config, environment::Environment, handlers::TrainHandler};

/// Runs until `stop`.
pub(super) async fn run(environment: &Arc<Environment>, stop: CancellationToken) -> anyhow::Result<()> {
    if let Some(problem) = outlasts_the_consumer_timeout(&environment.config) {
        warn!("{problem}");
    }
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
    work(environment, what, handler, stop).await;
    Ok(())
}

/// A server that nobody configured takes a job away that trains longer, and gives it to the next.
fn outlasts_the_consumer_timeout(config: &Config) -> Option<String> {
    let limit = config.trainer.time_limit;
    (!config.is_embedded() && limit >= DEFAULT_CONSUMER_TIMEOUT).then(|| {
        format!(
            "trainer.time_limit = {limit:?} is not below RabbitMQ's default consumer_timeout of \
             {DEFAULT_CONSUMER_TIMEOUT:?}, and a client cannot see whether the server has a longer one: set it as in \
             deploy/rabbitmq/rabbitmq.conf, or a job that trains longer is taken away and trained again"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::PartUrl;

    #[test]
    fn a_time_limit_above_the_servers_default_timeout_is_warned_of() {
        let mut config = Config::default();
        config.trainer.time_limit = DEFAULT_CONSUMER_TIMEOUT;
        assert_eq!(outlasts_the_consumer_timeout(&config), None, "no server takes an embedded job away");
        config.broker.url = PartUrl::from("amqp://host");
        let problem = outlasts_the_consumer_timeout(&config).expect("a warning");
        assert!(problem.contains("trainer.time_limit = 1800s"), "{problem}");
        config.trainer.time_limit = Config::default().trainer.time_limit;
        assert_eq!(outlasts_the_consumer_timeout(&config), None, "the default fits");
        assert!(config.trainer.time_limit + Duration::from_mins(1) < DEFAULT_CONSUMER_TIMEOUT);
    }
}
