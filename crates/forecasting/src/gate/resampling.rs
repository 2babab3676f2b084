//! How much a ratio of losses may be luck: a paired circular block bootstrap of whole origins.
//!
//! An origin is drawn with all its points, of both sides and all series, so that whatever is correlated within it
//! stays so; neighbouring origins are drawn in blocks, so that what is correlated from day to day does too. Blocks
//! that reach beyond the last origin go on at the first, so that each origin is drawn equally often.
//!
//! Few blocks vary too little: with four to eight blocks of seven origins, upper bounds at level 0.05 lie below the true
//! ratio of worst-case errors 10 to 13 times in 100 (simulated: 28 and 56 days of 1 to 21 hourly series, correlation of
//! errors 0.6 and 0.9). Stretched as by [`Reference::stretch`] they do 4.5 to 7.2 times.

use super::{Terms, fixed_b::Reference, statistics::Bootstrap};
use crate::{evaluation::PairedLosses, random::Random};

/// Draws resamples: the same ones whenever and by whichever thread they are asked for.
#[derive(Debug)]
pub(super) struct Resampling {
    origins: usize,
    block: usize,
    blocks: usize,
    resamples: u32,
    seed: u64,
    alpha: f64,
    stretch: f64,
    /// What the policy's `alpha` leaves for this look, see [`look`](super::look).
    level: f64,
    reference: Reference,
}

/// No ratio is taken for larger than this, nor for smaller than its inverse: with a denominator of 0 it is not
/// known, and such a number can be compared, shown and stored.
const LARGEST_RATIO: f64 = 1e6;

/// The logarithm of a ratio of two sums of losses; two losses of nothing are equal.
pub(super) fn log_ratio(candidate: f64, opponent: f64) -> f64 {
    if candidate == opponent {
        return 0.0;
    }
    (candidate.ln() - opponent.ln()).clamp(-LARGEST_RATIO.ln(), LARGEST_RATIO.ln())
}

impl Resampling {
    /// For the origins of `losses`, at least 2.
    pub(super) fn new(losses: &PairedLosses, terms: &Terms<'_>) -> Self {
        let origins = losses.origins();
        let block = block(origins, terms.block_origins);
        let reference = Reference::new(origins, block, terms.overlap as usize);
        let alpha = terms.policy.alpha;
        Self {
            origins,
            block,
            blocks: origins.div_ceil(block),
            resamples: terms.policy.bootstrap,
            seed: terms.seed,
            alpha,
            stretch: reference.stretch(alpha),
            level: terms.level(),
            reference,
        }
    }

    /// What is told of it.
    pub(super) fn describe(&self) -> Bootstrap {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Bootstrap {
            resamples: self.resamples,
            seed: self.seed,
            alpha: self.alpha,
            block_origins: count(self.block),
            blocks: count(self.blocks),
            stretch: self.stretch,
        }
    }

    pub(super) fn origins(&self) -> usize {
        self.origins
    }

    pub(super) fn resamples(&self) -> std::ops::Range<u32> {
        0..self.resamples
    }

    /// How often each origin is in a resample.
    pub(super) fn counts(&self, resample: u32, counts: &mut Vec<u32>) {
        counts.clear();
        counts.resize(self.origins, 0);
        let mut left = self.origins;
        for start in self.starts(resample) {
            let length = self.block.min(left);
            (start..start + length).for_each(|origin| counts[origin % self.origins] += 1);
            left -= length;
        }
    }

    /// The logarithm of the ratio of two sums over the origins in each resample.
    pub(super) fn log_ratios(&self, candidate: &[f64], opponent: &[f64]) -> Vec<f64> {
        let (candidate, opponent) = (self.sums_of_blocks(candidate), self.sums_of_blocks(opponent));
        let ratio = |resample| log_ratio(self.sum(resample, &candidate), self.sum(resample, &opponent));
        self.resamples().map(ratio).collect()
    }

    /// What the measured logarithm may truly be at most, with confidence `1 - alpha`.
    pub(super) fn upper(&self, measured: f64, drawn: &mut [f64]) -> f64 {
        stretched(measured, quantile_above(self.alpha, drawn), self.stretch)
    }

