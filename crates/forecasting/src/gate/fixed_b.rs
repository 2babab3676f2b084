//! Whether a mean of few, correlated numbers is above zero by luck.
//!
//! Bartlett's estimate of a long-run variance is never negative, but from 28 origins it is too small and varies
//! much, so that a normal or Student's quantile with `n - 1` degrees of freedom passes luck too often. How it is
//! distributed where the bandwidth is a fixed part of `n` is known (Kiefer and Vogelsang 2005, "A new asymptotic
//! theory for heteroskedasticity-autocorrelation robust tests"). Here its mean and variance are computed for
//! exactly this `n`, bandwidth and overlap, and Student's distribution with the same two moments gives the critical
//! values, for every level. At bandwidth 1 that is exactly the test of Diebold and Mariano with the correction of
//! Harvey, Leybourne and Newbold; up to a fifth of `n` it is within 4 % of Kiefer and Vogelsang's tables.
//!
//! What is assumed while nothing is to be found: numbers fewer than `overlap` apart are correlated as sums over
//! overlapping horizons are (`1 - distance / overlap`). Harvey, Leybourne and Newbold assume none, which is why
//! their test, too, passes luck 8 to 10 times in 100 where horizons overlap.
//!
//! Rejections at level 0.05 (40,000 draws of 28 numbers, shifted by nothing): 0.046 where they are independent,
//! also with the tails of Student's distribution with 5 degrees of freedom; 0.044 to 0.047 for sums over 2, 4 or 7;
//! 0.063 for an autoregression of 0.3 that is not among the assumptions (0.111 with bandwidth 1).

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// What a mean divided by its standard error is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reference {
    /// The mean of the estimated long-run variance, if the true one is 1.
    mean: f64,
    /// Of Student's distribution.
    pub(super) degrees_of_freedom: f64,
}

/// From here on only proportions count.
const MOST_NUMBERS: usize = 256;

impl Reference {
    /// For `count` numbers (at least 2), neighbours fewer than `overlap` apart correlated, and an estimate with this
    /// bandwidth.
    pub(super) fn new(count: usize, bandwidth: usize, overlap: usize) -> Self {
        let shrunk = count.min(MOST_NUMBERS);
        let part = shrunk as f64 / count as f64;
        Self::of_weights(shrunk, (bandwidth as f64 * part).max(1.0), (overlap as f64 * part).max(1.0))
    }

    /// The estimate is the quadratic form `x' B x / count` of the numbers `x` with covariance `S`: its mean is the
    /// trace of `B S`, its variance twice the trace of `B S B S` (over `count` and its square).
    fn of_weights(count: usize, bandwidth: f64, overlap: f64) -> Self {
        let weights = centred(count, bandwidth);
        let covariance = |one: usize, other: usize| triangle(one.abs_diff(other), overlap);
        let mut product = vec![0.0; count * count];
        for row in 0..count {
            for column in 0..count {
                let near = nearby(column, overlap, count);
                product[row * count + column] =
                    near.map(|at| weights[row * count + at] * covariance(at, column)).sum();
            }
        }
        let trace: f64 = (0..count).map(|at| product[at * count + at]).sum();
        let cells = (0..count).flat_map(|row| (0..count).map(move |column| (row, column)));
        let square: f64 =
            cells.map(|(row, column)| product[row * count + column] * product[column * count + row]).sum();
        let all: f64 = (0..count)
            .map(|row| nearby(row, overlap, count).map(|at| covariance(row, at)).sum::<f64>())
            .sum();
        Self { mean: trace / all, degrees_of_freedom: trace * trace / square }
    }

    /// The standard error of a mean of `count` numbers, from Bartlett's estimate of their long-run variance.
    pub(super) fn standard_error(&self, long_run_variance: f64, count: usize) -> f64 {
        (long_run_variance / (self.mean * count as f64)).sqrt()
    }

    /// What a mean divided by its standard error exceeds by luck with probability `alpha`.
    pub(super) fn critical(&self, alpha: f64) -> f64 {
        self.student().inverse_cdf(1.0 - alpha)
    }

