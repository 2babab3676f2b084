//! What became of a worker's deliveries.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of one worker, from its start on. Shared: ask for [`Counts::so_far`] at any time.
#[derive(Debug, Default)]
pub struct Counts {
    pub(crate) done: Count,
    pub(crate) expired: Count,
    pub(crate) retried: Count,
    pub(crate) postponed: Count,
    pub(crate) dead_lettered: Count,
    pub(crate) given_back: Count,
    pub(crate) askers_gone: Count,
    consuming: AtomicBool,
}

/// The values of [`Counts`] at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountsSoFar {
    /// Handled, and the reply published.
    pub done: u64,
    /// Dropped before they were computed, because their deadline had passed.
    pub expired: u64,
    /// Failed and to be tried again.
    pub retried: u64,
    /// Sent back because it was not their turn, or because what they take is away.
    pub postponed: u64,
    /// Given up.
    pub dead_lettered: u64,
    /// Given back when the worker stopped.
    pub given_back: u64,
    /// Replies that nobody waited for any more.
    pub askers_gone: u64,
}

impl Counts {
    /// Whether the worker consumes its queue now, on a connection that works.
    pub fn is_consuming(&self) -> bool {
        self.consuming.load(Ordering::Relaxed)
    }

    pub(crate) fn set_consuming(&self, consuming: bool) {
        self.consuming.store(consuming, Ordering::Relaxed);
    }

    /// The values now.
    pub fn so_far(&self) -> CountsSoFar {
        CountsSoFar {
            done: self.done.get(),
            expired: self.expired.get(),
            retried: self.retried.get(),
            postponed: self.postponed.get(),
            dead_lettered: self.dead_lettered.get(),
            given_back: self.given_back.get(),
            askers_gone: self.askers_gone.get(),
        }
    }
}

/// A number that only rises.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