    /// The same with the confidence of this look. (The largest of 2000 stands for what one in 10,000 exceeds.)
    pub(super) fn upper_of_look(&self, measured: f64, drawn: &mut [f64]) -> f64 {
        stretched(measured, quantile_above(self.level, drawn), self.reference.stretch(self.level))
    }

    /// The error of a measured logarithm that is so far below the bound of this look.
    pub(super) fn standard_error(&self, distance: f64) -> f64 {
        (distance / self.reference.critical(self.level)).max(0.0)
    }

    /// What it may truly be at least, with the same confidence.
    pub(super) fn lower(&self, measured: f64, drawn: &mut [f64]) -> f64 {
        let rank = self.alpha * (drawn.len() + 1) as f64;
        stretched(measured, nth(drawn, rank.floor()), self.stretch)
    }

    /// What the largest of many statistics exceeds by luck with probability `alpha`.
    pub(super) fn critical(&self, largest: &mut [f64]) -> f64 {
        self.upper(0.0, largest)
    }

    /// Where the blocks of a resample start.
    fn starts(&self, resample: u32) -> impl Iterator<Item = usize> {
        let blocks = self.blocks as u64;
        let mut random = Random::at(self.seed, u64::from(resample) * blocks);
        let origins = u32::try_from(self.origins).expect("origins are counted in 32 bits");
        (0..blocks).map(move |_| random.below(origins) as usize)
    }

    fn sum(&self, resample: u32, blocks: &BlockSums) -> f64 {
        let whole = self.blocks - 1;
        let sums = self.starts(resample).enumerate();
        sums.map(|(at, start)| if at < whole { blocks.whole[start] } else { blocks.last[start] }).sum()
    }

    /// Of a value per origin, its sum over a block from each start, so that a resample adds blocks only.
    fn sums_of_blocks(&self, values: &[f64]) -> BlockSums {
        let last = self.origins - (self.blocks - 1) * self.block;
        let sum = |start: usize, length: usize| -> f64 {
            (start..start + length).map(|origin| values[origin % self.origins]).sum()
        };
        BlockSums {
            whole: (0..self.origins).map(|start| sum(start, self.block)).collect(),
            last: (0..self.origins).map(|start| sum(start, last)).collect(),
        }
    }
}

struct BlockSums {
    whole: Vec<f64>,
    /// The last block is cut where there are enough origins.
    last: Vec<f64>,
}

/// Neighbouring origins to draw together. With fewer than four blocks hardly anything would vary.
pub(super) fn block(origins: usize, block_origins: u32) -> usize {
    (block_origins as usize).clamp(1, (origins / 4).max(1))
}

fn stretched(measured: f64, bound: f64, by: f64) -> f64 {
    measured + by * (bound - measured)
}

/// What a share `alpha` of them exceeds.
fn quantile_above(alpha: f64, drawn: &mut [f64]) -> f64 {
    let rank = (1.0 - alpha) * (drawn.len() + 1) as f64;
    nth(drawn, rank.ceil())
}