    /// With what probability luck exceeds `statistic`.
    pub(super) fn luck(&self, statistic: f64) -> f64 {
        self.student().sf(statistic)
    }

    /// By what a normal distance with the estimated standard deviation falls short of one that holds with confidence
    /// `1 - alpha`. A bootstrap of blocks varies exactly like Bartlett's estimate with their length as bandwidth
    /// (Shao and Politis 2013, "Fixed b subsampling and the block bootstrap").
    pub(super) fn stretch(&self, alpha: f64) -> f64 {
        self.critical(alpha) / (self.mean.sqrt() * Normal::standard().inverse_cdf(1.0 - alpha))
    }

    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.degrees_of_freedom).expect("a sum of squares is positive")
    }
}

/// Of `count` numbers. Those whose horizons overlap are correlated; the square root leaves room for what is correlated
/// from day to day besides (Coroneo and Iacone 2020, "Comparing predictive accuracy in small samples using
/// fixed-smoothing asymptotics").
pub(super) fn bandwidth(count: usize, overlap: usize) -> usize {
    count.isqrt().max(overlap).max(1)
}

/// Bartlett's estimate: autocovariances weighted down to none at `bandwidth`. Never negative.
pub(super) fn long_run_variance(values: &[f64], bandwidth: usize) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let covariance =
        |lag: usize| centred.iter().zip(&centred[lag..]).map(|(one, other)| one * other).sum::<f64>() / count;
    let lags = 1..bandwidth.min(values.len());
    let between: f64 = lags.map(|lag| triangle(lag, bandwidth as f64) * covariance(lag)).sum();
    let sum = covariance(0) + 2.0 * between;
    // It is a square by construction; rounding may leave it below zero where it is none. (`max` would take what is no
    // number for zero: for certainty.)
    if sum < 0.0 { 0.0 } else { sum }
}

/// One less the distance in parts of the width; nothing beyond.
fn triangle(distance: usize, width: f64) -> f64 {
    (1.0 - distance as f64 / width).max(0.0)
}

/// Triangular weights after the mean was taken from rows and columns, as it is from the numbers.
fn centred(count: usize, width: f64) -> Vec<f64> {
    let mut weights = vec![0.0; count * count];
    for row in 0..count {
        for column in nearby(row, width, count) {
            weights[row * count + column] = triangle(row.abs_diff(column), width);
        }
    }
    let size = count as f64;
    let means: Vec<f64> = weights.chunks(count).map(|row| row.iter().sum::<f64>() / size).collect();
    let all = means.iter().sum::<f64>() / size;
    for row in 0..count {
        for column in 0..count {
            weights[row * count + column] += all - means[row] - means[column];
        }
    }
    weights
}

