//! The embedded broker: a durable queue in one SQLite file, and no more than that.
//!
//! One process owns the file and consumes; the caller makes sure of that with a lock of its own. Guests
//! (commands that find an owner running) publish, listen and wait for replies. A lease belongs to the
//! owning process and not to a time: the next owner takes back whatever its predecessor left unsettled.
//!
//! What is published onto a durable queue is on the disk before `publish` returns. Everything else, a
//! forecast and its reply included, waits for no disk: it survives `kill -9`, but not a loss of power.

mod store;

mod replay;
mod work;

mod consumer;

mod events;

mod replies;

mod caretaker;

mod wakes;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use clock::Clock;
use protocol::{Destination, Queue, WireMessage};

pub use database::OpenError;

use self::store::Store;
use crate::{
    Broker, BrokerError, Chosen, ConsumeError, DeadLetter, Deliveries, Depth, Examined, Listener,
    PublishError, Replies, errors::check_size,
};

/// The embedded broker.
pub struct SqliteBroker {
    store: Arc<Store>,
}

/// What a process may do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything. There must be no other owner: its leases would be taken away.
    Owner,
    /// Publish, listen, and wait for replies, in a file that an owner has made.
    Guest,
}

impl SqliteBroker {
    /// Opens the file at `path`. An owner creates it where it is missing, and puts back what a dead
    /// predecessor had taken; what had been handed out counts as a delivery without settlement.
    pub async fn open(
        path: impl AsRef<Path>,
        access: Access,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let store = store::open(path.as_ref(), access, clock).await?;
        Ok(Self { store })
    }
}

#[async_trait]
impl Broker for SqliteBroker {
    fn system(&self) -> &'static str {
        "sqlite"
    }

    async fn publish(&self, to: &Destination, message: WireMessage) -> Result<(), PublishError> {
        check_size(&message)?;
        let published = match to {
            Destination::Queue(queue) => self.store.publish_work(*queue, &message).await,
            Destination::Event(key) => self.store.publish_event(key, &message).await,
            Destination::Asker(asker) => self.store.publish_reply(asker, &message).await,
        };
        published.map_err(|e| PublishError::Unavailable(e.into()))
    }

    async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Deliveries>, ConsumeError> {
        if self.store.access == Access::Guest {
            return Err(ConsumeError::NotOwner(queue));
        }
        Ok(Box::new(consumer::start(&self.store, queue, prefetch)))
    }

    async fn listen(&self, patterns: &[&str]) -> Result<Box<dyn Listener>, ConsumeError> {
        let listener = events::SqliteListener::start(&self.store, patterns).await;
        Ok(Box::new(listener.map_err(unavailable)?))
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, ConsumeError> {
        let address = replies::new_address().map_err(unavailable)?;
        Ok(Box::new(replies::SqliteReplies::start(&self.store, address)))
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        let depth = self.store.depth(queue).await;
        depth.map_err(|e| BrokerError(e.into()))
    }

    async fn dead_letters(&self, queue: Queue, limit: u32) -> Result<Vec<DeadLetter>, BrokerError> {
        let dead = self.store.dead_letters(queue, None, limit).await;
        dead.map_err(|e| BrokerError(e.into()))
    }

    async fn dead_letter(&self, queue: Queue, message_id: &str) -> Result<Option<DeadLetter>, BrokerError> {
        let dead = self.store.dead_letters(queue, Some(message_id), 1).await;
        dead.map(|mut letters| letters.pop()).map_err(|e| BrokerError(e.into()))
    }

    async fn replay_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        self.store.replay(queue, which).await.map_err(|e| BrokerError(e.into()))
    }

    async fn drop_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        self.store.drop_dead(queue, which).await.map_err(|e| BrokerError(e.into()))
    }

    async fn examine(&self) -> Result<Examined, BrokerError> {
        self.depth(Queue::TrainJobs).await?;
        Ok(Examined { broker: "SQLite".to_owned(), differences: Vec::new() })
    }
}

fn unavailable(error: impl Into<crate::BoxError>) -> ConsumeError {
    ConsumeError::Unavailable(error.into())
}
