//! Consumers of work queues. A task of its own takes what the server sends, so that the consumer may stop
//! waiting at any time, and deals with what must not be handed out.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt as _;
use jiff::Timestamp;
use lapin::{
    Channel, Consumer,
    message::Delivery as WireDelivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
        QueueDeclareOptions,
    },
    types::{FieldTable, ShortString},
};
use protocol::{Queue, WireMessage};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time,
};
use uuid::Uuid;

use super::{
    declare,
    office::{Death, Office},
    put_back::MessageKey,
    receipt::{RabbitReceipt, Settling},
    suspects::Suspects,
    topology::{Setting, has_suspects},
    unavailable, unreadable,
    wire::{Hostile, from_wire},
    within::{TO_ANSWER, within},
};
use crate::{BoxError, ConsumeError, Deliveries, Delivery, Receipt as _, Settlement};

/// A consumer that has held nothing for so long begins anew. A server before 4.0 moves the consumers of a deleted
/// queue to the next queue of that name, and now and then it forgets one over this: it keeps messages for it that
/// it never sends, and nobody is told. (Done on every version: a server may be another one at the next connection.)
const RENEWED_WHEN_IDLE: Duration = Duration::from_secs(3);
/// "Goodbye" in AMQP.
const REPLY_SUCCESS: u16 = 200;

pub(super) struct RabbitDeliveries {
    office: Arc<Office>,
    queue: Queue,
    permits: Arc<Semaphore>,
    taken: mpsc::Receiver<Result<Taken, ConsumeError>>,
    /// Taken, and waiting for a permit.
    next: Option<Taken>,
    /// What was set apart; each comes with all permits.
    suspects: mpsc::Receiver<Result<Taken, ConsumeError>>,
    feeds: Vec<JoinHandle<()>>,
}

/// A message on its way to the consumer.
pub(super) struct Taken {
    pub(super) message: WireMessage,
    /// See [`Delivery::queued_at`].
    pub(super) queued_at: Option<Timestamp>,
    pub(super) receipt: RabbitReceipt,
}

/// A consumer of durable requests gives way to one that has nothing else to do.
fn priority(queue: Queue) -> Vec<(&'static str, Setting)> {
    if queue == Queue::ForecastBatches { vec![("x-priority", Setting::Number(-1))] } else { Vec::new() }
}

/// Starts a consumer, as soon as there is a connection. `prefetch` is at least 1.
pub(super) async fn start(
    office: &Arc<Office>,
    queue: Queue,
    prefetch: u16,
) -> Result<RabbitDeliveries, BoxError> {
    office.publisher.up().await?;
    let connection = office.consuming.up().await?;
    declare::only(&connection, &office.topology, queue).await?;
    if office.maybe_unreadable[queue as usize].swap(false, Ordering::Relaxed) {
        let looked = unreadable::bury_from(office, queue, prefetch).await;
        looked.inspect_err(|_| office.maybe_unreadable[queue as usize].store(true, Ordering::Relaxed))?;
    }
    // Before the first message comes: it may break the connection.
    let for_suspects =
        if has_suspects(queue) { Some(declare::open_channel(&connection).await?) } else { None };
    let source = Source::open(office, queue, prefetch).await?;
    let permits = Arc::new(Semaphore::new(usize::from(prefetch)));
    let (out, taken) = mpsc::channel(usize::from(prefetch) + 1); // and the end
    let feed = Feed { source, permits: Arc::clone(&permits), prefetch, out };
    let mut feeds = vec![tokio::spawn(feed.run())];
    let (out, suspects) = mpsc::channel(1);
    if let Some(channel) = for_suspects {
        let (office, permits) = (Arc::clone(office), Arc::clone(&permits));
        feeds.push(tokio::spawn(Suspects { office, queue, channel, permits, prefetch, out }.feed()));
    }
    Ok(RabbitDeliveries { office: Arc::clone(office), queue, permits, taken, next: None, suspects, feeds })
}

#[async_trait]
impl Deliveries for RabbitDeliveries {
    async fn next(&mut self) -> Result<Delivery, ConsumeError> {
        let Taken { message, queued_at, mut receipt } = tokio::select! {
            biased;
            Some(suspect) = self.suspects.recv() => suspect?,
            permitted = permitted(&mut self.next, &mut self.taken, &self.permits) => permitted?,
        };
        receipt.handed_out = true;
        self.office.leased.one_more(self.queue);
        Ok(Delivery::new(message, queued_at, Box::new(receipt)))
    }

