//! The broker of the tests: everything in memory, delays on tokio's timer (which tests pause), and faults
//! on request.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use clock::Clock;
use jiff::Timestamp;
use protocol::{Destination, Queue, ReplyAddress, WireMessage};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{self, Instant},
};

use crate::{
    Broker, BrokerError, Chosen, ConsumeError, DeadLetter, Deliveries, Delivery, Depth, Examined, Listener,
    PublishError, Receipt, Replies, SettleError, Settlement,
    delivery::{MAX_DELAY, count_failure, never_settled, renew},
    errors::check_size,
    topic::Topics,
};

/// Keeps everything in memory. A clone is the same broker.
#[derive(Clone)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    faults: Faults,
    /// Tells consumers that something may be ready, or that they have ended.
    wake: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    queues: HashMap<Queue, WorkQueue>,
    listeners: Vec<(Topics, mpsc::UnboundedSender<WireMessage>)>,
    askers: HashMap<ReplyAddress, mpsc::UnboundedSender<WireMessage>>,
    /// The last place given out in any queue.
    last_place: u64,
}

/// Messages by place: the lower, the earlier.
#[derive(Default)]
struct WorkQueue {
    ready: BTreeMap<u64, Held>,
    delayed: BTreeMap<u64, (Instant, Held)>,
    leased: BTreeMap<u64, Held>,
    dead: Vec<DeadLetter>,
}

#[derive(Clone)]
struct Held {
    message: WireMessage,
    queued_at: Timestamp,
    /// Deliveries in a row that were not settled.
    unsettled: u32,
}

/// Calls that are yet to fail.
#[derive(Default)]
struct Faults {
    publishes: AtomicU64,
    consumes: AtomicU64,
    settlements: AtomicU64,
    /// Likewise, but these never end.
    endless_settlements: AtomicU64,
    /// Rises whenever all consumers are ended.
    ended_consumers: AtomicU64,
}

impl MemoryBroker {
    /// An empty broker; the clock dates the dead letters.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            clock,
            state: Mutex::default(),
            faults: Faults::default(),
            wake: watch::Sender::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The next call of `publish` (and one more for each call of this) fails as unavailable.
    pub fn fail_next_publish(&self) {
        self.shared.faults.publishes.fetch_add(1, Ordering::Relaxed);
    }

    /// The next call of `consume` (and one more for each call of this) fails as unavailable.
    pub fn fail_next_consume(&self) {
        self.shared.faults.consumes.fetch_add(1, Ordering::Relaxed);
    }

    /// The next settlement (and one more for each call of this) fails as unavailable.
    pub fn fail_next_settlement(&self) {
        self.shared.faults.settlements.fetch_add(1, Ordering::Relaxed);
    }

