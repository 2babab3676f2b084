//! The loop around a handler: consume, one task per delivery, drain.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use messaging::{Broker, ConsumeError, Deliveries};
use protocol::Queue;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Counts, Handler, back_off, delivery, failure::chain};

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
    /// A message that takes longer has failed; `None`: any time is fine. It counts from the delivery on,
    /// waiting for a slot of a pool included.
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
    let mut held = Held::default();
    let mut failed_tries = 0;
    while let Some(error) = take_until_stopped(&worker, &stop, &mut held, &mut failed_tries).await {
        failed_tries += 1;
        let wait = back_off::before_consuming_again(worker.queue.name(), failed_tries);
        warn!(queue = %worker.queue, "consuming {} failed, again in {wait:.1?}: {}", worker.queue, chain(&error));
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
    held.drain(&worker).await;
}