/// The places less than `width` from this one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a width is a few hundred at most"
)]
fn nearby(place: usize, width: f64, count: usize) -> std::ops::Range<usize> {
    let reach = width.ceil() as usize;
    place.saturating_sub(reach)..(place + reach).min(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn bandwidth_one_is_the_test_of_diebold_and_mariano_with_its_small_sample_correction() {
        for count in [2, 5, 28, 112] {
            let reference = Reference::new(count, 1, 1);
            let freedom = count as f64 - 1.0;
            assert!((reference.degrees_of_freedom - freedom).abs() < 1e-6 * freedom);
            // Harvey, Leybourne and Newbold for h = 1 multiply the statistic by sqrt((n - 1) / n).
            assert!((reference.standard_error(1.0, count) - (1.0 / freedom).sqrt()).abs() < 1e-9);
        }
        let published = [(28, 0.05, 1.7033), (6, 0.01, 3.3649), (11, 0.001, 4.1437), (112, 0.2, 0.8450)];
        for (count, alpha, quantile) in published {
            assert!((Reference::new(count, 1, 1).critical(alpha) - quantile).abs() < 2e-4, "{count} {alpha}");
        }
    }

    #[test]
    fn critical_values_agree_with_those_of_kiefer_and_vogelsang() {
        // Their cubic for Bartlett's kernel, in b = bandwidth / n.
        let cubics = [
            (0.1, [1.2816, 1.3040, 0.5135, -0.3386]),
            (0.05, [1.6449, 2.1859, 0.3142, -0.3427]),
            (0.025, [1.9600, 2.9694, 0.4160, -0.5324]),
            (0.01, [2.3263, 4.1618, 0.5368, -0.9060]),
        ];
        for (bandwidth, (alpha, c)) in
            [20_u8, 40, 80].into_iter().flat_map(|m| cubics.map(|cubic| (m, cubic)))
        {
            let b = f64::from(bandwidth) / 400.0;
            let published = c[0] + b * (c[1] + b * (c[2] + b * c[3]));
            let reference = Reference::new(400, bandwidth.into(), 1);
            let ours = reference.critical(alpha) / reference.mean.sqrt();
            assert!((ours / published - 1.0).abs() < 0.04, "{alpha} {b}: {ours} {published}");
        }
    }

    #[test]
    fn more_numbers_than_are_computed_with_change_little() {
        let (whole, shrunk) = (Reference::of_weights(400, 20.0, 4.0), Reference::new(400, 20, 4));
        assert!((whole.mean / shrunk.mean - 1.0).abs() < 0.02, "{whole:?} {shrunk:?}");
        assert!((whole.degrees_of_freedom / shrunk.degrees_of_freedom - 1.0).abs() < 0.02);
        let p = shrunk.luck(shrunk.critical(0.07));
        assert!((p - 0.07).abs() < 1e-9);
    }

    #[test]
    fn what_overlaps_is_within_the_bandwidth() {
        let cases = [((28, 1), 5), ((28, 7), 7), ((400, 7), 20), ((2, 1), 1), ((0, 0), 1)];
        for ((count, overlap), expected) in cases {
            assert_eq!(bandwidth(count, overlap), expected, "{count} {overlap}");
        }
    }

    #[test]
    fn a_long_run_variance_is_that_of_the_sum() {
        assert_eq!(long_run_variance(&[3.0; 9], 4), 0.0);
        assert_eq!(long_run_variance(&[1.0, 3.0], 1), 1.0);
        // With two lags: 1 + 2 · ½ · (-1 · 1 / 2).
        assert_eq!(long_run_variance(&[1.0, 3.0], 2), 0.5);
        // Alternating numbers cancel in sums: an unweighted sum of autocovariances would be negative.
        let alternating: Vec<f64> = (0..28).map(|at| if at % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!((0..40).all(|bandwidth| long_run_variance(&alternating, bandwidth) >= 0.0));
        assert!(!long_run_variance(&[1e200, -1e200, 2e200], 3).is_finite(), "too large is not certain");
    }

    /// How often luck passes at level 0.05, on sums over `overlap` independent normal numbers.
    fn rejected(count: usize, bandwidth: usize, overlap: usize) -> f64 {
        const DRAWS: u32 = 20_000;
        let reference = Reference::new(count, bandwidth, overlap);
        let critical = reference.critical(0.05);
        let mut random = Random::new(7);
        let passed = (0..DRAWS).filter(|_| {
            let noise: Vec<f64> = (0..count + overlap).map(|_| random.normal()).collect();
            let sums: Vec<f64> = noise.windows(overlap).take(count).map(|part| part.iter().sum()).collect();
            let error = reference.standard_error(long_run_variance(&sums, bandwidth), count);
            sums.iter().sum::<f64>() / count as f64 > critical * error
        });
        passed.count() as f64 / f64::from(DRAWS)
    }

    #[test]
    fn luck_passes_no_oftener_than_declared() {
        // Twice the standard error of a share of 20,000 draws is 0.003.
        for (count, bandwidth, overlap) in [(28, 5, 1), (28, 5, 2), (28, 7, 7), (56, 7, 4), (8, 2, 1)] {
            let share = rejected(count, bandwidth, overlap);
            assert!((0.035..=0.053).contains(&share), "{count} {bandwidth} {overlap}: {share}");
        }
    }
}
