//! What exchanges and queues are called on this server.

use lapin::types::ShortString;
use protocol::{Exchange, Queue, ReplyAddress};
use uuid::Uuid;

use super::{ladder::Step, settings::RabbitSettings};

/// Names with this server's prefix.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
    process: String,
}

impl Names {
    /// The names that checked settings make.
    pub(super) fn new(settings: &RabbitSettings) -> Self {
        Self { prefix: settings.prefix.clone(), process: settings.name.clone() }
    }

    pub(super) fn exchange(&self, exchange: Exchange) -> ShortString {
        self.prefixed(exchange.name())
    }

    /// The exchange of a delay.
    pub(super) fn retry_exchange(&self, step: Step) -> ShortString {
        self.prefixed(&format!("gatecast.retry.{}", step.label()))
    }

    /// The queue that messages wait in for a delay.
    pub(super) fn retry_queue(&self, step: Step) -> ShortString {
        self.prefixed(&format!("retry.{}", step.label()))
    }

    pub(super) fn queue(&self, queue: Queue) -> ShortString {
        self.prefixed(queue.name())
    }

    /// The queue of a queue's dead letters.
    pub(super) fn dead(&self, queue: Queue) -> ShortString {
        self.prefixed(&format!("{}.dead", queue.name()))
    }

    /// The queue of what came back from a queue's consumers unsettled.
    pub(super) fn suspects(&self, queue: Queue) -> ShortString {
        self.prefixed(&format!("{}.suspects", queue.name()))
    }

    /// A fresh queue of events. Never an old name: a lost connection's queue stays locked for a while.
    pub(super) fn fresh_events(&self) -> ShortString {
        self.prefixed(&format!("events.{}.{}", self.process, Uuid::now_v7()))
    }

    /// What events say that they come from: a URI reference, as `CloudEvents` wants it.
    pub(super) fn event_source(&self) -> String {
        format!("/gatecast/{}", self.process)
    }

    /// A fresh address for replies, as the protocol knows it: without the prefix.
    pub(super) fn fresh_reply_address() -> String {
        format!("{}{}", ReplyAddress::PRIVATE, Uuid::now_v7())
    }

    /// The name on the wire of an address: ours has the prefix, a direct reply-to has none.
    pub(super) fn address_to_wire(&self, address: &str) -> String {
        if address.starts_with(ReplyAddress::PRIVATE) {
            format!("{}{address}", self.prefix)
        } else {
            address.to_owned()
        }
    }

    /// The reverse; `None` if it is an address under somebody else's prefix.
    pub(super) fn address_from_wire(&self, name: &str) -> Option<String> {
        match name.strip_prefix(&self.prefix) {
            Some(address) if address.starts_with(ReplyAddress::PRIVATE) => Some(address.to_owned()),
            _ if name.starts_with(ReplyAddress::PRIVATE) => None,
            _ => Some(name.to_owned()),
        }
    }

    fn prefixed(&self, name: &str) -> ShortString {
        let name = format!("{}{name}", self.prefix);
        ShortString::try_new(name).expect("prefix and process name are checked to be short")
    }
}
