//! Our properties as AMQP carries them, and back. What comes from the wire was written by anybody.

use jiff::Timestamp;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString, ShortStringError},
};
use protocol::Properties;

use super::names::Names;

/// A text in a header is at most this long; ours are shorter.
const MAX_TEXT_BYTES: usize = 2_048;
/// A property is at most this long. AMQP knows no longer ones.
const MAX_PROPERTY_BYTES: usize = 255;

const DEADLINE: &str = "x-deadline";
const ATTEMPT: &str = "x-attempt";
const FIRST_ERROR: &str = "x-first-error";
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
/// In the place of the property `type`, for clients that cannot set it; likewise the two ids.
const KIND: &str = "x-type";
const MESSAGE_ID: &str = "x-message-id";
const CORRELATION_ID: &str = "x-correlation-id";
/// When it was put onto its queue, or comes back to it, in Unix milliseconds.
const QUEUED_AT: &str = "x-queued-at";
/// How often the message was delivered without being settled, from a queue that does not count.
const UNSETTLED: &str = "x-unsettled";
/// Why a dead letter died, for people.
pub(super) const REASON: &str = "x-reason";
/// When it died, in Unix milliseconds.
pub(super) const DIED_AT: &str = "x-died-at";

/// A message's properties as they came.
#[derive(Debug, PartialEq)]
pub(super) struct Incoming {
    pub(super) properties: Properties,
    /// See [`UNSETTLED`].
    pub(super) unsettled: u32,
    /// See [`QUEUED_AT`].
    pub(super) queued_at: Option<Timestamp>,
}

/// Properties that say something impossible.
#[derive(Debug, PartialEq)]
pub(super) struct Hostile {
    /// What could be read.
    pub(super) readable: Properties,
    /// What could not, for people.
    pub(super) problem: String,
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sending {
    /// Whether it is to survive a restart of the server.
    pub(super) durable: bool,
    /// After this many milliseconds nobody wants it.
    pub(super) expires_in_ms: Option<u64>,
    /// See [`UNSETTLED`].
    pub(super) unsettled: u32,
    /// See [`QUEUED_AT`].
    pub(super) queued_at: Option<Timestamp>,
}

/// The properties and headers of a message that is sent.
pub(super) fn to_wire(
    properties: &Properties,
    sending: Sending,
    names: &Names,
) -> Result<BasicProperties, ShortStringError> {
    let short = |text: &str| ShortString::try_new(text);
    let mut wire = BasicProperties::default()
        .with_content_type(short(&properties.content_type)?)
        .with_type(short(&properties.kind)?)
        .with_message_id(short(&properties.message_id)?)
        .with_delivery_mode(if sending.durable { 2 } else { 1 })
        .with_headers(headers(properties, sending));
    if let Some(encoding) = &properties.content_encoding {
        wire = wire.with_content_encoding(short(encoding)?);
    }
    if let Some(id) = &properties.correlation_id {
        wire = wire.with_correlation_id(short(id)?);
    }
    if let Some(address) = &properties.reply_to {
        wire = wire.with_reply_to(short(&names.address_to_wire(address))?);
    }
    if let Some(milliseconds) = sending.expires_in_ms {
        wire = wire.with_expiration(short(&milliseconds.to_string())?);
    }
    Ok(wire)
}

fn headers(properties: &Properties, sending: Sending) -> FieldTable {
    let mut headers = FieldTable::default();
    add_number(&mut headers, ATTEMPT, properties.attempt.into());
    if let Some(deadline) = properties.deadline {
        add_number(&mut headers, DEADLINE, deadline.as_millisecond());
    }
    for (name, text) in [
        (FIRST_ERROR, &properties.first_error),
        (TRACEPARENT, &properties.traceparent),
        (TRACESTATE, &properties.tracestate),
    ] {
        if let Some(text) = text {
            add_text(&mut headers, name, text);
        }
    }
    if sending.unsettled > 0 {
        add_number(&mut headers, UNSETTLED, sending.unsettled.into());
    }
    if let Some(queued_at) = sending.queued_at {
        add_number(&mut headers, QUEUED_AT, queued_at.as_millisecond());
    }
    headers
}

/// Adds a header; `name` is one of ours.
pub(super) fn add_text(headers: &mut FieldTable, name: &'static str, text: &str) {
    headers.insert(name.into(), AMQPValue::LongString(LongString::from(text)));
}

/// Adds a header; `name` is one of ours.
pub(super) fn add_number(headers: &mut FieldTable, name: &'static str, number: i64) {
    headers.insert(name.into(), AMQPValue::LongLongInt(number));
}

/// The properties of a message that came.
pub(super) fn from_wire(wire: &BasicProperties, names: &Names) -> Result<Incoming, Box<Hostile>> {
    let mut reader = Reader::new(wire);
    let text = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
    let properties = Properties {
        content_type: text(wire.content_type()).unwrap_or_default(),
        content_encoding: text(wire.content_encoding()),
        kind: reader.property(wire.kind().as_ref(), KIND).unwrap_or_default(),
        message_id: reader.property(wire.message_id().as_ref(), MESSAGE_ID).unwrap_or_default(),
        correlation_id: reader.property(wire.correlation_id().as_ref(), CORRELATION_ID),
        reply_to: reader.address(wire.reply_to().as_ref(), names),
        deadline: reader.instant(DEADLINE),
        traceparent: reader.text(TRACEPARENT),
        tracestate: reader.text(TRACESTATE),
        attempt: reader.count(ATTEMPT).unwrap_or(1),
        first_error: reader.text(FIRST_ERROR),
    };
    let unsettled = reader.count(UNSETTLED).unwrap_or(0);
    let queued_at = reader.instant(QUEUED_AT);
    match reader.problem {
        None => Ok(Incoming { properties, unsettled, queued_at }),
        Some(problem) => Err(Box::new(Hostile { readable: properties, problem })),
    }
}

/// What a queue can tell a message by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) kind: String,
    pub(super) message_id: String,
}

