//! A message that a consumer holds, and how it lets go of it.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use protocol::{Properties, WireMessage};

use crate::SettleError;

/// A message that is the consumer's until it settles it. Dropped, it goes back to its queue, and counts
/// as delivered without being settled.
pub struct Delivery {
    /// The message.
    pub message: WireMessage,
    /// Since when it could have been delivered: when it was published, sent back, or its delay had passed. `None`
    /// where nobody says so, as of a message that a foreign client published to `RabbitMQ`.
    pub queued_at: Option<Timestamp>,
    receipt: Box<dyn Receipt>,
}

/// What becomes of a delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It has been handled.
    Done,
    /// It failed: back to the end of its queue after `delay`, with `attempt` + 1 and, if it is the first
    /// failure, `first_error`.
    RetryAfter {
        /// The wait.
        delay: Duration,
        /// What it failed with.
        error: String,
    },
    /// Not its turn: back to the end of its queue after `delay`, otherwise unchanged.
    Postpone {
        /// The wait.
        delay: Duration,
    },
    /// It cannot be handled: to the dead letters.
    DeadLetter {
        /// Why, for people.
        reason: String,
    },
    /// It was not touched: back to its old place in its queue at once, unchanged.
    GiveBack,
}

/// An adapter's side of a delivery. One that is dropped without a call of `settle` puts its message back
/// and counts the delivery as unsettled.
#[async_trait]
pub trait Receipt: Send + 'static {
    /// Settles the delivery of `message`.
    async fn settle(self: Box<Self>, message: WireMessage, settlement: Settlement)
    -> Result<(), SettleError>;
}

impl Delivery {
    /// For adapters: a message with the receipt that settles it.
    pub fn new(message: WireMessage, queued_at: Option<Timestamp>, receipt: Box<dyn Receipt>) -> Self {
        Self { message, queued_at, receipt }
    }

    /// Settles the delivery. After an error the message comes back some time.
    pub async fn settle(self, settlement: Settlement) -> Result<(), SettleError> {
        self.receipt.settle(self.message, settlement).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}

/// A longer delay is cut to this one.
pub(crate) const MAX_DELAY: Duration = Duration::from_hours(366 * 24);

/// Counts a failed attempt and keeps the first error, cut to what fits a header.
pub(crate) fn count_failure(properties: &mut Properties, error: &str) {
    const MAX_CHARS: usize = 500;
    properties.attempt = properties.attempt.saturating_add(1);
    properties.first_error.get_or_insert_with(|| error.chars().take(MAX_CHARS).collect());
}

/// As if the message were published now: it has never failed, and a deadline of old would end it before anybody
/// looks at it.
pub(crate) fn renew(properties: &mut Properties) {
    properties.attempt = 1;
    properties.first_error = None;
    properties.deadline = None;
}

/// The reason of a message that was delivered too often without being settled.
pub(crate) fn never_settled(deliveries: u32) -> String {
    format!("delivered {deliveries} times without being settled")
}
