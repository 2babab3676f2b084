//! Consumers of work queues. A task of its own leases messages ahead, as many as the prefetch allows, so
//! that the consumer may stop waiting at any time without losing one. A message counts as delivered from
//! the moment it is handed out.

use std::sync::Arc;

use async_trait::async_trait;
use database::instant::from_micros;
use jiff::Timestamp;
use protocol::{Queue, WireMessage};
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{self, error::SendError},
    },
    task::JoinHandle,
};
use tracing::error;

use super::{
    caretaker::Chore,
    store::{Store, StoredMessage},
    unavailable,
    work::Lease,
};
use crate::{ConsumeError, Deliveries, Delivery, Receipt, SettleError, Settlement, count_dead_letter};

pub(super) struct SqliteDeliveries {
    leased: mpsc::Receiver<Result<Leased, ConsumeError>>,
    /// The next one to hand out; it stays here if the consumer stops waiting meanwhile.
    handing_out: Option<Leased>,
    feed: JoinHandle<()>,
}

/// A message on its way to the consumer.
struct Leased {
    message: WireMessage,
    /// See [`Delivery::queued_at`].
    queued_at: Option<Timestamp>,
    receipt: SqliteReceipt,
}

/// Starts a consumer.
pub(super) fn start(store: &Arc<Store>, queue: Queue, prefetch: u16) -> SqliteDeliveries {
    let prefetch = usize::from(prefetch.max(1));
    let (out, leased) = mpsc::channel(prefetch);
    let feed = Feed { store: Arc::clone(store), queue, permits: Arc::new(Semaphore::new(prefetch)), out };
    SqliteDeliveries { leased, handing_out: None, feed: tokio::spawn(feed.run()) }
}

#[async_trait]
impl Deliveries for SqliteDeliveries {
    async fn next(&mut self) -> Result<Delivery, ConsumeError> {
        if self.handing_out.is_none() {
            self.handing_out = self.leased.recv().await.transpose()?;
        }
        if let Some(Leased { receipt, .. }) = &self.handing_out
            && let Err(error) = receipt.store.hand_out(&receipt.lease).await
        {
            self.end();
            return Err(unavailable(error));
        }
        let leased = self.handing_out.take();
        let Leased { message, queued_at, mut receipt } =
            leased.ok_or_else(|| unavailable("the consumer has ended"))?;
        receipt.handed_out = true;
        Ok(Delivery::new(message, queued_at, Box::new(receipt)))
    }

    async fn stop(mut self: Box<Self>) {
        self.leased.close();
        if let Some(leased) = self.handing_out.take() {
            give_back(Ok(leased)).await;
        }
        while let Some(leased) = self.leased.recv().await {
            give_back(leased).await;
        }
        let _ = self.feed.await; // it may hold more, and gives it back before it ends
    }
}

impl SqliteDeliveries {
    /// Ends for good. What was taken ahead is dropped, and so put back.
    fn end(&mut self) {
        self.leased = mpsc::channel(1).1;
        self.handing_out = None;
    }
}

/// Leases ahead for one consumer, and ends with it.
struct Feed {
    store: Arc<Store>,
    queue: Queue,
    permits: Arc<Semaphore>,
    out: mpsc::Sender<Result<Leased, ConsumeError>>,
}

impl Feed {
    async fn run(self) {
        let mut bell = self.store.wakes.queue(self.queue).subscribe();
        while let Some(free) = self.free_permits().await {
            bell.mark_unchanged();
            let leased = match self.lease(free).await {
                Ok(leased) => leased,
                Err(error) => {
                    let _ = self.out.send(Err(unavailable(error))).await;
                    return;
                }
            };
            if leased.is_empty() {
                tokio::select! {
                    _ = bell.changed() => {}
                    () = self.out.closed() => return,
                }
            }
            for message in leased {
                if let Err(SendError(leased)) = self.out.send(Ok(message)).await {
                    give_back(leased).await; // the consumer is gone
                }
            }
        }
    }

    /// Waits for a permit, then takes all there are; `None` when the consumer is gone.
    async fn free_permits(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            permit = Arc::clone(&self.permits).acquire_owned() => permit.ok()?,
            () = self.out.closed() => return None,
        };
        let more = std::iter::from_fn(|| Arc::clone(&self.permits).try_acquire_owned().ok());
        Some(std::iter::once(first).chain(more).collect())
    }

    /// Leases as many messages as there are permits, at most.
    async fn lease(&self, permits: Vec<OwnedSemaphorePermit>) -> Result<Vec<Leased>, sqlx::Error> {
        let rows = self.store.lease(self.queue, permits.len()).await?;
        // All receipts first: whatever goes wrong from here on, each message is given back.
        let rows: Vec<(SqliteReceipt, StoredMessage)> = rows
            .into_iter()
            .zip(permits)
            .map(|((lease, message), permit)| (self.receipt(lease, permit), message))
            .collect();
        let mut leased = Vec::with_capacity(rows.len());
        for (mut receipt, row) in rows {
            let queued_at = from_micros(receipt.lease.queued_at).ok();
            match row.read() {
                Ok(message) => leased.push(Leased { message, queued_at, receipt }),
                Err(e) => {
                    let reason = format!("the properties cannot be read: {e}");
                    error!(queue = %self.queue, id = receipt.lease.id, "to the dead letters: {reason}");
                    self.store.bury(&receipt.lease, &reason).await?;
                    count_dead_letter(self.queue, "unreadable");
                    receipt.settled = true;
                }
            }
        }
        Ok(leased)
    }

    fn receipt(&self, lease: Lease, permit: OwnedSemaphorePermit) -> SqliteReceipt {
        SqliteReceipt {
            store: Arc::clone(&self.store),
            lease,
            permit: Some(permit),
            handed_out: false,
            settled: false,
        }
    }
}

/// Puts back what the consumer has not seen. Where that fails, the receipt's drop sees to it.
async fn give_back(leased: Result<Leased, ConsumeError>) {
    if let Ok(Leased { message, receipt, .. }) = leased {
        let _ = Box::new(receipt).settle(message, Settlement::GiveBack).await;
    }
}

struct SqliteReceipt {
    store: Arc<Store>,
    lease: Lease,
    /// Let go when the message is settled or back in its queue.
    permit: Option<OwnedSemaphorePermit>,
    /// Whether the consumer has seen it; else its drop does not count as a delivery.
    handed_out: bool,
    settled: bool,
}

#[async_trait]
impl Receipt for SqliteReceipt {
    async fn settle(
        mut self: Box<Self>,
        message: WireMessage,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        let settled = self.store.settle(&self.lease, message, settlement).await;
        let found = settled.map_err(|e| SettleError::Unavailable(e.into()))?;
        self.settled = true;
        if found { Ok(()) } else { Err(SettleError::LeaseLost) }
    }
}

impl Drop for SqliteReceipt {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let chore = Chore::PutBack {
            lease: self.lease.clone(),
            counts: self.handed_out,
            _permit: self.permit.take(),
        };
        let _ = self.store.chores.send(chore); // else the process is ending, and its successor does it
    }
}
