//! What becomes of a delivery.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    Acker, Channel,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};
use protocol::{Queue, WireMessage};
use tokio::sync::OwnedSemaphorePermit;

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
    pub(super) settled: bool,
}

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
        match settlement {
            Settlement::Done => self.acknowledge().await,
            Settlement::RetryAfter { delay, error } => {
                count_failure(&mut message.properties, &error);
                self.send_back(&message, delay).await
            }
            Settlement::Postpone { delay } => self.send_back(&message, delay).await,
            Settlement::DeadLetter { reason } => {
                let buried = self.office.bury(self.queue, &message, &reason).await;
                buried.map_err(SettleError::Unavailable)?;
                self.acknowledge().await
            }
            Settlement::GiveBack => self.give_back(&message).await,
        }
    }
}

impl RabbitReceipt {
    /// A confirmed copy first, then the acknowledgement: a crash in between doubles the message, and the
    /// other order would lose it.
    async fn send_back(&mut self, message: &WireMessage, delay: Duration) -> Result<(), SettleError> {
        let sent = self.office.send_back(self.queue, message, delay).await;
        sent.map_err(SettleError::Unavailable)?;
        self.acknowledge().await
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
            self.settled = true;
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
        if self.settled || !self.acker.usable() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return; // the process ends, and its connection with it
        };
        if has_suspects(self.queue) && !self.is_set_apart {
            let unsettled = self.unsettled.saturating_add(u32::from(self.handed_out));
            self.office.put_back.note(self.key.clone(), unsettled);
        }
        let (acker, channel, permits) = (self.acker.clone(), self.channel.clone(), self.permits.take());
        let handed_out = self.handed_out;
        runtime.spawn(async move {
            let put_back = async {
                if handed_out {
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
