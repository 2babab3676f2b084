//! Bytes to messages and back, with every limit checked before anything is decoded.

use std::io::Read;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::{MAX_ID_BYTES, Message, WireMessage, envelope::kind_and_version};

/// Largest body on the wire, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// Largest growth of a compressed body.
const MAX_EXPANSION: usize = 50;
/// Largest window of a zstd frame, as a power of two: 8 MiB, which RFC 8878 asks encoders not to exceed. A frame's
/// header asks for this memory before it has given out a byte.
const MAX_WINDOW_LOG: u32 = 23;
/// Largest body once it is decompressed, in bytes. A hundred thousand points take 2 MiB, and every two bytes of a
/// hostile body may become 16 in memory.
const MAX_PLAIN_BYTES: usize = 8 << 20;
/// Deepest nesting of a body.
const MAX_DEPTH: usize = 32;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// `application/msgpack`: maps with named fields.
    MessagePack,
    /// `application/json`.
    Json,
}

impl ContentType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessagePack => "application/msgpack",
            Self::Json => "application/json",
        }
    }

    /// The content type of that name; parameters such as `; charset=utf-8` are not known here.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::MessagePack, Self::Json].into_iter().find(|known| known.as_str() == name)
    }
}

/// Why a message could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The body would exceed [`MAX_BODY_BYTES`].
    #[error("{kind} of {size_bytes} bytes is too large, at most {MAX_BODY_BYTES} are allowed")]
    TooLarge {
        /// The kind of the message.
        kind: &'static str,
        /// The size of its body.
        size_bytes: usize,
    },
    /// The message has a value that its encoding cannot hold.
    #[error("{kind} cannot be encoded: {problem}")]
    Unencodable {
        /// The kind of the message.
        kind: &'static str,
        /// What the encoder said.
        problem: String,
    },
}

/// Why a message could not be decoded. It goes to the dead letters at once: another attempt would end
/// the same way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// `message_id` is empty or too long.
    #[error("message_id of {length} bytes: 1 to {MAX_ID_BYTES} are needed")]
    MessageId {
        /// Its length in bytes.
        length: usize,
    },
    /// `correlation_id` is too long.
    #[error("correlation_id of {length} bytes: at most {MAX_ID_BYTES} are allowed")]
    CorrelationId {
        /// Its length in bytes.
        length: usize,
    },
    /// An id holds a character that a terminal, a log or a database would stumble over.
    #[error("{property} holds the control character U+{character:04X}")]
    ControlCharacter {
        /// Which id.
        property: &'static str,
        /// The character.
        character: u32,
    },
    /// `type` names a kind or version that this queue does not take.
    #[error("type {found:?} is unknown here, {expected:?} is expected")]
    Kind {
        /// The type of the message, cut to 60 characters.
        found: String,
        /// What this reader takes.
        expected: String,
    },
    /// `content_type` is not one of ours. Never guessed.
    #[error("content_type {0:?} is unknown: application/msgpack or application/json are expected")]
    ContentType(String),
    /// `content_encoding` is not one of ours.
    #[error("content_encoding {0:?} is unknown: zstd or none is expected")]
    ContentEncoding(String),
    /// The body exceeds [`MAX_BODY_BYTES`], as sent or after decompression.
    #[error("too_large: a body of {what}")]
    TooLarge {
        /// How large, in words.
        what: String,
    },
    /// The body is not what its content type says, or lacks a field.
    #[error("{kind} cannot be decoded: {problem}")]
    Body {
        /// The kind of the message.
        kind: &'static str,
        /// What the decoder said, with the field or the place.
        problem: String,
    },
}

/// Encodes a message.
///
/// # Errors
/// [`EncodeError::TooLarge`] above [`MAX_BODY_BYTES`], so that a publisher learns it before the broker.
pub fn encode<M: Message>(message: &M, content_type: ContentType) -> Result<Bytes, EncodeError> {
    let unencodable = |problem: String| EncodeError::Unencodable { kind: M::KIND, problem };
    let body = match content_type {
        ContentType::MessagePack => {
            rmp_serde::to_vec_named(message).map_err(|e| unencodable(e.to_string()))?
        }
        ContentType::Json => serde_json::to_vec(message).map_err(|e| unencodable(e.to_string()))?,
    };
    if body.len() > MAX_BODY_BYTES {
        return Err(EncodeError::TooLarge { kind: M::KIND, size_bytes: body.len() });
    }
    Ok(body.into())
}

