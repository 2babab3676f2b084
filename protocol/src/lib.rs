//! What travels on the queues, and nothing else: the messages with their kinds and versions, the
//! envelope around them, the codec with its limits, and the names of exchanges and queues. No I/O.
//!
//! A kind is a wire name and never changes; Rust types may be renamed. Readers ignore fields they do
//! not know, new fields have defaults, and a version rises only when an old reader would misunderstand.
//! `samples/` keeps one JSON file per kind and version, and a test reads every one for ever.

mod names;

mod envelope;

pub mod headers;

mod codec;
mod finite;

pub mod messages;

#[cfg(test)]
mod asyncapi;

pub use codec::{
    ContentType, DecodeError, EncodeError, MAX_BODY_BYTES, check_json_depth, decode, decode_untyped, encode,
};
pub use envelope::{MAX_ID_BYTES, Message, Properties, Publication, Reply, WireMessage};
pub use names::{Destination, Exchange, InvalidAddress, Queue, ReplyAddress, RoutingKey};