/// The value at a rank counted from 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank among a few thousand")]
fn nth(values: &mut [f64], rank: f64) -> f64 {
    let index = (rank as usize).clamp(1, values.len()) - 1;
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gate::{Look, Side},
        spec::GatePolicy,
    };

    fn resampling(origins: u32, block_origins: u32, seed: u64) -> Resampling {
        let points = origins as usize;
        let losses = PairedLosses::new(vec![1.0; points], vec![1.0; points], (0..origins).collect());
        let policy = GatePolicy::default();
        let terms = Terms {
            policy: &policy,
            overlap: 1,
            block_origins,
            declared: &[],
            searched: &[],
            seed,
            opponent: Side::Incumbent,
            look: Look::FIRST,
        };
        Resampling::new(&losses.expect("are losses"), &terms)
    }

    fn counts(resampling: &Resampling, resample: u32) -> Vec<u32> {
        let mut counts = Vec::new();
        resampling.counts(resample, &mut counts);
        counts
    }

    #[test]
    fn a_resample_has_as_many_origins_in_blocks_of_neighbours() {
        // 30 origins: four blocks of 7 and one of 2.
        let drawn = resampling(30, 7, 3);
        for resample in 0..200 {
            let counts = counts(&drawn, resample);
            assert_eq!(counts.iter().sum::<u32>(), 30);
            let starts: Vec<usize> = drawn.starts(resample).collect();
            assert_eq!(starts.len(), 5);
            assert!((0..7).all(|ahead| counts[(starts[0] + ahead) % 30] > 0), "{starts:?} {counts:?}");
        }
    }

    #[test]
    fn every_origin_is_drawn_equally_often() {
        let drawn = resampling(28, 7, 3);
        let mut all = [0; 28];
        for resample in drawn.resamples() {
            counts(&drawn, resample).iter().zip(&mut all).for_each(|(count, all)| *all += count);
        }
        // 2000 on average; a block start has a standard deviation of some 45 · √7.
        assert!(all.iter().all(|count| (1_600..2_400).contains(count)), "{all:?}");
    }

    #[test]
    fn a_resample_is_the_same_alone_and_after_others_and_another_with_another_seed() {
        let (one, other) = (resampling(28, 7, 3), resampling(28, 7, 4));
        let in_order: Vec<_> = (0..50).map(|resample| counts(&one, resample)).collect();
        let backwards: Vec<_> = (0..50).rev().map(|resample| counts(&one, resample)).collect();
        assert!(in_order.iter().eq(backwards.iter().rev()));
        assert_ne!(in_order[0], counts(&other, 0));
    }

    #[test]
    fn sums_of_blocks_are_sums_of_what_was_drawn() {
        let drawn = resampling(30, 7, 5);
        let values: Vec<f64> = (1..=30).map(f64::from).collect();
        let ones = vec![1.0; 30];
        for (resample, ratio) in (0..).zip(drawn.log_ratios(&values, &ones)) {
            let counts = counts(&drawn, resample);
            let sum: f64 = counts.iter().zip(&values).map(|(count, value)| f64::from(*count) * value).sum();
            assert!((ratio - (sum / 30.0).ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn blocks_longer_than_a_quarter_of_the_origins_are_cut() {
        assert_eq!(resampling(28, 28, 1).describe().block_origins, 7);
        assert_eq!(resampling(3, 7, 1).describe().block_origins, 1);
    }

    #[test]
    fn what_never_varies_is_its_own_bound() {
        let drawn = resampling(28, 7, 1);
        let measured = log_ratio(0.9, 1.0);
        let mut all = drawn.log_ratios(&[0.9; 28], &[1.0; 28]);
        assert!((drawn.upper(measured, &mut all) - measured).abs() < 1e-12);
        assert!((drawn.lower(measured, &mut all) - measured).abs() < 1e-12);
    }

    #[test]
    fn a_bound_tells_the_error_of_what_was_measured() {
        let mut random = Random::new(9);
        let noisy: Vec<f64> = (0..200).map(|_| 1.0 + 0.1 * random.normal()).collect();
        let drawn = resampling(200, 1, 1);
        let measured = log_ratio(noisy.iter().sum(), 200.0);
        let mut all = drawn.log_ratios(&noisy, &[1.0; 200]);
        let error = drawn.standard_error(drawn.upper_of_look(measured, &mut all) - measured);
        // A tenth over the root of 200 is 0.0071.
        assert!((0.0058..0.0084).contains(&error), "{error}");
        assert_eq!(drawn.standard_error(-0.1), 0.0, "a bound below what it is a bound of");
    }

    #[test]
    fn the_bound_of_a_first_look_is_higher_than_that_of_all_looks_together() {
        let drawn = resampling(28, 7, 1);
        let rising: Vec<f64> = (1..=28).map(f64::from).collect();
        let mut all = drawn.log_ratios(&rising, &[14.5; 28]);
        let (of_look, of_all) = (drawn.upper_of_look(0.0, &mut all), drawn.upper(0.0, &mut all));
        assert!(0.0 < of_all && of_all < of_look, "{of_all} {of_look}");
    }

    #[test]
    fn a_ratio_to_nothing_is_a_number_all_the_same() {
        assert_eq!(log_ratio(0.0, 0.0), 0.0);
        assert_eq!(log_ratio(1.0, 0.0), 1e6_f64.ln());
        assert_eq!(log_ratio(0.0, 1.0), -(1e6_f64.ln()));
        assert_eq!(log_ratio(f64::MAX, f64::MIN_POSITIVE), 1e6_f64.ln());
    }
}
