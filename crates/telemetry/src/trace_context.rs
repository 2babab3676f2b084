//! A place in a trace, as it travels with a message: W3C Trace Context (<https://www.w3.org/TR/trace-context/>).

use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// A place in a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// Version, trace id, span id and flags, in hex.
    pub traceparent: String,
    /// What tracing systems add for themselves.
    pub tracestate: Option<String>,
}

impl TraceContext {
    /// Where `span` is; none while nothing is traced.
    pub fn of(span: &Span) -> Option<Self> {
        let mut context = Self::default();
        TraceContextPropagator::new().inject_context(&span.context(), &mut context);
        (!context.traceparent.is_empty()).then_some(context)
    }

    /// Makes `span`, which nobody has entered yet, the next one in this trace. Text that is no trace context is
    /// passed over: it comes from outside, and no message is refused for it.
    pub fn continue_in(&self, span: &Span) {
        let context = TraceContextPropagator::new().extract(self);
        let sender = context.span().span_context().clone();
        if sender.is_valid() && span.set_parent(context).is_ok() {
            span.add_link(sender);
        }
    }
}

/// The trace that `span` belongs to, in hex; none while nothing is traced.
pub(crate) fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let place = span.span_context();
    place.is_valid().then(|| place.trace_id().to_string())
}

impl Injector for TraceContext {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.traceparent = value,
            TRACESTATE => self.tracestate = (!value.is_empty()).then_some(value),
            _ => {} // W3C Trace Context has no other
        }
    }
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(&self.traceparent),
            TRACESTATE => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}
