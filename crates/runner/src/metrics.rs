//! What a worker counts and measures. No label has more values than there are queues, outcomes or reasons.

use std::time::Duration;

use jiff::Timestamp;
use messaging::Delivery;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use protocol::Queue;
use uuid::Uuid;

const DELIVERIES: &str = "gatecast_deliveries_total";
const HANDLE: &str = "gatecast_handle_seconds";
const WAIT: &str = "gatecast_queue_wait_seconds";
const QUEUE_DEAD_LETTERS: &str = "gatecast_queue_dead_letters";
const ASKERS_GONE: &str = "gatecast_askers_gone_total";
const CONSUMER_UP: &str = "gatecast_consumer_up";

/// Says what the metrics of this crate mean; once, after a recorder was installed.
pub fn describe_metrics() {
    describe_counter!(DELIVERIES, Unit::Count, "Deliveries by what became of them");
    describe_histogram!(HANDLE, Unit::Seconds, "Time to handle a delivery and publish its reply");
    describe_histogram!(
        WAIT,
        Unit::Seconds,
        "Time that a message waited on its queue before a delivery; since its birth (its id is a UUIDv7) where a foreign client published it"
    );
    describe_gauge!(
        QUEUE_DEAD_LETTERS,
        Unit::Count,
        "Dead letters that lie there, whoever gave them up; every consumer of the queue says it"
    );
    describe_counter!(ASKERS_GONE, Unit::Count, "Replies that nobody waited for any more");
    describe_gauge!(
        CONSUMER_UP,
        Unit::Count,
        "1 while the queue is being consumed on a connection that works"
    );
}

pub(crate) fn delivered(queue: Queue, outcome: &'static str, took: Duration) {
    counter!(DELIVERIES, "queue" => queue.name(), "outcome" => outcome).increment(1);
    histogram!(HANDLE, "queue" => queue.name()).record(took);
}

/// How long a message waited, if anything tells.
pub(crate) fn waited(queue: Queue, delivery: &Delivery, now: Timestamp) {
    if let Some(since) = delivery.queued_at.or_else(|| made_at(&delivery.message.properties.message_id)) {
        let waited = now.duration_since(since).as_secs_f64().max(0.0);
        histogram!(WAIT, "queue" => queue.name()).record(waited);
    }
}

/// When a message was made, if its id is a `UUIDv7`.
fn made_at(message_id: &str) -> Option<Timestamp> {
    let (seconds, nanoseconds) = Uuid::try_parse(message_id).ok()?.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

/// How many dead letters a queue has.
pub(crate) fn dead_letters(queue: Queue, count: u64) {
    gauge!(QUEUE_DEAD_LETTERS, "queue" => queue.name()).set(count as f64);
}

pub(crate) fn asker_gone(queue: Queue) {
    counter!(ASKERS_GONE, "queue" => queue.name()).increment(1);
}

pub(crate) fn consumer_up(queue: Queue, up: bool) {
    gauge!(CONSUMER_UP, "queue" => queue.name()).set(if up { 1.0 } else { 0.0 });
}
