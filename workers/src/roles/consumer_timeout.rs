//! Whether a message may take longer than the server waits for its acknowledgement.

use messaging::rabbitmq::DEFAULT_CONSUMER_TIMEOUT;
use tracing::warn;

use super::Work;
use crate::config::Config;

/// Says so in the log if the time limit that the configuration has under `key` outlasts the server's patience.
pub(super) fn warn_if_outlasted(config: &Config, what: &Work, key: &str) {
    if let Some(problem) = outlasted(config, what, key) {
        warn!("{problem}");
    }
}

/// A server that nobody configured takes a message away that takes longer, and gives it to the next.
fn outlasted(config: &Config, what: &Work, key: &str) -> Option<String> {
    let limit =
        what.time_limit.filter(|limit| !config.is_embedded() && *limit >= DEFAULT_CONSUMER_TIMEOUT)?;
    let queue = what.queue;
    Some(format!(
        "{key} = {limit:?} is not below RabbitMQ's default consumer_timeout of {DEFAULT_CONSUMER_TIMEOUT:?}, and a \
         client cannot see whether the server has a longer one: set it as in deploy/rabbitmq/rabbitmq.conf, or a \
         message of {queue} that takes longer is taken away and handled again"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::Queue;

    use super::*;
    use crate::config::PartUrl;

    fn within(limit: Duration) -> Work {
        Work { queue: Queue::TrainResults, prefetch: 1, time_limit: Some(limit) }
    }

    #[test]
    fn a_time_limit_above_the_servers_default_timeout_is_warned_of() {
        let mut config = Config::default();
        let (key, long) = ("gatekeeper.time_limit", within(DEFAULT_CONSUMER_TIMEOUT));
        assert_eq!(outlasted(&config, &long, key), None, "no server takes an embedded message away");
        config.broker.url = PartUrl::from("amqp://host");
        let problem = outlasted(&config, &long, key).expect("a warning");
        assert!(problem.contains("gatekeeper.time_limit = 1800s"), "{problem}");
        assert!(problem.contains("a message of train-results that takes longer"), "{problem}");
        for default in [config.trainer.time_limit, config.gatekeeper.time_limit] {
            assert_eq!(outlasted(&config, &within(default), key), None, "the default fits");
            assert!(default + Duration::from_mins(1) < DEFAULT_CONSUMER_TIMEOUT);
        }
    }
}
