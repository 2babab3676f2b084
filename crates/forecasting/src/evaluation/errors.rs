//! The numbers that sum up one side's forecasts.

use serde::{Deserialize, Serialize};

/// Errors of one side on the rows of a holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Mean of the scaled absolute errors: one of the two numbers that decide.
    pub average: f64,
    /// Mean of the worst 1 % of the scaled absolute errors (`CVaR` 99 %; of the worst 30 if 1 % is fewer):
    /// the other one.
    pub worst_case: f64,
    /// Mean of the absolute errors, in the unit of the values.
    pub mae: f64,
    /// Sum of the absolute errors over the sum of the absolute actuals, as a ratio; `None` if all actuals
    /// are zero.
    pub wape: Option<f64>,
    /// Root of the mean of the squared errors, in the unit of the values.
    pub rmse: f64,
    /// Mean over the series of the mean scaled absolute error of each: every series counts the same.
    pub mase: f64,
    /// Sum of forecast − actual over the sum of the absolute actuals, as a ratio, positive if forecasts
    /// are too high; `None` if all actuals are zero.
    pub bias: Option<f64>,
    /// The 99.9 % quantile of the absolute errors, interpolated, in the unit of the values.
    pub p999: f64,
    /// The largest absolute error, in the unit of the values.
    pub max: f64,
}

/// One forecast point and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// Tells series apart.
    pub(super) series: usize,
    /// What was.
    pub(super) actual: f64,
    /// What was forecast; finite.
    pub(super) forecast: f64,
    /// What an error of this series is divided by; positive.
    pub(super) scale: f64,
}

impl Scored {
    fn error(&self) -> f64 {
        (self.forecast - self.actual).abs()
    }

    /// The scaled absolute error.
    pub(super) fn loss(&self) -> f64 {
        self.error() / self.scale
    }
}

impl Errors {
    /// Sums up points of series in ascending order; `None` without any point, or if an error is too large
    /// for a number.
    pub(super) fn of(points: &[Scored]) -> Option<Self> {
        let losses: Vec<f64> = points.iter().map(Scored::loss).collect();
        let errors = sorted(points.iter().map(Scored::error));
        let actuals: f64 = points.iter().map(|point| point.actual.abs()).sum();
        let over_actuals = |sum: f64| Some(sum / actuals).filter(|ratio| ratio.is_finite());
        let signed = points.iter().map(|point| point.forecast - point.actual).sum();
        let squares = sorted(points.iter().map(|point| point.error().powi(2)));
        let by_series = points.chunk_by(|one, next| one.series == next.series);
        let series_means = by_series.map(|series| mean(&sorted(series.iter().map(Scored::loss))));
        let rmse = Some(mean(&squares).sqrt()).filter(|rmse| rmse.is_finite())?;
        Some(Self {
            average: average(&losses)?,
            worst_case: worst_case(&losses)?,
            mae: mean(&errors),
            wape: over_actuals(errors.iter().sum()),
            rmse,
            mase: mean(&sorted(series_means)),
            bias: over_actuals(signed),
            p999: quantile(&errors, 0.999),
            max: *errors.last()?,
        })
    }
}

/// The average error: the mean of the losses. `None` without any, or if it is too large for a number.
pub fn average(losses: &[f64]) -> Option<f64> {
    Some(mean(&sorted(losses.iter().copied()))).filter(|average| average.is_finite())
}

/// The worst-case error: the mean of the losses in the [`Tail`]. `None` as for [`average`].
pub fn worst_case(losses: &[f64]) -> Option<f64> {
    let tail = Tail::of(losses.len())?;
    let ascending = sorted(losses.iter().copied());
    Some(mean(&ascending[losses.len() - tail.points..])).filter(|worst_case| worst_case.is_finite())
}

/// Which of the scored points are the worst case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Points in the tail: 1 % of all, rounded up, but at least 30, or all if there are fewer.
    pub points: usize,
    /// All points.
    pub of: usize,
}

impl Tail {
    /// A tail of fewer points than this says more about luck than about the model.
    pub const LEAST_POINTS: usize = 30;

    /// The tail of that many points; `None` of none.
    pub fn of(points: usize) -> Option<Self> {
        let hundredth = points.div_ceil(100);
        (points > 0).then(|| Self { points: hundredth.max(Self::LEAST_POINTS).min(points), of: points })
    }

    /// Part of all points, from 0 to 1.
    pub fn share(self) -> f64 {
        self.points as f64 / self.of as f64
    }
}