    /// The next settlement (and one more for each call of this) never ends.
    pub fn hang_next_settlement(&self) {
        self.shared.faults.endless_settlements.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all consumers of work queues, as a lost connection does.
    pub fn end_consumers(&self) {
        self.shared.faults.ended_consumers.fetch_add(1, Ordering::Relaxed);
        self.shared.wake.send_replace(());
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    fn system(&self) -> &'static str {
        "memory"
    }

    async fn publish(&self, to: &Destination, message: WireMessage) -> Result<(), PublishError> {
        check_size(&message)?;
        fail_if_asked(&self.shared.faults.publishes).map_err(PublishError::Unavailable)?;
        let mut state = self.shared.state();
        match to {
            Destination::Queue(queue) => {
                let place = state.next_place();
                state.queue(*queue).publish(place, message, self.shared.clock.now());
                self.shared.wake.send_replace(());
            }
            Destination::Event(key) => state.listeners.retain(|(topics, listener)| {
                !topics.match_key(key.as_str()) || listener.send(message.clone()).is_ok()
            }),
            Destination::Asker(asker) => state
                .askers
                .get(asker)
                .and_then(|replies| replies.send(message).ok())
                .ok_or_else(|| PublishError::Unroutable(to.clone()))?,
        }
        Ok(())
    }

    async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Deliveries>, ConsumeError> {
        fail_if_asked(&self.shared.faults.consumes).map_err(ConsumeError::Unavailable)?;
        Ok(Box::new(MemoryDeliveries {
            queue,
            permits: Arc::new(Semaphore::new(usize::from(prefetch.max(1)))),
            wake: self.shared.wake.subscribe(),
            ended_before: self.shared.faults.ended_consumers.load(Ordering::Relaxed),
            shared: Arc::clone(&self.shared),
        }))
    }

    async fn listen(&self, patterns: &[&str]) -> Result<Box<dyn Listener>, ConsumeError> {
        let (sender, events) = mpsc::unbounded_channel();
        self.shared.state().listeners.push((Topics::new(patterns), sender));
        Ok(Box::new(MemoryListener(events)))
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, ConsumeError> {
        let address = ReplyAddress::new(format!("replies.{}", uuid::Uuid::now_v7()))
            .map_err(|e| ConsumeError::Unavailable(e.into()))?;
        let (sender, replies) = mpsc::unbounded_channel();
        self.shared.state().askers.insert(address.clone(), sender);
        Ok(Box::new(MemoryReplies { address, replies, shared: Arc::clone(&self.shared) }))
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        let mut state = self.shared.state();
        let queue = state.queue(queue);
        queue.wake_delayed();
        Ok(Depth {
            ready: queue.ready.len() as u64,
            delayed: queue.delayed.len() as u64,
            leased: queue.leased.len() as u64,
            dead: queue.dead.len() as u64,
        })
    }

    async fn dead_letters(&self, queue: Queue, limit: u32) -> Result<Vec<DeadLetter>, BrokerError> {
        let mut state = self.shared.state();
        let dead = state.queue(queue).dead.iter();
        Ok(dead.take(limit as usize).cloned().collect())
    }

    async fn dead_letter(&self, queue: Queue, message_id: &str) -> Result<Option<DeadLetter>, BrokerError> {
        let mut state = self.shared.state();
        let mut dead = state.queue(queue).dead.iter();
        Ok(dead.find(|letter| letter.message.properties.message_id == message_id).cloned())
    }

    async fn replay_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        let mut state = self.shared.state();
        let replayed = state.queue(queue).take_dead(which);
        for mut letter in replayed.iter().cloned() {
            renew(&mut letter.message.properties);
            let place = state.next_place();
            state.queue(queue).publish(place, letter.message, self.shared.clock.now());
        }
        self.shared.wake.send_replace(());
        Ok(replayed.len() as u64)
    }

    async fn drop_dead_letters(&self, queue: Queue, which: &Chosen) -> Result<u64, BrokerError> {
        Ok(self.shared.state().queue(queue).take_dead(which).len() as u64)
    }

    async fn examine(&self) -> Result<Examined, BrokerError> {
        Ok(Examined { broker: "in memory".to_owned(), differences: Vec::new() })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a leased message out of the lease; `None` if it is not there.
    fn end_lease(&self, queue: Queue, place: u64) -> Option<Held> {
        self.state().queue(queue).leased.remove(&place)
    }
}

impl State {
    fn queue(&mut self, queue: Queue) -> &mut WorkQueue {
        self.queues.entry(queue).or_default()
    }

    fn next_place(&mut self) -> u64 {
        self.last_place += 1;
        self.last_place
    }
}

impl WorkQueue {
    fn publish(&mut self, place: u64, message: WireMessage, queued_at: Timestamp) {
        let (kind, id) = (&message.properties.kind, &message.properties.message_id);
        let delayed = self.delayed.values().map(|(_, held)| held);
        let mut present = self.ready.values().chain(self.leased.values()).chain(delayed);
        let repeated = present
            .any(|held| held.message.properties.kind == *kind && held.message.properties.message_id == *id);
        if !repeated {
            self.ready.insert(place, Held { message, queued_at, unsettled: 0 });
        }
    }

    fn lease(&mut self) -> Option<(u64, Held)> {
        self.wake_delayed();
        let (place, held) = self.ready.pop_first()?;
        self.leased.insert(place, held.clone());
        Some((place, held))
    }

    /// Makes ready what has waited long enough.
    fn wake_delayed(&mut self) {
        let now = Instant::now();
        let due: Vec<u64> =
            self.delayed.iter().filter(|(_, (due, _))| *due <= now).map(|(place, _)| *place).collect();
        for place in due {
            if let Some((_, held)) = self.delayed.remove(&place) {
                self.ready.insert(place, held);
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.delayed.values().map(|(due, _)| *due).min()
    }

    fn take_dead(&mut self, which: &Chosen) -> Vec<DeadLetter> {
        self.dead.extract_if(.., |letter| which.is(&letter.message.properties.message_id)).collect()
    }

    fn bury(&mut self, message: WireMessage, reason: String, died_at: Timestamp) {
        self.dead.push(DeadLetter { message, reason, died_at: Some(died_at) });
    }
}

fn fail_if_asked(yet_to_fail: &AtomicU64) -> Result<(), crate::BoxError> {
    let asked = yet_to_fail.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
    match asked {
        Ok(_) => Err("a fault that the test asked for".into()),
        Err(_) => Ok(()),
    }
}

struct MemoryDeliveries {
    queue: Queue,
    permits: Arc<Semaphore>,
    wake: watch::Receiver<()>,
    ended_before: u64,
    shared: Arc<Shared>,
}

#[async_trait]
impl Deliveries for MemoryDeliveries {
    async fn next(&mut self) -> Result<Delivery, ConsumeError> {
        let mut free = None;
        loop {
            self.wake.borrow_and_update();
            if self.shared.faults.ended_consumers.load(Ordering::Relaxed) > self.ended_before {
                return Err(ConsumeError::Unavailable("the consumer was ended".into()));
            }
            if free.is_none() {
                let permits = Arc::clone(&self.permits).acquire_owned();
                tokio::select! {
                    permit = permits => free = permit.ok(),
                    _ = self.wake.changed() => {}
                }
                continue; // look again whether the consumer was ended meanwhile
            }
            let next_due = {
                let mut state = self.shared.state();
                let queue = state.queue(self.queue);
                if let Some((place, held)) = queue.lease() {
                    let receipt = MemoryReceipt {
                        queue: self.queue,
                        place,
                        shared: Arc::clone(&self.shared),
                        settled: false,
                        _permit: free,
                    };
                    return Ok(Delivery::new(held.message, Some(held.queued_at), Box::new(receipt)));
                }
                queue.next_due()
            };
            let due = async {
                match next_due {
                    Some(due) => time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.wake.changed() => {}
                () = due => {}
            }
        }
    }

    /// Nothing is taken ahead.
    async fn stop(self: Box<Self>) {}
}

struct MemoryReceipt {
    queue: Queue,
    place: u64,
    shared: Arc<Shared>,
    settled: bool,
    _permit: Option<OwnedSemaphorePermit>, // let go when the receipt is
}

#[async_trait]
impl Receipt for MemoryReceipt {
    async fn settle(
        mut self: Box<Self>,
        mut message: WireMessage,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        fail_if_asked(&self.shared.faults.settlements).map_err(SettleError::Unavailable)?;
        if fail_if_asked(&self.shared.faults.endless_settlements).is_err() {
            std::future::pending::<()>().await;
        }
        let held = self.shared.end_lease(self.queue, self.place).ok_or(SettleError::LeaseLost)?;
        self.settled = true;
        let mut state = self.shared.state();
        match settlement {
            Settlement::Done => {}
            Settlement::RetryAfter { delay, error } => {
                count_failure(&mut message.properties, &error);
                self.delay(&mut state, message, delay);
            }
            Settlement::Postpone { delay } => self.delay(&mut state, message, delay),
            Settlement::DeadLetter { reason } => {
                state.queue(self.queue).bury(message, reason, self.shared.clock.now());
            }
            Settlement::GiveBack => {
                state.queue(self.queue).ready.insert(self.place, held);
            }
        }
        self.shared.wake.send_replace(());
        Ok(())
    }
}

impl MemoryReceipt {
    fn delay(&self, state: &mut State, message: WireMessage, delay: Duration) {
        let place = state.next_place();
        let delay = delay.min(MAX_DELAY);
        let now = self.shared.clock.now();
        let held = Held { message, queued_at: now.checked_add(delay).unwrap_or(now), unsettled: 0 };
        let due = Instant::now() + delay;
        state.queue(self.queue).delayed.insert(place, (due, held));
    }
}

/// Unsettled: back to its place, or to the dead letters.
impl Drop for MemoryReceipt {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let Some(mut held) = self.shared.end_lease(self.queue, self.place) else {
            return;
        };
        held.unsettled += 1;
        let mut state = self.shared.state();
        let queue = state.queue(self.queue);
        if held.unsettled >= self.queue.delivery_limit() {
            let reason = never_settled(held.unsettled);
            queue.bury(held.message, reason, self.shared.clock.now());
        } else {
            queue.ready.insert(self.place, held);
        }
        self.shared.wake.send_replace(());
    }
}

struct MemoryListener(mpsc::UnboundedReceiver<WireMessage>);

#[async_trait]
impl Listener for MemoryListener {
    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        self.0.recv().await.ok_or_else(closed)
    }
}

struct MemoryReplies {
    address: ReplyAddress,
    replies: mpsc::UnboundedReceiver<WireMessage>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Replies for MemoryReplies {
    fn address(&self) -> &ReplyAddress {
        &self.address
    }

    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        self.replies.recv().await.ok_or_else(closed)
    }
}

impl Drop for MemoryReplies {
    fn drop(&mut self) {
        self.shared.state().askers.remove(&self.address);
    }
}

fn closed() -> ConsumeError {
    ConsumeError::Unavailable("the broker is gone".into())
}
