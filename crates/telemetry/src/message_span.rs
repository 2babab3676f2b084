//! What a trace says about messages, in the words of OpenTelemetry's semantic conventions for messaging,
//! version 1.37 (in development: the words are pinned here and stand nowhere else).

use opentelemetry::trace::Status;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace_context::trace_id;

/// What was done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It was put onto a queue.
    Send,
    /// It was handled.
    Process,
}

/// A message that a span is about.
#[derive(Debug, Clone, Copy)]
pub struct MessageSpan<'a> {
    /// What kind of broker carries it, e.g. `rabbitmq`.
    pub system: &'static str,
    /// The queue, or the kind of place.
    pub destination: &'a str,
    /// Its id.
    pub message_id: &'a str,
}

impl MessageSpan<'_> {
    /// Says so in the span. The trace's id goes into the span's field `trace_id`, so that log lines name it.
    pub fn describe(&self, operation: Operation, span: &Span) {
        let Some(trace_id) = trace_id(span) else { return };
        span.record("trace_id", trace_id);
        let operation = match operation {
            Operation::Send => "send",
            Operation::Process => "process",
        };
        span.set_attribute("messaging.system", self.system);
        span.set_attribute("messaging.operation.type", operation);
        span.set_attribute("messaging.operation.name", operation);
        span.set_attribute("messaging.destination.name", self.destination.to_owned());
        span.set_attribute("messaging.message.id", self.message_id.to_owned());
    }
}

/// How the handling of a message ended; `fault`: what went wrong, if anything did.
pub fn ended(span: &Span, outcome: &'static str, fault: bool) {
    span.set_attribute("gatecast.outcome", outcome);
    if fault {
        span.set_status(Status::error(outcome));
    }
}
