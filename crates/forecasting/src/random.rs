//! Random choices that are the same on every machine and with every version of every library.

/// `SplitMix64`: a tiny generator that passes the usual tests; ours, so that a fit with the same seed keeps
/// its bytes when dependencies change.
pub(crate) struct Random(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Goes on from the number at `index` (counted from 0) without making those before it, so that choices can
    /// be made in any order, by any number of threads.
    pub(crate) fn at(seed: u64, index: u64) -> Self {
        Self(seed.wrapping_add(index.wrapping_mul(STEP)))
    }

    /// Any 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..count`, which is at least 1.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        // The upper half of the product; unequal by at most one part in 2^32.
        let product = u128::from(self.next()) * u128::from(count);
        u32::try_from(product >> 64).expect("is less than the count")
    }

    /// One of so many places, likewise.
    pub(crate) fn place(&mut self, count: usize) -> usize {
        self.below(u32::try_from(count).expect("fewer than 2^32")) as usize
    }

    /// 0 (included) to 1 (excluded).
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts each of `0..count` among the chosen with probability `share`, else among the left out.
    pub(crate) fn split(&mut self, count: usize, share: f64) -> (Vec<usize>, Vec<usize>) {
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
    pub(crate) fn choose(&mut self, count: usize, share: f64) -> Vec<usize> {
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

#[cfg(test)]
impl Random {
    /// Of the standard normal distribution (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, turn) = (1.0 - self.share(), self.share());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices_for_ever() {
        let mut random = Random::new(7);
        assert_eq!(random.choose(10, 0.3), Random::new(7).choose(10, 0.3));
        // The first number of SplitMix64 from seed 0, as published.
        assert_eq!(Random::new(0).next(), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn a_number_is_found_without_those_before_it() {
        let mut random = Random::new(7);
        for index in 0..100 {
            assert_eq!(Random::at(7, index).next(), random.next());
        }
    }

    #[test]
    fn every_number_below_a_count_comes_equally_often() {
        let mut random = Random::new(1);
        let mut counts = [0; 28];
        (0..28_000).for_each(|_| counts[random.below(28) as usize] += 1);
        assert!(counts.iter().all(|count| (870..1130).contains(count)), "{counts:?}");
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn a_share_of_columns_is_exact_and_a_share_of_rows_nearly() {
        let mut random = Random::new(1);
        for _ in 0..100 {
            let columns = random.choose(40, 0.3);
            assert_eq!(columns.len(), 12);
            assert!(columns.is_sorted_by(|one, next| one < next) && columns[11] < 40);
        }
        assert_eq!(random.choose(3, 0.1).len(), 1, "at least one");
        let (chosen, left_out) = random.split(10_000, 0.5);
        assert!((4_800..5_200).contains(&chosen.len()));
        assert_eq!(chosen.len() + left_out.len(), 10_000);
        assert_eq!(random.split(5, 1.0), ((0..5).collect(), Vec::new()));
    }
}
