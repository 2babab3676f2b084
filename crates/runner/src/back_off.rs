//! How long to wait before the next try.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// A failing message is tried this often in all.
pub(crate) const MAX_ATTEMPTS: u32 = 5;
/// The longest wait between two tries of anything, before jitter.
const LONGEST: Duration = Duration::from_secs(64);
/// The longest wait without a consumer, before jitter: 5 s after an outage every queue is consumed again.
const LONGEST_WITHOUT_CONSUMER: Duration = Duration::from_secs(2);
/// Waits differ by up to this share, so that what failed together does not come back together.
const JITTER: f64 = 0.25;

/// The wait after the failed attempt number `attempt` (from 1) of the message: 1 s, 4 s, 16 s, 64 s ±25 %.
pub(crate) fn before_retry(message_id: &str, attempt: u32) -> Duration {
    spread(growing(Duration::from_secs(1), attempt), &(message_id, attempt))
}

/// The wait before a message is handled again only because the broker did not take its reply: 16 s ±25 %,
/// however often, since such a failure counts nowhere.
pub(crate) fn before_replying_again(message_id: &str) -> Duration {
    spread(Duration::from_secs(16), &message_id)
}

/// The wait after the failed try number `tries` (from 1) to publish: 50 ms, 200 ms, 800 ms ±25 %.
pub(crate) fn before_publishing_again(message_id: &str, tries: u32) -> Duration {
    spread(growing(Duration::from_millis(50), tries), &(message_id, tries))
}

/// The wait after the failed try number `tries` (from 1) to consume: 0.25 s, 1 s, then 2 s ±25 %.
pub(crate) fn before_consuming_again(queue: &str, tries: u32) -> Duration {
    let wait = growing(Duration::from_millis(250), tries).min(LONGEST_WITHOUT_CONSUMER);
    spread(wait, &(queue, std::process::id(), tries))
}

/// `first`, then four times as long each time.
fn growing(first: Duration, tries: u32) -> Duration {
    let factor = 4_u32.saturating_pow(tries.saturating_sub(1));
    first.saturating_mul(factor).min(LONGEST)
}

/// The same seed always gets the same jitter: a run can be repeated.
fn spread(wait: Duration, seed: &impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let unit = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64; // 0 to 1
    wait.mul_f64(1.0 + JITTER * (2.0 * unit - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_fourfold_within_a_quarter() {
        for (attempt, expected) in [(1, 1.0), (2, 4.0), (3, 16.0), (4, 64.0), (5, 64.0), (u32::MAX, 64.0)] {
            for id in ["a", "b", "c", "d"] {
                let wait = before_retry(id, attempt).as_secs_f64();
                assert!((wait / expected - 1.0).abs() <= JITTER, "{attempt}: {wait}");
            }
        }
    }

    #[test]
    fn messages_that_failed_together_do_not_come_back_together() {
        let mut waits: Vec<Duration> = (0..100).map(|n| before_retry(&format!("id-{n}"), 4)).collect();
        waits.sort();
        waits.dedup();
        assert_eq!(waits.len(), 100);
        assert!(waits[99] > waits[0] + Duration::from_secs(16), "hardly spread");
    }

    #[test]
    fn a_queue_is_never_left_alone_for_long() {
        for tries in [1, 2, 3, 40, u32::MAX] {
            assert!(before_consuming_again("train-jobs", tries) <= Duration::from_millis(2_500), "{tries}");
        }
    }

    #[test]
    fn attempt_zero_from_outside_is_taken_as_the_first() {
        assert!(before_retry("id", 0) < Duration::from_secs(2));
    }
}
