//! Messages that came back from a consumer unsettled, so that one of them may be what its process died of. They wait
//! on a queue of their own, and each is got when nothing else is in hand: one that comes back from there is the
//! culprit, and no innocent is counted along with it.

use std::{sync::Arc, time::Duration};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicGetOptions},
};
use protocol::{Queue, WireMessage};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{self, Instant, MissedTickBehavior},
};

use super::{
    consumer::{Taken, give_back},
    look,
    office::Office,
    put_back::MessageKey,
    receipt::{RabbitReceipt, Settling},
    wire::{Incoming, from_wire},
    within::{TO_ANSWER, within},
};
use crate::{BoxError, ConsumeError};

/// How long a message that was set apart may wait until somebody looks.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// How long it may wait, at most, until a consumer that is busy all the time makes room for it.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Gets the suspects of one queue, one by one, for one consumer.
pub(super) struct Suspects {
    pub(super) office: Arc<Office>,
    pub(super) queue: Queue,
    pub(super) channel: Channel,
    /// The consumer's, `prefetch` of them.
    pub(super) permits: Arc<Semaphore>,
    pub(super) prefetch: u16,
    pub(super) out: mpsc::Sender<Result<Taken, ConsumeError>>,
}

/// How long suspects have waited for a consumer to hold nothing. One that is busy all the time takes nothing new at
/// last until it is done with what it holds; of a fleet each at another time, since one of them will do.
struct Hurry {
    since: Option<Instant>,
    patience: Duration,
}

impl Hurry {
    fn new() -> Self {
        Self { since: None, patience: LONGEST_WAIT.mul_f64(0.5 + fastrand::f64() / 2.0) }
    }

    /// Whether the wait, which begins with the first call, has been long enough.
    fn has_come(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() >= self.patience
    }

    fn end(&mut self) {
        *self = Self::new();
    }
}

impl Suspects {
    /// Goes on until the consumer ends, or the channel does, which ends the consumer.
    pub(super) async fn feed(self) {
        let mut hurry = Hurry::new();
        let mut looks = time::interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.out.closed() => return,
            }
            if let Err(error) = self.hand_over_all(&mut hurry).await {
                let _ = self.out.send(Err(ConsumeError::Unavailable(error))).await;
                return;
            }
        }
    }

    /// Hands over one suspect after the other, if nothing else is in hand or one has waited for that too long.
    async fn hand_over_all(&self, hurry: &mut Hurry) -> Result<(), BoxError> {
        while look::ready(&self.channel, self.office.names.suspects(self.queue)).await? > 0 {
            let permits = Arc::clone(&self.permits);
            let alone = match permits.clone().try_acquire_many_owned(self.prefetch.into()) {
                Ok(alone) => alone,
                Err(_busy) if !hurry.has_come() => return Ok(()),
                Err(_busy) => tokio::select! {
                    alone = permits.acquire_many_owned(self.prefetch.into()) => alone?,
                    () = self.out.closed() => return Ok(()),
                },
            };
            hurry.end();
            let Some(mut suspect) = self.get().await? else { return Ok(()) };
            suspect.receipt.permits = Some(alone);
            if let Err(mpsc::error::SendError(unsent)) = self.out.send(Ok(suspect)).await {
                // The consumer has ended. What goes back now would be got again at once, and without an end.
                if let Ok(suspect) = unsent {
                    give_back(suspect).await;
                }
                return Ok(());
            }
        }
        hurry.end();
        Ok(())
    }

    /// The oldest; `None` if another process was faster. One that has come back from here is counted and goes to
    /// the end.
    async fn get(&self) -> Result<Option<Taken>, BoxError> {
        loop {
            let name = self.office.names.suspects(self.queue);
            let asked = self.channel.basic_get(name, BasicGetOptions::default());
            let Some(got) = within(TO_ANSWER, "getting a message that was set apart", asked).await? else {
                return Ok(None);
            };
            let delivery = got.delivery;
            let key = MessageKey::new(self.queue, &delivery.properties);
            let incoming = from_wire(&delivery.properties, &self.office.names).unwrap_or_else(|hostile| {
                // Nothing that we set apart, so it is given up.
                let (properties, unsettled) = (hostile.readable, self.queue.delivery_limit());
                Incoming { properties, unsettled, queued_at: None }
            });
            let Incoming { properties, unsettled, queued_at } = incoming;
            let unsettled = unsettled.max(1);
            let message = WireMessage { properties, body: delivery.data.into() };
            if delivery.redelivered || unsettled >= self.queue.delivery_limit() {
                let unsettled = unsettled.saturating_add(u32::from(delivery.redelivered));
                self.office.set_apart(self.queue, &message, unsettled).await?;
                let acknowledged = delivery.acker.ack(BasicAckOptions::default());
                within(TO_ANSWER, "the acknowledgement", acknowledged).await?;
                continue;
            }
            let receipt = RabbitReceipt {
                office: Arc::clone(&self.office),
                queue: self.queue,
                key,
                unsettled,
                is_set_apart: true,
                acker: delivery.acker,
                channel: self.channel.clone(),
                permits: None,
                handed_out: false,
                settling: Settling::NotBegun,
            };
            return Ok(Some(Taken { message, queued_at, receipt }));
        }
    }
}
