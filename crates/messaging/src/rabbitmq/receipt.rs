//! What becomes of a delivery.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    Acker, Channel,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};
use protocol::{Queue, WireMessage};
use tokio::{sync::OwnedSemaphorePermit, time};
use tracing::warn;

use super::{
    office::Office,
    put_back::MessageKey,
    topology::has_suspects,
    within::{TO_ANSWER, within},
};
use crate::{Receipt, SettleError, Settlement, delivery::count_failure};

/// A delivery's side of the channel that it came on.
pub(super) struct RabbitReceipt {
    pub(super) office: Arc<Office>,
    pub(super) queue: Queue,
    pub(super) key: MessageKey,
    /// Deliveries before this one that were not settled, as far as we count them.
    pub(super) unsettled: u32,
    /// Whether it waited among the suspects.
    pub(super) is_set_apart: bool,
    pub(super) acker: Acker,
    /// Closed with its last owner, and not before: that would take this delivery away.
    pub(super) channel: Channel,
    /// Let go when the receipt is.
    pub(super) permits: Option<OwnedSemaphorePermit>,
    /// Whether the consumer has seen it; else its drop does not count as a delivery.
    pub(super) handed_out: bool,
    pub(super) settling: Settling,
}

/// How far its settling has come. Once it has begun, the message has killed nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settling {
    NotBegun,
    Begun,
    Done,
}

/// Between two tries to publish a copy that the server does not take; it doubles, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

#[async_trait]
impl Receipt for RabbitReceipt {
    async fn settle(
        mut self: Box<Self>,
        mut message: WireMessage,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        if !self.acker.usable() {
            return Err(SettleError::LeaseLost);
        }
        self.settling = Settling::Begun;
        let copy = match settlement {
            Settlement::Done => return self.acknowledge().await,
            Settlement::GiveBack => return self.give_back(&message).await,
            Settlement::RetryAfter { delay, error } => {
                count_failure(&mut message.properties, &error);
                Copy::Back(delay)
            }
            Settlement::Postpone { delay } => Copy::Back(delay),
            Settlement::DeadLetter { reason } => Copy::Dead(reason),
        };
        // A confirmed copy first, then the acknowledgement: a crash in between doubles the message, and the other
        // order would lose it.
        self.publish(&message, &copy).await?;
        self.acknowledge().await
    }
}

/// What a message goes on as.
enum Copy {
    /// To the end of its queue, after this time.
    Back(Duration),
    /// To the dead letters, for this reason.
    Dead(String),
}

impl RabbitReceipt {
    /// Publishes a copy, however long the server takes none, as long as the message is ours: put back it would come
    /// again at once, and each time count as a delivery.
    async fn publish(&self, message: &WireMessage, copy: &Copy) -> Result<(), SettleError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let published = match copy {
                Copy::Back(delay) => self.office.send_back(self.queue, message, *delay).await,
                Copy::Dead(reason) => self.office.bury(self.queue, message, reason).await,
            };
            let Err(fault) = published else { return Ok(()) };
            if !self.acker.usable() {
                return Err(SettleError::Unavailable(fault));
            }
            if pause == FIRST_PAUSE {
                warn!(queue = %self.queue, "a message is kept, its copy cannot be published: {fault}");
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn acknowledge(&mut self) -> Result<(), SettleError> {
        let acknowledged = self.acker.ack(BasicAckOptions::default());
        self.finish(within(TO_ANSWER, "the acknowledgement", acknowledged).await)
    }

    /// A message that is set apart stays so, and its count is in it; any other finds its old place.
    async fn give_back(&mut self, message: &WireMessage) -> Result<(), SettleError> {
        if self.is_set_apart {
            let sent = self.office.set_apart(self.queue, message, self.unsettled).await;
            sent.map_err(SettleError::Unavailable)?;
            return self.acknowledge().await;
        }
        if has_suspects(self.queue) {
            self.office.put_back.note(self.key.clone(), self.unsettled);
        }
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        let given_back = self.acker.nack(options);
        self.finish(within(TO_ANSWER, "giving a message back", given_back).await)
    }

    fn finish(&mut self, answer: Result<bool, crate::BoxError>) -> Result<(), SettleError> {
        if answer.map_err(SettleError::Unavailable)? {
            self.settling = Settling::Done;
            Ok(())
        } else {
            Err(SettleError::LeaseLost)
        }
    }
}

/// Unsettled: back to its queue. Where the channel is gone the server does that by itself.
impl Drop for RabbitReceipt {
    fn drop(&mut self) {
        if self.handed_out {
            self.office.leased.one_less(self.queue);
        }
        if self.settling == Settling::Done || !self.acker.usable() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return; // the process ends, and its connection with it
        };
        let suspect = self.handed_out && self.settling == Settling::NotBegun;
        if has_suspects(self.queue) && !self.is_set_apart {
            let unsettled = self.unsettled.saturating_add(u32::from(suspect));
            self.office.put_back.note(self.key.clone(), unsettled);
        }
        let (acker, channel, permits) = (self.acker.clone(), self.channel.clone(), self.permits.take());
        runtime.spawn(async move {
            let put_back = async {
                if suspect {
                    acker.reject(BasicRejectOptions { requeue: true }).await // counts on every version
                } else {
                    let (multiple, requeue) = (false, true);
                    acker.nack(BasicNackOptions { multiple, requeue }).await
                }
            };
            let _ = within(TO_ANSWER, "putting a message back", put_back).await;
            drop((channel, permits));
        });
    }
}