    async fn stop(mut self: Box<Self>) {
        self.taken.close();
        self.suspects.close();
        if let Some(next) = self.next.take() {
            give_back(next).await;
        }
        for taken in [&mut self.taken, &mut self.suspects] {
            while let Some(taken) = taken.recv().await {
                if let Ok(taken) = taken {
                    give_back(taken).await;
                }
            }
        }
        for feed in self.feeds.drain(..) {
            let _ = feed.await; // it may hold more, and gives it back before it ends
        }
    }
}

/// The next of those that were not set apart, as soon as it may be handed out. It stays in `next` until then.
async fn permitted(
    next: &mut Option<Taken>,
    taken: &mut mpsc::Receiver<Result<Taken, ConsumeError>>,
    permits: &Arc<Semaphore>,
) -> Result<Taken, ConsumeError> {
    let ended = || unavailable("the consumer has ended");
    if next.is_none() {
        *next = Some(taken.recv().await.ok_or_else(ended)??);
    }
    let permit = Arc::clone(permits).acquire_owned().await;
    let mut permitted = next.take().ok_or_else(ended)?;
    permitted.receipt.permits = permit.ok();
    Ok(permitted)
}

/// Puts back what the consumer has not seen. Where that fails, the end of the channel does it.
pub(super) async fn give_back(Taken { message, receipt, .. }: Taken) {
    let _ = Box::new(receipt).settle(message, Settlement::GiveBack).await;
}

/// Takes what the server sends to one consumer, and ends with it.
struct Feed {
    source: Source,
    /// The consumer's, `prefetch` of them while it holds nothing.
    permits: Arc<Semaphore>,
    prefetch: u16,
    out: mpsc::Sender<Result<Taken, ConsumeError>>,
}

/// One consumer at the server.
struct Source {
    office: Arc<Office>,
    queue: Queue,
    channel: Channel,
    consumer: Consumer,
}

impl Feed {
    async fn run(self) {
        let Self { mut source, permits, prefetch, out } = self;
        loop {
            let delivery = tokio::select! {
                delivery = source.consumer.next() => delivery,
                () = idle(&permits, prefetch, &out) => match source.renew(prefetch).await {
                    Ok(renewed) => {
                        source = renewed;
                        continue;
                    }
                    Err(error) => return end(out, error).await,
                },
                () = out.closed() => break,
            };
            let delivery = match delivery {
                Some(Ok(delivery)) => delivery,
                // Nothing is left to give back: the queue, the channel or the connection is gone.
                Some(Err(error)) => {
                    let maybe_unreadable = &source.office.maybe_unreadable[source.queue as usize];
                    maybe_unreadable.fetch_or(unreadable::caused(&error), Ordering::Relaxed);
                    return end(out, error.into()).await;
                }
                None => return end(out, "the server has ended the consumer".into()).await,
            };
            match source.take(delivery).await {
                Ok(None) => {}
                Ok(Some(taken)) => drop(out.send(Ok(taken)).await), // unsent, its drop puts it back
                Err(error) => {
                    end(out, error).await;
                    break;
                }
            }
        }
        source.hand_back().await;
    }
}

/// Waits until nothing has come for a while, and nothing is in hand or on its way there. To be begun anew with each
/// delivery.
async fn idle<T>(permits: &Semaphore, prefetch: u16, out: &mpsc::Sender<T>) {
    loop {
        time::sleep(RENEWED_WHEN_IDLE).await;
        let nothing_in_hand = permits.available_permits() == usize::from(prefetch);
        if nothing_in_hand && out.capacity() == out.max_capacity() {
            return;
        }
    }
}

/// The last that the consumer hears.
async fn end(out: mpsc::Sender<Result<Taken, ConsumeError>>, error: BoxError) {
    let _ = out.send(Err(ConsumeError::Unavailable(error))).await;
}

impl Source {
    /// Begins to consume.
    async fn open(office: &Arc<Office>, queue: Queue, prefetch: u16) -> Result<Self, BoxError> {
        let connection = office.consuming.up().await?;
        let channel = declare::open_channel(&connection).await?;
        let bounded = channel.basic_qos(prefetch, BasicQosOptions::default());
        within(TO_ANSWER, "setting the prefetch", bounded).await?;
        let tag = ShortString::try_new(format!("{queue}.{}", Uuid::now_v7()))?;
        let consuming = channel.basic_consume(
            office.names.queue(queue),
            tag,
            BasicConsumeOptions::default(),
            declare::table(&priority(queue)),
        );
        let consumer = within(TO_ANSWER, "consuming", consuming).await?;
        Ok(Self { office: Arc::clone(office), queue, channel, consumer })
    }

