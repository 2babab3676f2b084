//! What all parts of one `RabbitBroker` share, and the three ways in which a message leaves it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use clock::Clock;
use lapin::{tcp::OwnedTLSConfig, types::ShortString, uri::AMQPUri};
use protocol::{Exchange, Queue, WireMessage, headers};
use tracing::{error, warn};

use super::{
    ladder::Step,
    line::Line,
    names::Names,
    publisher::{Parcel, Publisher, Undelivered},
    put_back::PutBack,
    settings::{QueueType, RabbitSettings},
    topology::{Topology, queue_type},
    wire::{self, Sending, to_wire},
};
use crate::{BoxError, count_dead_letter, delivery::never_settled};

/// Shared by the broker, its consumers and their deliveries.
pub(super) struct Office {
    pub(super) settings: RabbitSettings,
    pub(super) names: Names,
    pub(super) topology: Arc<Topology>,
    pub(super) clock: Arc<dyn Clock>,
    /// Consumes, and never publishes: a server short of memory stops a connection that publishes, and with
    /// it the acknowledgements.
    pub(super) consuming: Line,
    pub(super) publisher: Publisher,
    pub(super) put_back: PutBack,
    pub(super) leased: Leased,
    /// For connections by hand.
    pub(super) uri: AMQPUri,
    pub(super) tls: OwnedTLSConfig,
    /// Whether a connection broke on a message that may be this queue's.
    pub(super) maybe_unreadable: [AtomicBool; Queue::ALL.len()],
}

impl Office {
    /// Publishes to the end of a work queue.
    pub(super) async fn send_work(&self, queue: Queue, message: &WireMessage) -> Result<(), Undelivered> {
        self.send_to(self.names.queue(queue), queue, message, 0).await
    }

    /// Sets a message apart that came back from a consumer for the `unsettled`-th time; it is buried if that is too
    /// often.
    pub(super) async fn set_apart(
        &self,
        queue: Queue,
        message: &WireMessage,
        unsettled: u32,
    ) -> Result<(), BoxError> {
        if unsettled >= queue.delivery_limit() {
            let reason = never_settled(unsettled);
            return self.give_up(queue, message, (Death::NeverSettled, &reason)).await;
        }
        warn!(%queue, unsettled, "a message came back unsettled, it will be handled alone");
        self.send_to(self.names.suspects(queue), queue, message, unsettled).await.map_err(cause)
    }

    async fn send_to(
        &self,
        key: ShortString,
        queue: Queue,
        message: &WireMessage,
        unsettled: u32,
    ) -> Result<(), Undelivered> {
        let sending = Sending {
            durable: queue.is_durable(),
            expires_in_ms: self.expires_in_ms(queue, message),
            unsettled,
            queued_at: Some(self.clock.now()),
        };
        let parcel = Parcel {
            exchange: self.names.exchange(Exchange::Jobs),
            key,
            mandatory: true,
            properties: to_wire(&message.properties, sending, &self.names).map_err(too_long)?,
            body: message.body.clone(),
        };
        self.publisher.publish_to_topology(&parcel).await
    }

    /// Where a queue has no dead letters of the server's, the server may drop what nobody waits for any
    /// more. What has expired already is left to the runner, which counts it.
    fn expires_in_ms(&self, queue: Queue, message: &WireMessage) -> Option<u64> {
        if queue_type(queue, &self.settings) != QueueType::Classic {
            return None;
        }
        let left = message.properties.deadline?.duration_since(self.clock.now());
        u64::try_from(left.as_millis()).ok().filter(|milliseconds| *milliseconds > 0)
    }

    /// Sends a message back to the end of its queue, after the step of the ladder that is nearest to `delay`.
    pub(super) async fn send_back(
        &self,
        queue: Queue,
        message: &WireMessage,
        delay: Duration,
    ) -> Result<(), BoxError> {
        let Some(step) = Step::nearest(delay) else {
            return self.send_work(queue, message).await.map_err(cause);
        };
        let queued_at = self.clock.now().checked_add(step.delay()).ok();
        let sending = Sending { durable: queue.is_durable(), queued_at, ..Sending::default() };
        let parcel = Parcel {
            exchange: self.names.retry_exchange(step),
            key: self.names.queue(queue),
            mandatory: true,
            properties: to_wire(&message.properties, sending, &self.names)?,
            body: message.body.clone(),
        };
        self.publisher.publish_to_topology(&parcel).await.map_err(cause)
    }

    /// Gives a message up that no consumer is to see.
    pub(super) async fn give_up(
        &self,
        queue: Queue,
        message: &WireMessage,
        (death, reason): (Death, &str),
    ) -> Result<(), BoxError> {
        error!(%queue, "to the dead letters: {reason}");
        self.bury(queue, message, reason).await?;
        count_dead_letter(queue, death.label());
        Ok(())
    }

    /// Puts a message into the dead letters of its queue, with the reason.
    pub(super) async fn bury(
        &self,
        queue: Queue,
        message: &WireMessage,
        reason: &str,
    ) -> Result<(), BoxError> {
        let sending = Sending { durable: true, ..Sending::default() };
        let properties = to_wire(&message.properties, sending, &self.names)?;
        let mut table = properties.headers().clone().unwrap_or_default();
        wire::add_text(&mut table, headers::REASON, reason);
        wire::add_number(&mut table, headers::DIED_AT, self.clock.now().as_millisecond());
        let parcel = Parcel {
            exchange: self.names.exchange(Exchange::Dead),
            key: self.names.queue(queue),
            mandatory: true,
            properties: properties.with_headers(table),
            body: message.body.clone(),
        };
        self.publisher.publish_to_topology(&parcel).await.map_err(cause)
    }
}

/// Why the adapter gives up a message, as a label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// Its properties say something impossible.
    Hostile,
    /// The client library cannot read it.
    Unreadable,
    /// Its workers died with it.
    NeverSettled,
}

impl Death {
    fn label(self) -> &'static str {
        match self {
            Self::Hostile => "hostile",
            Self::Unreadable => "unreadable",
            Self::NeverSettled => "never_settled",
        }
    }
}

pub(super) fn too_long(error: lapin::types::ShortStringError) -> Undelivered {
    Undelivered::Unavailable(error.into())
}

pub(super) fn cause(undelivered: Undelivered) -> BoxError {
    match undelivered {
        Undelivered::Unroutable => "the exchange or its queue is missing".into(),
        Undelivered::Unavailable(error) => error,
    }
}

/// Deliveries that this process holds, by queue.
#[derive(Default)]
pub(super) struct Leased([AtomicU64; Queue::ALL.len()]);

impl Leased {
    pub(super) fn one_more(&self, queue: Queue) {
        self.0[queue as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn one_less(&self, queue: Queue) {
        self.0[queue as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self, queue: Queue) -> u64 {
        self.0[queue as usize].load(Ordering::Relaxed)
    }
}
