//! Random choices that are the same on every machine and with every version of every library.

/// `SplitMix64`: a tiny generator that passes the usual tests; ours, so that a fit with the same seed keeps
/// its bytes when dependencies change.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 (included) to 1 (excluded).
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts each of `0..count` among the chosen with probability `share`, else among the left out.
    pub(super) fn split(&mut self, count: usize, share: f64) -> (Vec<usize>, Vec<usize>) {
        if share >= 1.0 {
            return ((0..count).collect(), Vec::new());
        }
        (0..count).partition(|_| self.share() < share)
    }

    /// Chooses that share of `0..count`, at least one, in ascending order.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a smaller count"
    )]
    pub(super) fn choose(&mut self, count: usize, share: f64) -> Vec<usize> {
        let mut wanted = ((count as f64 * share).round() as usize).clamp(1, count);
        let mut left = count;
        let mut chosen = Vec::with_capacity(wanted);
        for candidate in 0..count {
            // Each candidate is taken with probability wanted / left: every choice is equally likely.
            if self.share() * (left as f64) < wanted as f64 {
                chosen.push(candidate);
                wanted -= 1;
            }
            left -= 1;
        }
        chosen
    }
}
