//! A broker whose publications are spans of a trace, and carry it on.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{Destination, Queue, WireMessage};
use telemetry::{
    TraceContext,
    message_span::{MessageSpan, Operation},
};
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::{
    Broker, BrokerError, Chosen, ConsumeError, DeadLetter, Deliveries, Depth, Examined, Listener,
    PublishError, Replies,
};

/// A broker that stands in front of another one while traces are on.
pub struct TracedBroker(Arc<dyn Broker>);

impl TracedBroker {
    /// Stands in front of `broker`.
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        Self(broker)
    }

    /// The span of a publication, in the trace of whatever publishes; the message continues it.
    fn sending(&self, to: &Destination, message: &mut WireMessage) -> Span {
        // Addresses and keys have as many values as there are askers and models.
        let place = match to {
            Destination::Queue(queue) => queue.name(),
            Destination::Event(_) => "event",
            Destination::Asker(_) => "reply",
        };
        let span = info_span!(
            "send",
            otel.name = %format_args!("send {place}"),
            otel.kind = "producer",
            trace_id = Empty,
        );
        let properties = &mut message.properties;
        let message_id = &properties.message_id;
        MessageSpan { system: self.0.system(), destination: place, message_id }
            .describe(Operation::Send, &span);
        if let Some(TraceContext { traceparent, tracestate }) = TraceContext::of(&span) {
            properties.traceparent = Some(traceparent);
            properties.tracestate = tracestate;
        }
        span
    }
}

#[async_trait]
impl Broker for TracedBroker {
    fn system(&self) -> &'static str {
        self.0.system()
    }

    async fn publish(&self, to: &Destination, mut message: WireMessage) -> Result<(), PublishError> {
        let span = self.sending(to, &mut message);
        self.0.publish(to, message).instrument(span).await
    }

    async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Deliveries>, ConsumeError> {
        self.0.consume(queue, prefetch).await
    }

    async fn listen(&self, patterns: &[&str]) -> Result<Box<dyn Listener>, ConsumeError> {
        self.0.listen(patterns).await
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, ConsumeError> {
        self.0.replies().await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        self.0.depth(queue).await
    }

    async fn dead_letters(&self, queue: Queue, limit: u32) -> Result<Vec<DeadLetter>, BrokerError> {
        self.0.dead_letters(queue, limit).await
    }

    async fn dead_letter(&self, queue: Queue, message_id: &str) -> Result<Option<DeadLetter>, BrokerError> {
        self.0.dead_letter(queue, message_id).await
    }

    async fn replay_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        self.0.replay_dead_letters(queue, which).await
    }

    async fn drop_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        self.0.drop_dead_letters(queue, which).await
    }

    async fn examine(&self) -> Result<Examined, BrokerError> {
        self.0.examine().await
    }
}
