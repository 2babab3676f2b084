//! What a worker counts and measures. No label has more values than there are queues, outcomes or reasons.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use protocol::Queue;
use uuid::Uuid;

const DELIVERIES: &str = "gatecast_deliveries_total";
const HANDLE: &str = "gatecast_handle_seconds";
const WAIT: &str = "gatecast_queue_wait_seconds";
const DEAD_LETTERS: &str = "gatecast_dead_letters_total";
const ASKERS_GONE: &str = "gatecast_askers_gone_total";
const CONSUMER_UP: &str = "gatecast_consumer_up";

/// Says what the metrics of this crate mean; once, after a recorder was installed.
pub fn describe_metrics() {
    describe_counter!(DELIVERIES, Unit::Count, "Deliveries by what became of them");
    describe_histogram!(HANDLE, Unit::Seconds, "Time to handle a delivery and publish its reply");
    describe_histogram!(
        WAIT,
        Unit::Seconds,
        "Time between a message's birth (its id is a UUIDv7) and its first delivery"
    );
    describe_counter!(DEAD_LETTERS, Unit::Count, "Messages given up, by reason");
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

/// How long a message waited, if its id tells when it was made.
pub(crate) fn waited(queue: Queue, message_id: &str, now: jiff::Timestamp) {
    let made = Uuid::try_parse(message_id).ok().and_then(|id| id.get_timestamp());
    let made = made.and_then(|made| i64::try_from(made.to_unix().0).ok().map(|s| (s, made.to_unix().1)));
    if let Some((seconds, nanoseconds)) = made {
        let now = now.as_nanosecond() as f64 / 1e9;
        histogram!(WAIT, "queue" => queue.name())
            .record((now - seconds as f64 - f64::from(nanoseconds) / 1e9).max(0.0));
    }
}

pub(crate) fn dead_letter(queue: Queue, reason: &'static str) {
    counter!(DEAD_LETTERS, "queue" => queue.name(), "reason" => reason).increment(1);
}

pub(crate) fn asker_gone(queue: Queue) {
    counter!(ASKERS_GONE, "queue" => queue.name()).increment(1);
}

pub(crate) fn consumer_up(queue: Queue, up: bool) {
    gauge!(CONSUMER_UP, "queue" => queue.name()).set(if up { 1.0 } else { 0.0 });
}
