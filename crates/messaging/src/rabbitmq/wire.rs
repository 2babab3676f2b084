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
/// A text in a property, by AMQP itself.
const MAX_PROPERTY_BYTES: usize = 255;

/// A message's properties as they came.
#[derive(Debug, PartialEq)]
pub(super) struct Incoming {
    pub(super) properties: Properties,
    /// See [`headers::UNSETTLED`].
    pub(super) unsettled: u32,
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
        .with_headers(headers_of(properties, sending.unsettled));
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

fn headers_of(properties: &Properties, unsettled: u32) -> FieldTable {
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
    if unsettled > 0 {
        add_number(&mut headers, headers::UNSETTLED, unsettled.into());
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
        kind: reader.either(wire.kind(), headers::KIND).unwrap_or_default(),
        message_id: reader.either(wire.message_id(), headers::MESSAGE_ID).unwrap_or_default(),
        correlation_id: reader.either(wire.correlation_id(), headers::CORRELATION_ID),
        reply_to: reader.address(wire.reply_to().as_ref(), names),
        deadline: reader.deadline(),
        traceparent: reader.text(headers::TRACEPARENT),
        tracestate: reader.text(headers::TRACESTATE),
        attempt: reader.count(headers::ATTEMPT).unwrap_or(1),
        first_error: reader.text(headers::FIRST_ERROR),
    };
    let unsettled = reader.count(headers::UNSETTLED).unwrap_or(0);
    match reader.problem {
        None => Ok(Incoming { properties, unsettled }),
        Some(problem) => Err(Box::new(Hostile { readable: properties, problem })),
    }
}

/// Kind and id of a message, whatever else it says.
pub(super) fn kind_and_id(wire: &BasicProperties) -> (String, String) {
    let mut reader = Reader::new(wire);
    let kind = reader.either(wire.kind(), headers::KIND);
    let message_id = reader.either(wire.message_id(), headers::MESSAGE_ID);
    (kind.unwrap_or_default(), message_id.unwrap_or_default())
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

    /// A property, or the header in its place: some clients (amqp-tools) can set headers, but not these properties.
    fn either(&mut self, property: &Option<ShortString>, header: &str) -> Option<String> {
        // It must fit a property, because that is what it becomes when the message goes on.
        property
            .as_ref()
            .map(|text| text.as_str().to_owned())
            .or_else(|| self.text_of(header, MAX_PROPERTY_BYTES))
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.text_of(name, MAX_TEXT_BYTES)
    }

    fn text_of(&mut self, name: &str, most_bytes: usize) -> Option<String> {
        let AMQPValue::LongString(text) = self.get(name)? else {
            return self.impossible(format!("header {name} is not a text"));
        };
        let bytes = text.as_bytes();
        if bytes.len() > most_bytes {
            let length = bytes.len();
            let problem = format!("header {name} of {length} bytes: at most {most_bytes} are allowed");
            return self.impossible(problem);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => self.impossible(format!("header {name} is not UTF-8")),
        }
    }

    fn count(&mut self, name: &str) -> Option<u32> {
        let value = self.get(name)?;
        match whole_number(value).and_then(|number| u32::try_from(number).ok()) {
            Some(count) => Some(count),
            None => self.impossible(format!("header {name} is not a count")),
        }
    }

    fn deadline(&mut self) -> Option<Timestamp> {
        let value = self.get(headers::DEADLINE)?;
        match whole_number(value).and_then(|number| Timestamp::from_millisecond(number).ok()) {
            Some(deadline) => Some(deadline),
            None => {
                let name = headers::DEADLINE;
                self.impossible(format!("header {name} is not an instant in Unix milliseconds"))
            }
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
    use super::*;
    use crate::RabbitSettings;

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

    #[test]
    fn what_is_sent_is_what_is_read() {
        let sending = Sending { durable: true, expires_in_ms: Some(5), unsettled: 2 };
        let wire = to_wire(&full(), sending, &names()).expect("it is short");
        assert_eq!(wire.reply_to().as_ref().map(ShortString::as_str), Some("tenant.replies.0190"));
        assert_eq!(from_wire(&wire, &names()), Ok(Incoming { properties: full(), unsettled: 2 }));
    }

    #[test]
    fn every_header_that_is_sent_is_in_the_contract() {
        let sending = Sending { unsettled: 1, ..Sending::default() };
        let wire = to_wire(&full(), sending, &names()).expect("it is short");
        for name in wire.headers().as_ref().expect("headers").inner().keys() {
            assert!(CONTRACT.contains(&format!("\n        {name}:\n")), "{name} is not in asyncapi.yaml");
        }
    }
}
