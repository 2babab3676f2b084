//! The loop around a handler: consume, one task per delivery, drain.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use messaging::{Broker, ConsumeError, Deliveries, Delivery};
use protocol::Queue;
use tokio::{
    task::JoinSet,
    time::{self, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{error, info, warn};

use crate::{Counts, Handler, back_off, delivery, failure::chain, metrics};

/// How often dead letters are looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(30);

/// A handler with everything it takes to feed it.
pub struct Worker<H> {
    /// Where messages come from and replies go.
    pub broker: Arc<dyn Broker>,
    /// For deadlines.
    pub clock: Arc<dyn Clock>,
    /// The queue to consume.
    pub queue: Queue,
    /// What to do with each message.
    pub handler: H,
    /// How much at once, and how long.
    pub limits: Limits,
    /// What became of the deliveries so far.
    pub counts: Arc<Counts>,
}

/// How much at once, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deliveries handled at once, at least 1.
    pub prefetch: u16,
    /// A message whose handling takes longer has failed; `None`: any time is fine. Waiting for a slot of
    /// a [`CpuPool`](crate::CpuPool) counts.
    pub time_limit: Option<Duration>,
    /// Deliveries that are not finished this long after the stop are given back.
    pub grace: Duration,
}

/// Consumes until `stop` is cancelled, then drains: takes nothing new, finishes what it holds within the
/// grace time, and gives back the rest. Returns only then.
///
/// A consumer that ends, for whatever reason, is replaced by a new one, for ever.
pub async fn run<H: Handler>(worker: Worker<H>, stop: CancellationToken) {
    let worker = Arc::new(worker);
    let watched = watch_dead_letters(Arc::clone(&worker.broker), worker.queue);
    let _watching = AbortOnDropHandle::new(tokio::spawn(watched));
    let mut held = Held::default();
    let mut failed_tries = 0;
    let consumer = loop {
        let error = match consume(&worker, &stop, &mut held, &mut failed_tries).await {
            Ok(consumer) => break consumer,
            Err(error) => error,
        };
        failed_tries += 1;
        let queue = worker.queue;
        let wait = back_off::before_consuming_again(queue.name(), failed_tries);
        warn!(%queue, "consuming {queue} failed, again in {wait:.1?}: {}", chain(&error));
        if stop.run_until_cancelled(time::sleep(wait)).await.is_none() {
            break None;
        }
    };
    // Both at once: the grace begins with the stop, however long the broker takes.
    let giving_back = async {
        if let Some(consumer) = consumer {
            consumer.stop().await;
        }
    };
    tokio::join!(giving_back, held.drain(&worker));
}

/// Measures how many dead letters a queue has: those that the server makes by itself nobody counts.
async fn watch_dead_letters(broker: Arc<dyn Broker>, queue: Queue) {
    let mut looks = time::interval(LOOK_PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Ok(depth) = broker.depth(queue).await {
            metrics::dead_letters(queue, depth.dead);
        }
    }
}

/// Takes deliveries until the stop, or until the consumer ends, which is an error. Returns the consumer that is to be
/// stopped, if there is one.
async fn consume<H: Handler>(
    worker: &Arc<Worker<H>>,
    stop: &CancellationToken,
    held: &mut Held,
    failed_tries: &mut u32,
) -> Result<Option<Box<dyn Deliveries>>, ConsumeError> {
    let consuming = worker.broker.consume(worker.queue, worker.limits.prefetch);
    let Some(deliveries) = stop.run_until_cancelled(consuming).await else { return Ok(None) };
    let mut deliveries = deliveries?;
    let _up = Up::on(worker.queue, &worker.counts);
    loop {
        tokio::select! {
            biased; // once stopped, nothing new is taken
            () = stop.cancelled() => return Ok(Some(deliveries)),
            Some(()) = held.next_finished() => {}
            delivery = deliveries.next() => {
                let delivery = delivery?;
                *failed_tries = 0;
                held.take(worker, delivery);
            }
        }
    }
}

/// Says that a queue is consumed, for as long as it lives.
struct Up<'a> {
    queue: Queue,
    counts: &'a Counts,
}

impl<'a> Up<'a> {
    fn on(queue: Queue, counts: &'a Counts) -> Self {
        counts.set_consuming(true);
        metrics::consumer_up(queue, true);
        Self { queue, counts }
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.counts.set_consuming(false);
        metrics::consumer_up(self.queue, false);
    }
}

/// The deliveries that are being handled, one task each.
#[derive(Default)]
struct Held {
    tasks: JoinSet<()>,
    give_back: CancellationToken,
}

impl Held {
    fn take<H: Handler>(&mut self, worker: &Arc<Worker<H>>, delivery: Delivery) {
        let give_back = self.give_back.clone();
        self.tasks.spawn(delivery::process(Arc::clone(worker), delivery, give_back));
    }

    /// Waits for one to end; `None` if there is none.
    async fn next_finished(&mut self) -> Option<()> {
        if let Err(e) = self.tasks.join_next().await? {
            // Handlers' panics are caught in the task. The delivery was dropped with it and comes back.
            error!("a delivery ended without being settled: {e}");
        }
        Some(())
    }

    async fn drain<H>(mut self, worker: &Worker<H>) {
        let (queue, count) = (worker.queue, self.tasks.len());
        if count > 0 {
            info!(%queue, count, "stopping: finishing {count} deliveries of {queue}");
        }
        let in_time = time::timeout(worker.limits.grace, self.all_finished()).await;
        if in_time.is_err() {
            let count = self.tasks.len();
            warn!(%queue, count, "stopping: giving back {count} unfinished deliveries of {queue}");
            self.give_back.cancel();
            self.all_finished().await;
        }
    }

    async fn all_finished(&mut self) {
        while self.next_finished().await.is_some() {}
    }
}
