//! Chance that a failing run can repeat.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// A linear congruential generator (Knuth, MMIX), its high bits. Seeded by `SEED`, or by the clock.
pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Prints its seed, so that the run can be repeated.
    pub(crate) fn new() -> Self {
        let given = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let seed = given.unwrap_or_else(clock);
        println!("seed {seed} (repeat with SEED={seed})");
        Self { seed, state: seed }
    }

    /// Another one that goes its own way.
    pub(crate) fn fork(&mut self) -> Self {
        Self { seed: self.seed, state: self.next() }
    }

    /// A number in `0..limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).expect("an index");
            items.swap(last, other);
        }
    }

    fn next(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 16
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)
    }
}