/// Decodes a message of the kind `M`.
///
/// # Errors
/// [`DecodeError`] names the property or field and what is wrong with it.
pub fn decode<M: Message>(message: &WireMessage) -> Result<M, DecodeError> {
    let properties = &message.properties;
    check_ids(message)?;
    let expected = kind_and_version::<M>();
    if properties.kind != expected {
        return Err(DecodeError::Kind { found: cut(&properties.kind), expected });
    }
    let content_type = ContentType::parse(&properties.content_type)
        .ok_or_else(|| DecodeError::ContentType(cut(&properties.content_type)))?;
    let body = plain_body(message)?;
    from_body(content_type, &body).map_err(|problem| DecodeError::Body { kind: M::KIND, problem })
}

/// Decodes a message of any kind for people to look at.
///
/// # Errors
/// [`DecodeError`] if its body is not what its content type says.
pub fn decode_untyped(message: &WireMessage) -> Result<serde_json::Value, DecodeError> {
    let content_type = ContentType::parse(&message.properties.content_type)
        .ok_or_else(|| DecodeError::ContentType(cut(&message.properties.content_type)))?;
    from_body(content_type, &plain_body(message)?)
        .map_err(|problem| DecodeError::Body { kind: "the message", problem })
}

fn from_body<T: DeserializeOwned>(content_type: ContentType, body: &[u8]) -> Result<T, String> {
    match content_type {
        ContentType::MessagePack => from_message_pack(body),
        ContentType::Json => {
            check_json_depth(body)?;
            from_json(body)
        }
    }
}

fn check_ids(message: &WireMessage) -> Result<(), DecodeError> {
    let length = message.properties.message_id.len();
    if length == 0 || length > MAX_ID_BYTES {
        return Err(DecodeError::MessageId { length });
    }
    check_characters("message_id", &message.properties.message_id)?;
    let Some(correlation_id) = message.properties.correlation_id.as_deref() else { return Ok(()) };
    let length = correlation_id.len();
    if length > MAX_ID_BYTES {
        return Err(DecodeError::CorrelationId { length });
    }
    check_characters("correlation_id", correlation_id)
}

/// Refuses control characters and those that turn the direction of text.
fn check_characters(property: &'static str, id: &str) -> Result<(), DecodeError> {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match id.chars().find(|&c| c.is_control() || turns(c)) {
        Some(found) => Err(DecodeError::ControlCharacter { property, character: found.into() }),
        None => Ok(()),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The body without its content encoding.
fn plain_body(message: &WireMessage) -> Result<Bytes, DecodeError> {
    let size = message.body.len();
    if size > MAX_BODY_BYTES {
        return Err(DecodeError::TooLarge {
            what: format!("{size} bytes, at most {MAX_BODY_BYTES} are allowed"),
        });
    }
    match message.properties.content_encoding.as_deref() {
        None => Ok(message.body.clone()),
        Some("zstd") => decompress(&message.body),
        Some(other) => Err(DecodeError::ContentEncoding(cut(other))),
    }
}

/// Reads at most one byte more than allowed, whatever a frame header promises.
fn decompress(body: &[u8]) -> Result<Bytes, DecodeError> {
    let broken = |e: std::io::Error| DecodeError::Body { kind: "zstd frame", problem: e.to_string() };
    let limit = body.len().saturating_mul(MAX_EXPANSION).min(MAX_PLAIN_BYTES);
    let mut plain = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(broken)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(broken)?;
    decoder.take(limit as u64 + 1).read_to_end(&mut plain).map_err(broken)?;
    if plain.len() > limit {
        let size = body.len();
        let what = if limit == MAX_PLAIN_BYTES {
            format!("{size} bytes that expands to more than {MAX_PLAIN_BYTES}")
        } else {
            format!("{size} bytes that expands more than {MAX_EXPANSION} times")
        };
        return Err(DecodeError::TooLarge { what });
    }
    Ok(plain.into())
}

fn from_message_pack<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut decoder = rmp_serde::Deserializer::new(body); // its reader ends where the message does
    decoder.set_max_depth(MAX_DEPTH);
    let message = with_path(&mut decoder)?;
    let rest = decoder.get_ref().len();
    if rest > 0 {
        return Err(format!("{rest} bytes follow the message"));
    }
    Ok(message)
}

fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut decoder = serde_json::Deserializer::from_slice(body);
    let message = with_path(&mut decoder)?;
    decoder.end().map_err(|e| e.to_string())?;
    Ok(message)
}

/// Decodes, and names the field in the error.
fn with_path<'de, T: Deserialize<'de>, D: Deserializer<'de>>(decoder: D) -> Result<T, String> {
    serde_path_to_error::deserialize(decoder).map_err(|e| match e.path().to_string().as_str() {
        "." | "?" => e.inner().to_string(),
        path => format!("{path}: {}", e.inner()),
    })
}

/// Refuses JSON that is nested deeper than 32 levels, before a parser recurses into it.
pub fn check_json_depth(body: &[u8]) -> Result<(), String> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, &byte) in body.iter().enumerate() {
        if in_string {
            (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels at byte {at}"));
        }
    }
    Ok(())
}
