//! Dead letters, counted once they lie there: by the adapter where it buries a message itself, else by whoever
//! settled it so. What the server buries by itself shows in [`Depth::dead`](crate::Depth) only.

use metrics::{Unit, counter, describe_counter};
use protocol::Queue;

const DEAD_LETTERS: &str = "gatecast_dead_letters_total";

/// Says what the metrics of this crate mean; once, after a recorder was installed.
pub fn describe_metrics() {
    describe_counter!(DEAD_LETTERS, Unit::Count, "Messages given up, by reason");
}

/// A message has reached the dead letters. There are few different reasons.
pub fn count_dead_letter(queue: Queue, reason: &'static str) {
    counter!(DEAD_LETTERS, "queue" => queue.name(), "reason" => reason).increment(1);
}