impl Identity {
    /// As [`from_wire`] reads it, from whatever came.
    pub(super) fn of(wire: &BasicProperties) -> Self {
        let mut reader = Reader::new(wire);
        Self {
            kind: reader.property(wire.kind().as_ref(), KIND).unwrap_or_default(),
            message_id: reader.property(wire.message_id().as_ref(), MESSAGE_ID).unwrap_or_default(),
        }
    }
}

/// Reads headers, and remembers the first that says something impossible.
struct Reader<'a> {
    headers: Option<&'a FieldTable>,
    problem: Option<String>,
}

impl<'a> Reader<'a> {
    fn new(wire: &'a BasicProperties) -> Self {
        Self { headers: wire.headers().as_ref(), problem: None }
    }

    fn get(&self, name: &str) -> Option<&'a AMQPValue> {
        let value = self.headers?.inner().get(name)?;
        (*value != AMQPValue::Void).then_some(value)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let AMQPValue::LongString(text) = self.get(name)? else {
            return self.impossible(format!("header {name} is not a text"));
        };
        let bytes = text.as_bytes();
        if bytes.len() > MAX_TEXT_BYTES {
            let length = bytes.len();
            let problem = format!("header {name} of {length} bytes: at most {MAX_TEXT_BYTES} are allowed");
            return self.impossible(problem);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => self.impossible(format!("header {name} is not UTF-8")),
        }
    }

    /// A property, or the header that stands in its place: some clients (amqp-tools) can set headers only. What is
    /// too long for a property is cut, so that the message can be sent on, to the dead letters at least.
    fn property(&mut self, property: Option<&ShortString>, header: &str) -> Option<String> {
        if let Some(property) = property {
            return Some(property.as_str().to_owned());
        }
        let mut text = self.text(header)?;
        let length = text.len();
        if length > MAX_PROPERTY_BYTES {
            text.truncate(text.floor_char_boundary(MAX_PROPERTY_BYTES));
            let most = MAX_PROPERTY_BYTES;
            let problem = format!("header {header} of {length} bytes: at most {most} are allowed");
            self.problem.get_or_insert(problem);
        }
        Some(text)
    }

    fn count(&mut self, name: &str) -> Option<u32> {
        let value = self.get(name)?;
        match whole_number(value).and_then(|number| u32::try_from(number).ok()) {
            Some(count) => Some(count),
            None => self.impossible(format!("header {name} is not a count")),
        }
    }

    fn instant(&mut self, name: &str) -> Option<Timestamp> {
        let value = self.get(name)?;
        match whole_number(value).and_then(|number| Timestamp::from_millisecond(number).ok()) {
            Some(instant) => Some(instant),
            None => self.impossible(format!("header {name} is not an instant in Unix milliseconds")),
        }
    }

    fn address(&mut self, name: Option<&ShortString>, names: &Names) -> Option<String> {
        match names.address_from_wire(name?.as_str()) {
            Some(address) => Some(address),
            None => self.impossible("reply_to lacks the prefix of this server's queues".to_owned()),
        }
    }

    fn impossible<T>(&mut self, problem: String) -> Option<T> {
        self.problem.get_or_insert(problem);
        None
    }
}

/// Clients write numbers as wide as they like.
pub(super) fn whole_number(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(number) => Some(number.into()),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        AMQPValue::ShortInt(number) => Some(number.into()),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::LongInt(number) => Some(number.into()),
        AMQPValue::LongUInt(number) => Some(number.into()),
        AMQPValue::LongLongInt(number) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::settings::RabbitSettings, *};

    fn with_header(name: &'static str, text: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        add_text(&mut headers, name, text);
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn whatever_can_be_read_can_be_sent_on() {
        let names = Names::new(&RabbitSettings::new("amqp://localhost", "test"));
        for name in [KIND, MESSAGE_ID, CORRELATION_ID, FIRST_ERROR, TRACEPARENT, TRACESTATE] {
            for length in [0, 1, 127, 128, 129, 200, 1024, 1025, 5000] {
                let read = from_wire(&with_header(name, &"ü".repeat(length)), &names);
                let properties = read.map_or_else(|hostile| hostile.readable, |incoming| incoming.properties);
                let sent = to_wire(&properties, Sending::default(), &names);
                assert!(sent.is_ok(), "{name} of {length} letters: {sent:?}");
            }
        }
    }

    #[test]
    fn a_message_is_known_by_its_headers_where_it_has_no_properties() {
        let by_header = with_header(MESSAGE_ID, "a");
        let by_property = BasicProperties::default().with_message_id("a".into());
        assert_eq!(Identity::of(&by_header), Identity::of(&by_property));
        assert_ne!(Identity::of(&by_header), Identity::of(&with_header(MESSAGE_ID, "b")));
    }
}
