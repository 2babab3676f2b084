//! Properties and headers of a message, which `AsyncAPI` calls headers alike.

use serde_json::{Value, json};

use crate::{
    ContentType, MAX_BODY_BYTES, MAX_ID_BYTES,
    headers::{self, cloud_events},
};

/// Names of the schemas.
pub(super) const MESSAGE: &str = "Envelope";
pub(super) const EVENT: &str = "EventEnvelope";
pub(super) const DEAD_LETTER: &str = "DeadLetterEnvelope";

/// Of any message.
pub(super) fn of_messages() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let id = |description: &str| json!({ "type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES, "description": description });
    let content_types = [ContentType::MessagePack.as_str(), ContentType::Json.as_str()];
    json!({
        "type": "object",
        "description": format!("Names without `x-`, `trace` or `cloudEvents:` in front are AMQP's properties, \
            the others headers. A body has at most {MAX_BODY_BYTES} bytes."),
        "required": ["content_type", "type", "message_id"],
        "properties": {
            "content_type": {
                "type": "string", "enum": content_types,
                "description": "MessagePack as maps with named fields. Never guessed from the body. A reply \
                    has its request's.",
            },
            "content_encoding": {
                "type": "string", "enum": ["zstd"],
                "description": "Absent: none. A body may grow to 50 times its size when it is decompressed.",
            },
            "type": text("Kind and version of the message; of another kind or version than its queue takes, it \
                goes to the dead letters."),
            "message_id": id("The key for \"already done\": the same kind and id again is the same work. UUIDv7 \
                from Gatecast."),
            "correlation_id": id("Comes back in the reply; absent: the message_id does."),
            "reply_to": {
                "type": "string", "maxLength": 255,
                "description": "Where the asker waits: `amq.rabbitmq.reply-to`, or a queue whose name begins with \
                    `replies.` (after the prefix). Anything else goes to the dead letters.",
            },
            "expiration": {
                "type": "string", "pattern": "^[0-9]+$",
                "description": "Milliseconds after which RabbitMQ may drop a forecast request.",
            },
            "delivery_mode": { "type": "integer", "enum": [1, 2], "description": "2: on disk." },
            headers::DEADLINE: {
                "type": "integer",
                "description": "Unix time in milliseconds. Work past it is dropped before it is computed, and \
                    not answered.",
            },
            headers::ATTEMPT: {
                "type": "integer", "minimum": 1, "default": 1,
                "description": "Which attempt this is; Gatecast counts it.",
            },
            headers::FIRST_ERROR: text("What the first attempt failed with, for people."),
            headers::TRACEPARENT: text("W3C trace context."),
            headers::TRACESTATE: text("W3C trace context."),
            headers::QUEUED_AT: {
                "type": "integer",
                "description": "Unix time in milliseconds at which it was put onto its queue, or comes back to it; \
                    Gatecast says it.",
            },
            headers::UNSETTLED: {
                "type": "integer", "minimum": 0, "default": 0,
                "description": "How often a worker ended with this message in hand, where the queue does not \
                    count it; Gatecast does.",
            },
            headers::KIND: text("In the place of the property `type`, for clients that cannot set it."),
            headers::MESSAGE_ID: text("In the place of the property `message_id`, likewise."),
            headers::CORRELATION_ID: text("In the place of the property `correlation_id`, likewise."),
        },
    })
}

/// Of an event: the attributes of `CloudEvents` 1.0 in its binary mode for AMQP besides. A copy of an event that is
/// a reply has none of them.
pub(super) fn of_events() -> Value {
    json!({
        "description": "On the exchange of events the attributes of CloudEvents 1.0 stand beside the others; a copy \
            of the event that goes to an asker as a reply has none.",
        "allOf": [{ "$ref": format!("#/components/schemas/{MESSAGE}") }],
        "properties": {
            cloud_events::SPEC_VERSION: { "type": "string", "const": "1.0" },
            cloud_events::ID: { "type": "string", "description": "The message_id." },
            cloud_events::SOURCE: {
                "type": "string", "format": "uri-reference", "examples": ["/gatecast/gatekeeper"],
                "description": "The component that says it, by the roles of its process.",
            },
            cloud_events::TYPE: { "type": "string", "description": "Kind and version." },
            cloud_events::TIME: {
                "type": "string", "format": "date-time", "description": "When it was published.",
            },
        },
    })
}

/// Of a dead letter: the message as it was, and why it died.
pub(super) fn of_dead_letters() -> Value {
    json!({
        "description": "The message's own, and why it died; where RabbitMQ gave it up, `x-death` says so instead.",
        "properties": {
            headers::REASON: { "type": "string", "description": "For people." },
            headers::DIED_AT: { "type": "integer", "description": "Unix time in milliseconds." },
        },
    })
}
