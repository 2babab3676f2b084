//! What every broker can do.

use async_trait::async_trait;
use jiff::Timestamp;
use protocol::{Destination, Queue, ReplyAddress, WireMessage};

use crate::{BrokerError, ConsumeError, Delivery, PublishError};

/// Takes messages, keeps them, and hands them out.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// What kind of broker it is, as traces call it: `rabbitmq`, `sqlite`, `memory`.
    fn system(&self) -> &'static str;

    /// Publishes a message. Returns when the broker has taken responsibility for it; on a durable queue
    /// it then survives the loss of the machine's power.
    ///
    /// Publishers may repeat themselves: on a broker that can tell (not on `RabbitMQ`), a message whose
    /// kind and id are already on that queue, waiting or out for delivery, is accepted and changes nothing.
    async fn publish(&self, to: &Destination, message: WireMessage) -> Result<(), PublishError>;

    /// Consumes a work queue, oldest message first. At most `prefetch` deliveries (at least 1) are out and
    /// unsettled at any time.
    ///
    /// A delivery that is dropped unsettled goes back to its queue at once, those of a process that died
    /// come back when its successor opens the broker. A message that was delivered
    /// [`Queue::delivery_limit`] times without ever being settled goes to the dead letters instead.
    async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Deliveries>, ConsumeError>;

    /// Hears the events published from now on whose routing key matches one of the topic patterns (`*`
    /// stands for one word, `#` for any number of them). An event is a hint and may be missed across a
    /// broken connection; the registry is the truth.
    async fn listen(&self, patterns: &[&str]) -> Result<Box<dyn Listener>, ConsumeError>;

    /// Opens a private queue for replies; its address goes into `reply_to`. It ends when it is dropped.
    async fn replies(&self) -> Result<Box<dyn Replies>, ConsumeError>;

    /// How many messages a queue holds.
    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError>;

    /// The oldest dead letters of a queue, at most `limit`, oldest first. They stay where they are.
    async fn dead_letters(&self, queue: Queue, limit: u32) -> Result<Vec<DeadLetter>, BrokerError>;

    /// The oldest dead letter of a queue with this id, if there is one. It stays where it is.
    async fn dead_letter(&self, queue: Queue, message_id: &str) -> Result<Option<DeadLetter>, BrokerError>;

    /// Puts dead letters back to the end of their queue, as if they were published now: first attempt, no
    /// failure, no deadline. Each is on its queue before it leaves the dead letters. Returns how many.
    async fn replay_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError>;

    /// Deletes dead letters for good. Returns how many.
    async fn drop_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError>;

    /// Looks whether the broker is there and as it should be.
    async fn examine(&self) -> Result<Examined, BrokerError>;
}

/// What a look at a broker found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it is, with its version where it has one.
    pub broker: String,
    /// What is not as this program would have it.
    pub differences: Vec<Difference>,
}

/// An exchange or a queue that is not as this program would declare it. It is used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The exchange or queue.
    pub name: String,
    /// What the broker says.
    pub problem: String,
    /// What would make it right.
    pub mend: String,
}

/// Which dead letters of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// All that are there at the start.
    All,
    /// Those with this message id.
    WithId(String),
}

impl Chosen {
    pub(crate) fn is(&self, message_id: &str) -> bool {
        match self {
            Self::All => true,
            Self::WithId(id) => id == message_id,
        }
    }
}

/// The deliveries of one consumer.
#[async_trait]
pub trait Deliveries: Send {
    /// The next delivery; waits for one. Cancel safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// The consumer has ended and stays so: consume anew.
    async fn next(&mut self) -> Result<Delivery, ConsumeError>;

    /// Ends the consumer, and returns when what it had taken ahead is back in its queue, not counted as
    /// delivered. A drop does the same some time later, and so does the successor of a process that ends
    /// first (on `RabbitMQ` those count as delivered). Deliveries that are out stay so.
    async fn stop(self: Box<Self>);
}

/// The events that one listener hears.
#[async_trait]
pub trait Listener: Send {
    /// The next event; waits for one. Cancel safe.
    ///
    /// # Errors
    /// The listener has ended and stays so: listen anew, then look at the registry.
    async fn next(&mut self) -> Result<WireMessage, ConsumeError>;
}

/// A private queue of replies.
#[async_trait]
pub trait Replies: Send {
    /// The `reply_to` of the requests.
    fn address(&self) -> &ReplyAddress;

    /// The next reply; waits for one. Cancel safe. Replies come in any order: tell them apart by their
    /// `correlation_id`.
    ///
    /// # Errors
    /// The queue has ended and stays so: open another and ask again.
    async fn next(&mut self) -> Result<WireMessage, ConsumeError>;
}

/// How many messages a queue holds. `RabbitMQ` tells less than the others: see `delayed` and `leased`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Could be delivered now.
    pub ready: u64,
    /// Wait for their time (on `RabbitMQ`: those of all queues, which wait together).
    pub delayed: u64,
    /// Are out for delivery, unsettled (on `RabbitMQ`: with this process).
    pub leased: u64,
    /// Dead letters.
    pub dead: u64,
}

/// A message that could not be handled.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The message as it was.
    pub message: WireMessage,
    /// Why, for people.
    pub reason: String,
    /// When it was given up; `None` if nobody says so.
    pub died_at: Option<Timestamp>,
}
