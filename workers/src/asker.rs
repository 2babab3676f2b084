//! Asking over the queue: publish a message with an address of our own, wait for the reply.

use std::time::Duration;

use clock::Clock;
use jiff::Timestamp;
use messaging::{Broker, Replies};
use protocol::{ContentType, Destination, Message, Queue, WireMessage};
use tracing::{Instrument as _, field::Empty, info_span, warn};
use uuid::Uuid;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The message is too large, or the broker did not take it.
    #[error("the request could not be published")]
    NotPublished(#[source] anyhow::Error),
    /// The broker was lost while we waited.
    #[error("the reply queue was lost")]
    Lost(#[source] anyhow::Error),
    /// Nobody replied in time.
    #[error("no reply within {} s", waited.as_secs())]
    TimedOut {
        /// How long we waited.
        waited: Duration,
    },
}

/// How often a question is asked.
const TRIES: u32 = 2;

/// A question on its way.
pub struct Asked {
    /// `message_id` of the question; for a train job also the id of the job.
    pub message_id: String,
    replies: Box<dyn Replies>,
}

/// Asks, and asks once more under the same id where the broker was lost meanwhile or nobody replied: a
/// request on a queue that is not durable goes down with the broker.
///
/// `expires`: nobody need begin to answer a try that has waited longer than its half of `patience`.
///
/// # Errors
/// [`AskError`] of the last try.
pub async fn answer<M: Message>(
    broker: &dyn Broker,
    queue: Queue,
    question: &M,
    patience: Duration,
    expires: Option<&dyn Clock>,
) -> Result<WireMessage, AskError> {
    let message_id = Uuid::now_v7().to_string();
    let asking = info_span!(
        "ask",
        otel.name = %format_args!("ask {queue}"),
        otel.kind = "client",
        trace_id = Empty,
    );
    ask_until_answered(broker, queue, question, Try { message_id, patience: patience / TRIES, expires })
        .instrument(asking)
        .await
}

/// What is the same in every try.
struct Try<'a> {
    message_id: String,
    patience: Duration,
    expires: Option<&'a dyn Clock>,
}

async fn ask_until_answered<M: Message>(
    broker: &dyn Broker,
    queue: Queue,
    question: &M,
    each: Try<'_>,
) -> Result<WireMessage, AskError> {
    let Try { message_id, patience, expires } = each;
    let mut tries = 1;
    loop {
        let deadline = expires.map(|clock| clock.now() + patience);
        let answered = match ask_as(broker, queue, question, message_id.clone(), deadline).await {
            Ok(mut asked) => asked.reply(patience).await,
            Err(error) => Err(error),
        };
        match answered {
            Err(error) if tries < TRIES => {
                warn!("{queue}: asked again: {:#}", anyhow::Error::from(error));
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Publishes `question` onto `queue`, to be answered to a private queue of ours.
///
/// # Errors
/// [`AskError::NotPublished`].
pub async fn ask<M: Message>(broker: &dyn Broker, queue: Queue, question: &M) -> Result<Asked, AskError> {
    ask_as(broker, queue, question, Uuid::now_v7().to_string(), None).await
}

async fn ask_as<M: Message>(
    broker: &dyn Broker,
    queue: Queue,
    question: &M,
    message_id: String,
    deadline: Option<Timestamp>,
) -> Result<Asked, AskError> {
    let replies = broker.replies().await.map_err(|e| AskError::Lost(e.into()))?;
    let mut message = WireMessage::new(question, ContentType::MessagePack, message_id.clone())
        .map_err(|e| AskError::NotPublished(e.into()))?;
    message.properties.correlation_id = Some(message_id.clone());
    message.properties.reply_to = Some(replies.address().as_str().to_owned());
    message.properties.deadline = deadline;
    let published = broker.publish(&Destination::Queue(queue), message).await;
    published.map_err(|e| AskError::NotPublished(e.into()))?;
    Ok(Asked { message_id, replies })
}

impl Asked {
    /// Waits for the reply to this question; others on the same address are passed over.
    ///
    /// # Errors
    /// [`AskError::TimedOut`] after `patience`, [`AskError::Lost`] if the broker goes away.
    pub async fn reply(&mut self, patience: Duration) -> Result<WireMessage, AskError> {
        let wait = async {
            loop {
                let reply = self.replies.next().await.map_err(|e| AskError::Lost(e.into()))?;
                if reply.properties.correlation_id.as_deref() == Some(&self.message_id) {
                    return Ok(reply);
                }
            }
        };
        tokio::time::timeout(patience, wait).await.unwrap_or(Err(AskError::TimedOut { waited: patience }))
    }
}