    /// Begins anew. See [`RENEWED_WHEN_IDLE`].
    async fn renew(self, prefetch: u16) -> Result<Self, BoxError> {
        let (office, queue, channel) = (Arc::clone(&self.office), self.queue, self.channel.clone());
        self.hand_back().await;
        let closed = channel.close(REPLY_SUCCESS, "renewed".into());
        within(TO_ANSWER, "closing a channel", closed).await?;
        Self::open(&office, queue, prefetch).await
    }

    /// What is to be handed out; nothing if the delivery is dealt with here.
    async fn take(&self, delivery: WireDelivery) -> Result<Option<Taken>, BoxError> {
        let key = MessageKey::new(self.queue, &delivery.properties);
        let body = delivery.data.into();
        let (acker, redelivered) = (delivery.acker, delivery.redelivered);
        let incoming = match from_wire(&delivery.properties, &self.office.names) {
            Ok(incoming) => incoming,
            Err(hostile) => {
                let Hostile { readable, problem } = *hostile;
                let message = WireMessage { properties: readable, body };
                self.office.give_up(self.queue, &message, (Death::Hostile, &problem)).await?;
                return acknowledged(&acker).await;
            }
        };
        let (properties, queued_at) = (incoming.properties, incoming.queued_at);
        let message = WireMessage { properties, body };
        let mut unsettled = 0;
        if has_suspects(self.queue) {
            // What this process put back it has survived, and it knows whether it touched it.
            let noted = self.office.put_back.take(&key);
            unsettled = noted.unwrap_or_else(|| incoming.unsettled.saturating_add(u32::from(redelivered)));
            let is_suspect = noted.is_none() && unsettled > 0;
            if is_suspect || unsettled >= self.queue.delivery_limit() {
                self.office.set_apart(self.queue, &message, unsettled).await?;
                return acknowledged(&acker).await;
            }
        }
        let receipt = RabbitReceipt {
            office: Arc::clone(&self.office),
            queue: self.queue,
            key,
            unsettled,
            is_set_apart: false,
            acker,
            channel: self.channel.clone(),
            permits: None,
            handed_out: false,
            settling: Settling::NotBegun,
        };
        Ok(Some(Taken { message, queued_at, receipt }))
    }

    /// Ends the consumer at the server, and gives back what it had sent ahead.
    async fn hand_back(mut self) {
        if !self.channel.status().connected() {
            return; // the server does it by itself
        }
        let tag = self.consumer.tag();
        let cancelled = self.channel.basic_cancel(tag, BasicCancelOptions::default());
        if within(TO_ANSWER, "ending a consumer", cancelled).await.is_err() {
            return;
        }
        while let Ok(Some(Ok(delivery))) = time::timeout(TO_ANSWER, self.consumer.next()).await {
            self.note_untouched(&delivery);
            let (multiple, requeue) = (false, true);
            let given_back = delivery.acker.nack(BasicNackOptions { multiple, requeue });
            let _ = within(TO_ANSWER, "giving a message back", given_back).await;
        }
        // The answer comes after everything that this channel said before.
        let passive = QueueDeclareOptions::default().passive();
        let asked =
            self.channel.queue_declare(self.office.names.queue(self.queue), passive, FieldTable::default());
        let _ = within(TO_ANSWER, "giving messages back", asked).await;
    }

    /// Remembers the count of a message that nobody saw. A suspect stays one.
    fn note_untouched(&self, delivery: &WireDelivery) {
        if !has_suspects(self.queue) {
            return;
        }
        let key = MessageKey::new(self.queue, &delivery.properties);
        let noted = self.office.put_back.take(&key);
        let incoming = from_wire(&delivery.properties, &self.office.names).ok();
        let unsettled = match (noted, incoming) {
            (Some(noted), _) => noted,
            (None, Some(incoming)) if !delivery.redelivered => incoming.unsettled,
            (None, _) => return,
        };
        self.office.put_back.note(key, unsettled);
    }
}

/// Dealt with.
async fn acknowledged(acker: &lapin::Acker) -> Result<Option<Taken>, BoxError> {
    let acknowledged = acker.ack(BasicAckOptions::default());
    within(TO_ANSWER, "the acknowledgement", acknowledged).await?;
    Ok(None)
}
