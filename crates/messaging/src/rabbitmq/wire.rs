//! Our properties as AMQP carries them, and back. What comes from the wire was written by anybody.

use jiff::Timestamp;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString, ShortStringError},
};
use protocol::{Properties, headers};

use super::names::Names;

/// A text in a header is at most this long; ours are shorter.
const MAX_TEXT_BYTES: usize = 2_048;
/// A property is at most this long. AMQP knows no longer ones.
const MAX_PROPERTY_BYTES: usize = 255;

/// A message's properties as they came.
#[derive(Debug, PartialEq)]
pub(super) struct Incoming {
    pub(super) properties: Properties,
    /// See [`headers::UNSETTLED`].
    pub(super) unsettled: u32,
    /// See [`headers::QUEUED_AT`].
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
    /// See [`headers::UNSETTLED`].
    pub(super) unsettled: u32,
    /// See [`headers::QUEUED_AT`].
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
        .with_headers(headers_of(properties, sending));
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

fn headers_of(properties: &Properties, sending: Sending) -> FieldTable {
    let mut headers = FieldTable::default();
    add_number(&mut headers, headers::ATTEMPT, properties.attempt.into());
    if let Some(deadline) = properties.deadline {
        add_number(&mut headers, headers::DEADLINE, deadline.as_millisecond());
    }
    for (name, text) in [
        (headers::FIRST_ERROR, &properties.first_error),
        (headers::TRACEPARENT, &properties.traceparent),
        (headers::TRACESTATE, &properties.tracestate),
    ] {
        if let Some(text) = text {
            add_text(&mut headers, name, text);
        }
    }
    if sending.unsettled > 0 {
        add_number(&mut headers, headers::UNSETTLED, sending.unsettled.into());
    }
    if let Some(queued_at) = sending.queued_at {
        add_number(&mut headers, headers::QUEUED_AT, queued_at.as_millisecond());
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
        kind: reader.property(wire.kind().as_ref(), headers::KIND).unwrap_or_default(),
        message_id: reader.property(wire.message_id().as_ref(), headers::MESSAGE_ID).unwrap_or_default(),
        correlation_id: reader.property(wire.correlation_id().as_ref(), headers::CORRELATION_ID),
        reply_to: reader.address(wire.reply_to().as_ref(), names),
        deadline: reader.instant(headers::DEADLINE),
        traceparent: reader.text(headers::TRACEPARENT),
        tracestate: reader.text(headers::TRACESTATE),
        attempt: reader.count(headers::ATTEMPT).unwrap_or(1),
        first_error: reader.text(headers::FIRST_ERROR),
    };
    let unsettled = reader.count(headers::UNSETTLED).unwrap_or(0);
    let queued_at = reader.instant(headers::QUEUED_AT);
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
            kind: reader.property(wire.kind().as_ref(), headers::KIND).unwrap_or_default(),
            message_id: reader.property(wire.message_id().as_ref(), headers::MESSAGE_ID).unwrap_or_default(),
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

    const CONTRACT: &str = include_str!("../../../../protocol/asyncapi.yaml");

    /// A message with everything that a message can say.
    fn full() -> Properties {
        let some = |text: &str| Some(text.to_owned());
        Properties {
            content_type: "application/json".into(),
            content_encoding: some("zstd"),
            kind: "train-job.v1".into(),
            message_id: "id".into(),
            correlation_id: some("correlation"),
            reply_to: some("replies.0190"),
            deadline: Some(Timestamp::UNIX_EPOCH),
            traceparent: some("trace"),
            tracestate: some("state"),
            attempt: 3,
            first_error: some("error"),
        }
    }

    fn names() -> Names {
        let mut settings = RabbitSettings::new("amqp://host", "test");
        settings.prefix = "tenant.".into();
        Names::new(&settings)
    }

    fn full_sending() -> Sending {
        let queued_at = Some(Timestamp::UNIX_EPOCH);
        Sending { durable: true, expires_in_ms: Some(5), unsettled: 2, queued_at }
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let sending = full_sending();
        let wire = to_wire(&full(), sending, &names()).expect("it is short");
        assert_eq!(wire.reply_to().as_ref().map(ShortString::as_str), Some("tenant.replies.0190"));
        let Sending { unsettled, queued_at, .. } = sending;
        assert_eq!(from_wire(&wire, &names()), Ok(Incoming { properties: full(), unsettled, queued_at }));
    }

    #[test]
    fn every_header_that_is_sent_is_in_the_contract() {
        let wire = to_wire(&full(), full_sending(), &names()).expect("it is short");
        for name in wire.headers().as_ref().expect("headers").inner().keys() {
            assert!(CONTRACT.contains(&format!("\n        {name}:\n")), "{name} is not in asyncapi.yaml");
        }
    }

    fn with_header(name: &'static str, text: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        add_text(&mut headers, name, text);
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn whatever_can_be_read_can_be_sent_on() {
        let names = Names::new(&RabbitSettings::new("amqp://localhost", "test"));
        for name in [
            headers::KIND,
            headers::MESSAGE_ID,
            headers::CORRELATION_ID,
            headers::FIRST_ERROR,
            headers::TRACEPARENT,
            headers::TRACESTATE,
        ] {
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
        let by_header = with_header(headers::MESSAGE_ID, "a");
        let by_property = BasicProperties::default().with_message_id("a".into());
        assert_eq!(Identity::of(&by_header), Identity::of(&by_property));
        assert_ne!(Identity::of(&by_header), Identity::of(&with_header(headers::MESSAGE_ID, "b")));
    }
}
