//! Names of exchanges and queues, and where a message may go.

use std::fmt;

/// The exchanges. The prefix that tenants and tests share a broker by is the adapter's to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// Direct; the routing key is the queue's name.
    Jobs,
    /// Topic; the routing key is `<kind>.<model or dataset>`.
    Events,
    /// Direct; the routing key is the name of the queue that a message died on.
    Dead,
}

impl Exchange {
    /// Every exchange but those of the delays, which are the adapter's own.
    pub const ALL: [Self; 3] = [Self::Jobs, Self::Events, Self::Dead];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jobs => "gatecast.jobs",
            Self::Events => "gatecast.events",
            Self::Dead => "gatecast.dead",
        }
    }
}

/// The queues that workers consume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// `TrainJob`s, for trainers.
    TrainJobs,
    /// `TrainResult`s, for gatekeepers.
    TrainResults,
    /// `GateRequest`s, the acts of people, for gatekeepers.
    GateRequests,
    /// `ForecastRequest`s, for forecasters.
    ForecastRequests,
    /// `ForecastRequest`s that must survive a restart of the broker, for forecasters that have nothing more
    /// urgent.
    ForecastBatches,
    /// `ObservationBatch`es, for recorders.
    Observations,
    /// `ForecastsIssued`, for recorders.
    ForecastsIssued,
}

impl Queue {
    /// Every queue, in the order of the pipeline.
    pub const ALL: [Self; 7] = [
        Self::TrainJobs,
        Self::TrainResults,
        Self::GateRequests,
        Self::ForecastRequests,
        Self::ForecastBatches,
        Self::Observations,
        Self::ForecastsIssued,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainJobs => "train-jobs",
            Self::TrainResults => "train-results",
            Self::GateRequests => "gate-requests",
            Self::ForecastRequests => "forecast-requests",
            Self::ForecastBatches => "forecast-batches",
            Self::Observations => "observations",
            Self::ForecastsIssued => "forecasts-issued",
        }
    }

    /// The queue of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }

    /// Whether a confirmed message survives the loss of the machine's power. A forecast is pure and its
    /// asker has a deadline and asks again, so its queues trade this for speed.
    pub fn is_durable(self) -> bool {
        match self {
            Self::TrainJobs
            | Self::TrainResults
            | Self::GateRequests
            | Self::ForecastBatches
            | Self::Observations => true,
            Self::ForecastRequests | Self::ForecastsIssued => false,
        }
    }

    /// How often a message may be delivered without ever being settled, which means that its worker died
    /// with it, before it goes to the dead letters. Jobs get as many as a quorum queue of `RabbitMQ` 4
    /// gives, since a fleet that is being restarted kills innocent jobs; a request that its asker repeats is
    /// poison if it does this thrice.
    pub fn delivery_limit(self) -> u32 {
        match self {
            Self::TrainJobs
            | Self::TrainResults
            | Self::GateRequests
            | Self::ForecastBatches
            | Self::Observations => 20,
            Self::ForecastRequests | Self::ForecastsIssued => 3,
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Onto a queue, through [`Exchange::Jobs`].
    Queue(Queue),
    /// To whoever listens, through [`Exchange::Events`].
    Event(RoutingKey),
    /// Back to the one who asked.
    Asker(ReplyAddress),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => queue.fmt(f),
            Self::Event(key) => key.fmt(f),
            Self::Asker(address) => address.fmt(f),
        }
    }
}

/// Routing key of an event: `<kind>.<model or dataset>`, e.g. `model-promoted.bike-demand`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoutingKey(String);

impl RoutingKey {
    /// The key of an event of `kind` about `name`, the checked name of a model or a dataset (never the
    /// id of a series: those are free text of up to 200 bytes).
    pub fn new(kind: &str, name: &str) -> Self {
        Self(format!("{kind}.{name}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a reply may go. Checked, because an address of the asker's free choice would let it make a
/// forecaster publish onto `train-jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyAddress(String);

/// A `reply_to` that no reply may go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "reply_to {0:?} must begin with \"replies.\" or \"amq.rabbitmq.reply-to.\" and have at most 255 bytes"
)]
pub struct InvalidAddress(String);

impl ReplyAddress {
    /// What the name of every private queue for replies begins with, after the prefix of the server's queues.
    pub const PRIVATE: &str = "replies.";
    /// What an address of `RabbitMQ`'s direct reply-to begins with.
    pub const DIRECT: &str = "amq.rabbitmq.reply-to.";

    /// Checks and takes an address.
    ///
    /// # Errors
    /// [`InvalidAddress`] unless it names a private queue for replies.
    pub fn new(address: impl Into<String>) -> Result<Self, InvalidAddress> {
        let address = address.into();
        let private = address.starts_with(Self::PRIVATE) || address.starts_with(Self::DIRECT);
        if private && address.len() <= 255 && !address.chars().any(char::is_control) {
            return Ok(Self(address));
        }
        Err(InvalidAddress(address.chars().take(60).collect()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_found_by_its_name() {
        for queue in Queue::ALL {
            assert_eq!(Queue::from_name(queue.name()), Some(queue));
        }
        assert_eq!(Queue::from_name("train-jobs.dead"), None);
    }

    #[test]
    fn a_reply_goes_to_a_private_queue_only() {
        for good in ["replies.0190", "amq.rabbitmq.reply-to.g1h2"] {
            assert!(ReplyAddress::new(good).is_ok(), "{good}");
        }
        for bad in [
            "train-jobs",
            "",
            "replies",
            "Replies.x",
            "replies.a\0b",
            &format!("replies.{}", "x".repeat(250)),
        ] {
            assert!(ReplyAddress::new(bad).is_err(), "{bad:?}");
        }
    }
}
