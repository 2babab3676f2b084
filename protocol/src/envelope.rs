//! The envelope: what is said about a message beside its body.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ContentType, Destination, EncodeError, encode};

/// Longest `message_id` and `correlation_id`.
pub const MAX_ID_BYTES: usize = 64;

/// A kind of message.
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name on the wire; never changes.
    const KIND: &'static str;
    /// Rises only when an old reader would misunderstand.
    const VERSION: u16 = 1;
}

/// A message as it travels: its properties, and its body as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct WireMessage {
    /// What is said about the body.
    pub properties: Properties,
    /// The encoded message.
    pub body: Bytes,
}

/// The properties of a message, named as in AMQP 0-9-1 where AMQP has a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Properties {
    /// How the body is encoded, e.g. `application/msgpack`; never guessed from the body.
    pub content_type: String,
    /// `zstd`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// Kind and version, e.g. `train-job.v1` (AMQP: `type`).
    pub kind: String,
    /// The key for "already done", at most [`MAX_ID_BYTES`] bytes; unique per kind.
    pub message_id: String,
    /// Taken over from the request into everything that it causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Where the asker waits for the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Work past this instant is dropped before it is computed (header `x-deadline`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// 1 for the first attempt (header `x-attempt`).
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// What the first attempt failed with (header `x-first-error`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
}

fn first_attempt() -> u32 {
    1
}

impl WireMessage {
    /// Puts `message` into an envelope with the given id and nothing else.
    ///
    /// # Errors
    /// [`EncodeError`] if the body would exceed the limit.
    pub fn new<M: Message>(
        message: &M,
        content_type: ContentType,
        message_id: impl Into<String>,
    ) -> Result<Self, EncodeError> {
        let properties = Properties {
            content_type: content_type.as_str().to_owned(),
            content_encoding: None,
            kind: kind_and_version::<M>(),
            message_id: message_id.into(),
            correlation_id: None,
            reply_to: None,
            deadline: None,
            traceparent: None,
            tracestate: None,
            attempt: 1,
            first_error: None,
        };
        Ok(Self { properties, body: encode(message, content_type)? })
    }
}

/// `train-job.v1`.
pub(crate) fn kind_and_version<M: Message>() -> String {
    format!("{}.v{}", M::KIND, M::VERSION)
}

/// A message with its destination, ready to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// Where it goes.
    pub destination: Destination,
    /// What goes there.
    pub message: WireMessage,
}

/// What a handler's answer becomes on the wire. The type names the next queue.
pub trait Reply: Send + 'static {
    /// The publications that this reply to `request` consists of, in the order in which they are made.
    ///
    /// A reply takes over the request's message id, correlation id, reply address and trace, so that a
    /// request handled twice makes the same publications twice.
    ///
    /// # Errors
    /// [`EncodeError`] if a body would exceed the limit.
    fn publications(self, request: &Properties) -> Result<Vec<Publication>, EncodeError>;
}

/// Nothing to say.
impl Reply for () {
    fn publications(self, _request: &Properties) -> Result<Vec<Publication>, EncodeError> {
        Ok(Vec::new())
    }
}

impl Properties {
    /// The envelope of a message that `self` caused: same ids, same asker, same trace, in `self`'s
    /// encoding where that is known.
    ///
    /// # Errors
    /// [`EncodeError`] if the body would exceed the limit.
    pub fn caused<M: Message>(&self, message: &M) -> Result<WireMessage, EncodeError> {
        let content_type = ContentType::parse(&self.content_type).unwrap_or(ContentType::MessagePack);
        let mut caused = WireMessage::new(message, content_type, self.message_id.clone())?;
        caused.properties.correlation_id =
            Some(self.correlation_id.clone().unwrap_or_else(|| self.message_id.clone()));
        caused.properties.traceparent.clone_from(&self.traceparent);
        caused.properties.tracestate.clone_from(&self.tracestate);
        Ok(caused)
    }
}