/// Sorted before they are added: the same losses in another order then have the same mean to the last
/// bit, so that a tie is seen as a tie.
pub(super) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Between the two nearest ranks in proportion, as numpy and R do by default.
pub(super) fn quantile(ascending: &[f64], share: f64) -> f64 {
    let rank = share * (ascending.len() - 1) as f64;
    let (below, above) = (ascending[index(rank.floor())], ascending[index(rank.ceil())]);
    below + (above - below) * rank.fract()
}

/// The same of values in any order, of which there is at least one.
pub(crate) fn quantile_of(values: &[f64], share: f64) -> f64 {
    quantile(&sorted(values.iter().copied()), share)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is a small whole number")]
fn index(rank: f64) -> usize {
    rank as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(series: &[(usize, f64, f64, f64)]) -> Vec<Scored> {
        let scored = |&(series, actual, forecast, scale)| Scored { series, actual, forecast, scale };
        series.iter().map(scored).collect()
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-12
    }

    #[test]
    fn every_metric_agrees_with_a_hand_computed_example() {
        // Errors 1, 2, 3 (scale 2) and 4 (scale 8): losses 0.5, 1, 1.5 and 0.5.
        let four = points(&[
            (0, 10.0, 11.0, 2.0),
            (0, 10.0, 8.0, 2.0),
            (0, 10.0, 13.0, 2.0),
            (1, -20.0, -16.0, 8.0),
        ]);
        let errors = Errors::of(&four).expect("has points");
        assert!(close(errors.average, 3.5 / 4.0));
        assert!(close(errors.worst_case, 3.5 / 4.0), "fewer than 30 points are all in the tail");
        assert!(close(errors.mae, 10.0 / 4.0));
        assert!(close(errors.wape.expect("has actuals"), 10.0 / 50.0));
        assert!(close(errors.rmse, (30.0_f64 / 4.0).sqrt()));
        assert!(close(errors.mase, f64::midpoint(3.0 / 3.0, 0.5)));
        assert!(close(errors.bias.expect("has actuals"), (1.0 - 2.0 + 3.0 + 4.0) / 50.0));
        assert!(close(errors.p999, 3.0 + 0.999 * 3.0 - 2.0), "rank 2.997 lies between 3 and 4");
        assert!(close(errors.max, 4.0));
    }

    #[test]
    fn the_worst_case_is_the_mean_of_the_worst_hundredth() {
        let ascending: Vec<_> = (1..=4001).map(|error| (0, 0.0, f64::from(error), 1.0)).collect();
        let errors = Errors::of(&points(&ascending)).expect("has points");
        // 1 % of 4001, rounded up: the worst 41, which are 3961 to 4001.
        assert!(close(errors.worst_case, 3981.0));
        let errors = Errors::of(&points(&ascending[..200])).expect("has points");
        // At least 30 points: 171 to 200.
        assert!(close(errors.worst_case, 185.5));
    }

    #[test]
    fn the_tail_is_a_hundredth_but_at_least_30_points() {
        let cases = [(1, 1), (29, 29), (30, 30), (700, 30), (3000, 30), (3001, 31), (14_112, 142)];
        for (points, tail) in cases {
            assert_eq!(Tail::of(points), Some(Tail { points: tail, of: points }));
        }
        assert_eq!(Tail::of(0), None);
    }

    #[test]
    fn no_point_has_no_errors_and_zero_demand_has_no_ratio() {
        assert_eq!(Errors::of(&[]), None);
        let nothing_sold = Errors::of(&points(&[(0, 0.0, 3.0, 1.0)])).expect("has a point");
        assert_eq!((nothing_sold.wape, nothing_sold.bias, nothing_sold.mae), (None, None, 3.0));
    }

    #[test]
    fn errors_too_large_for_a_number_are_no_errors() {
        for forecast in [1e200, f64::MAX, f64::INFINITY, f64::NAN] {
            assert_eq!(Errors::of(&points(&[(0, 1.0, forecast, 1.0), (0, 1.0, forecast, 1.0)])), None);
        }
        assert_eq!(average(&[f64::MAX, f64::MAX]), None);
        assert_eq!(worst_case(&[f64::MAX, f64::MAX]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_points_never_changes_what_decides(
            mut errors in prop::collection::vec(0.0_f64..1e6, 1..400), seed in any::<u64>()
        ) {
            let all = |errors: &[f64]| {
                let scored: Vec<_> = errors.iter().map(|error| (0, 0.0, *error, 3.0)).collect();
                Errors::of(&points(&scored)).expect("has points")
            };
            let before = all(&errors);
            let turn = usize::try_from(seed % errors.len() as u64).expect("is an index");
            errors.rotate_left(turn);
            let after = all(&errors);
            prop_assert_eq!((before.average, before.worst_case), (after.average, after.worst_case));
            prop_assert!(before.average <= before.worst_case * (1.0 + 1e-12));
        }
    }
}
