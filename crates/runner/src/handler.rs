//! What a handler is, and what it is told about its message.

use std::{error::Error, sync::Arc, time::Duration};

use clock::Clock;
use jiff::Timestamp;
use protocol::{Message, Properties, Reply};
use tokio_util::sync::CancellationToken;

/// Turns messages of one kind into replies.
///
/// It may run twice for one message. If it changes anything, it repeats its first reply then: it looks up
/// finished work by [`JobContext::message_id`].
pub trait Handler: Send + Sync + 'static {
    /// What it takes.
    type Message: Message;
    /// What it answers. The type says where the answer goes.
    type Reply: Reply;

    /// Handles one message. "No" is a reply; an error is a fault.
    fn handle(
        &self,
        message: Self::Message,
        job: &JobContext,
    ) -> impl Future<Output = Result<Self::Reply, HandleError>> + Send;
}

/// What a handler is told beside the message.
#[derive(Clone)]
pub struct JobContext {
    /// The key for "already done".
    pub message_id: String,
    /// The id that the asker knows the work by.
    pub correlation_id: Option<String>,
    /// Where the asker waits.
    pub reply_to: Option<String>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When the reply is worth nothing any more.
    pub deadline: Option<Timestamp>,
    /// The instant at which the handling began.
    pub now: Timestamp,
    /// Cancelled when nobody waits for the result any more: the time limit has passed, or the process
    /// stops and the grace time is over. Long computations look at it now and then.
    pub stop: CancellationToken,
    clock: Arc<dyn Clock>,
}

impl JobContext {
    /// The context of a message with these properties, whose handling begins now.
    pub fn new(properties: &Properties, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        Self {
            message_id: properties.message_id.clone(),
            correlation_id: properties.correlation_id.clone(),
            reply_to: properties.reply_to.clone(),
            attempt: properties.attempt,
            deadline: properties.deadline,
            now: clock.now(),
            stop,
            clock,
        }
    }

    /// Whether the result is worth anything still: nobody has given it up, and the deadline has not passed.
    /// A computation that had to wait for its turn asks before it begins, and answers
    /// [`HandleError::Expired`].
    pub fn is_wanted(&self) -> bool {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= self.clock.now());
        !is_late && !self.stop.is_cancelled()
    }
}

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// It cannot be handled, now or later: to the dead letters.
    #[error("the message was rejected")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
    /// It may be handled another time: retried after 1 s, 4 s, 16 s and 64 s, then to the dead letters.
    #[error("the message could not be handled this time")]
    Transient(#[source] Box<dyn Error + Send + Sync>),
    /// What it takes is away, a store for example, which is not the message's fault. It comes back every 16 s or so
    /// for as long as that lasts, and no attempt is counted.
    #[error("the message waits for something that is away")]
    Away(#[source] Box<dyn Error + Send + Sync>),
    /// Its deadline has passed since the handling began. Dropped and counted, as one that came too late.
    #[error("the deadline of the message has passed")]
    Expired,
    /// It is not this message's turn. Comes back and does not count as a failure.
    #[error("the message comes back after {after:?}")]
    Postponed {
        /// The wait.
        after: Duration,
    },
}

impl HandleError {
    /// A fault that another attempt would meet again.
    pub fn rejected(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Rejected(error.into())
    }

    /// A fault that may be gone at the next attempt.
    pub fn transient(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Transient(error.into())
    }

    /// A fault of something that every message would meet until it is back.
    pub fn away(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Away(error.into())
    }
}
