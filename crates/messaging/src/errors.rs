//! What can go wrong, one enum per operation.

use protocol::{Destination, MAX_BODY_BYTES, Queue};

/// Any error, as the source of ours.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The body exceeds the limit; it never will be accepted.
    #[error("a body of {size_bytes} bytes is too large, at most {MAX_BODY_BYTES} are allowed")]
    TooLarge {
        /// The size of the body.
        size_bytes: usize,
    },
    /// The destination does not exist. Of an asker: it has gone (an embedded broker cannot know and
    /// accepts the reply).
    #[error("{0} does not exist")]
    Unroutable(Destination),
    /// The broker cannot take it now; whether it arrived is not known. Publish it again.
    #[error("the broker cannot be reached for publishing")]
    Unavailable(#[source] BoxError),
}

/// Why nothing is delivered.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The broker cannot deliver now, or has ended the consumer. Consume anew.
    #[error("the broker cannot be reached for consuming")]
    Unavailable(#[source] BoxError),
    /// Work queues belong to the process that owns the data folder.
    #[error("{0} can be consumed only by the process that owns the data folder")]
    NotOwner(Queue),
}

/// Why a delivery was not settled. Its message comes back.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The delivery is no longer this consumer's: its lease ended, and the message may be with another.
    #[error("the delivery was taken away before it was settled")]
    LeaseLost,
    /// The broker cannot be reached.
    #[error("the broker cannot be reached for settling")]
    Unavailable(#[source] BoxError),
}

/// Why a question about a queue has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the broker cannot be reached")]
pub struct BrokerError(#[source] pub BoxError);

/// Refuses a body that other brokers would refuse.
pub(crate) fn check_size(message: &protocol::WireMessage) -> Result<(), PublishError> {
    let size_bytes = message.body.len();
    if size_bytes > MAX_BODY_BYTES {
        return Err(PublishError::TooLarge { size_bytes });
    }
    Ok(())
}
