//! Names of the headers that travel beside AMQP's properties.

/// When the work is worth nothing any more, in Unix milliseconds.
pub const DEADLINE: &str = "x-deadline";
/// Which attempt this is, from 1.
pub const ATTEMPT: &str = "x-attempt";
/// What the first attempt failed with.
pub const FIRST_ERROR: &str = "x-first-error";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// W3C trace context.
pub const TRACESTATE: &str = "tracestate";

/// In the place of the property `type`, for clients that cannot set it.
pub const KIND: &str = "x-type";
/// In the place of the property `message_id`, likewise.
pub const MESSAGE_ID: &str = "x-message-id";
/// In the place of the property `correlation_id`, likewise.
pub const CORRELATION_ID: &str = "x-correlation-id";

/// When it was put onto its queue, or comes back to it, in Unix milliseconds.
pub const QUEUED_AT: &str = "x-queued-at";
/// How often the message was delivered without being settled, from a queue that does not count.
pub const UNSETTLED: &str = "x-unsettled";
/// Why a dead letter died, for people.
pub const REASON: &str = "x-reason";
/// When it died, in Unix milliseconds.
pub const DIED_AT: &str = "x-died-at";

/// The attributes of an event, as `CloudEvents` has them in AMQP.
pub mod cloud_events {
    /// The version of `CloudEvents`: 1.0.
    pub const SPEC_VERSION: &str = "cloudEvents:specversion";
    /// The message's id.
    pub const ID: &str = "cloudEvents:id";
    /// The component that says it, `/gatecast/<roles of the process>`.
    pub const SOURCE: &str = "cloudEvents:source";
    /// Kind and version of the message.
    pub const TYPE: &str = "cloudEvents:type";
    /// When it was published, RFC 3339.
    pub const TIME: &str = "cloudEvents:time";
}
