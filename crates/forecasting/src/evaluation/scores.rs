//! The numbers of a comparison of learners: what forecasters know from other tools, in their units.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::{
    Forecasts, LossScales, RowSet,
    errors::{mean, quantile, sorted},
};

/// How one learner's forecasts of a set of rows compare with what was. Ratios are in percent, absolute
/// errors in the unit of the values. A number that cannot be formed is `None`.
///
/// Unlike the gate's [`Errors`](super::Errors), which may leave no series unseen, scaled errors count here
/// only for series with a scale of their own, as usual for the MASE.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Mean of the absolute errors.
    pub mae: f64,
    /// Sum of the absolute errors in percent of the sum of the absolute actuals.
    pub wape: Option<f64>,
    /// Root of the mean of the squared errors.
    pub rmse: f64,
    /// Mean over the series of the mean scaled error of each.
    pub mase: Option<f64>,
    /// Sum of forecast − actual in percent of the sum of the absolute actuals: positive if too high.
    pub bias: Option<f64>,
    /// The 99.9 % quantile of the absolute errors, interpolated.
    pub p999: f64,
    /// Mean of the worst hundredth (rounded up) of the scaled errors.
    pub cvar99: Option<f64>,
    /// The largest absolute error.
    pub max: f64,
    /// WAPE of all series together on the local day where it is largest.
    pub worst_day_wape: Option<f64>,
    /// WAPE of the series where it is largest.
    pub worst_series_wape: Option<f64>,
}

impl Scores {
    /// Sums up forecasts of `rows`; `None` without a row, or if any forecast is missing.
    pub fn of(rows: &RowSet<'_>, forecasts: &Forecasts, scales: &LossScales) -> Option<Self> {
        if rows.rows().is_empty() || !forecasts.faults.is_empty() {
            return None;
        }
        let points = points(rows, forecasts, scales);
        let errors = sorted(points.iter().map(Point::error));
        let actuals: f64 = points.iter().map(|point| point.actual.abs()).sum();
        let signed: f64 = points.iter().map(|point| point.forecast - point.actual).sum();
        Some(Self {
            mae: mean(&errors),
            wape: percent(errors.iter().sum(), actuals),
            rmse: mean(&sorted(errors.iter().map(|error| error * error))).sqrt(),
            mase: mase(&points),
            bias: percent(signed, actuals),
            p999: quantile(&errors, 0.999),
            cvar99: worst_hundredth(points.iter().filter_map(Point::loss)),
            max: *errors.last()?,
            worst_day_wape: worst_wape(&points, |point| point.day),
            worst_series_wape: worst_wape(&points, |point| point.series),
        })
    }
}

struct Point {
    series: usize,
    day: Date,
    actual: f64,
    forecast: f64,
    scale: Option<f64>,
}

impl Point {
    fn error(&self) -> f64 {
        (self.forecast - self.actual).abs()
    }

    fn loss(&self) -> Option<f64> {
        Some(self.error() / self.scale?)
    }
}

fn points(rows: &RowSet<'_>, forecasts: &Forecasts, scales: &LossScales) -> Vec<Point> {
    let frame = rows.frame();
    let scale_of = |series: usize| {
        let id = &frame.series[series].id;
        scales.is_own(id).then(|| scales.of(id))
    };
    let scale: Vec<Option<f64>> = (0..frame.series.len()).map(scale_of).collect();
    let rows = rows.rows().iter().zip(&forecasts.values);
    let point = |(row, &forecast): (&super::Row, &f64)| Point {
        series: row.series,
        day: frame.grid.local(row.target).date(),
        actual: row.actual,
        forecast,
        scale: scale[row.series],
    };
    rows.map(point).collect()
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    Some(100.0 * part / whole).filter(|percent| percent.is_finite())
}

/// `points` come series by series.
fn mase(points: &[Point]) -> Option<f64> {
    let by_series = points.chunk_by(|one, next| one.series == next.series);
    let means: Vec<f64> = by_series
        .filter_map(|series| Some(mean(&series.iter().map(Point::loss).collect::<Option<Vec<_>>>()?)))
        .collect();
    (!means.is_empty()).then(|| mean(&means))
}

fn worst_hundredth(losses: impl Iterator<Item = f64>) -> Option<f64> {
    let ascending = sorted(losses);
    let worst = ascending.len().div_ceil(100);
    (worst > 0).then(|| mean(&ascending[ascending.len() - worst..]))
}

/// A group without any demand has no WAPE.
fn worst_wape<Group: Ord>(points: &[Point], group: impl Fn(&Point) -> Group) -> Option<f64> {
    let mut sums: BTreeMap<Group, (f64, f64)> = BTreeMap::new();
    for point in points {
        let (errors, actuals) = sums.entry(group(point)).or_default();
        *errors += point.error();
        *actuals += point.actual.abs();
    }
    let wapes = sums.into_values().filter_map(|(errors, actuals)| percent(errors, actuals));
    wapes.max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        names::SeriesId,
        series::{Frame, Frequency, Grid, Series},
    };

    /// Three weeks of days; the forecast of each of the last seven is `off` above what was.
    fn scores(all: &[(&str, f64, f64)]) -> Scores {
        let grid = Grid::new(Frequency::Days(1), "UTC").expect("UTC is known");
        let start = "2025-03-03T00:00:00Z".parse().expect("is a time");
        let series = all.iter().map(|&(id, step, _)| {
            // Each week is `step` above the one before it, which is the scale.
            let values = (0..21).map(|day| 10.0 + step * f64::from(day / 7)).collect();
            Series { id: SeriesId::new(id).expect("is an id"), start, values }
        });
        let frame = Frame::new(grid, series.collect()).expect("the ids differ");
        let origin = frame.grid.advance(start, 14);
        let scales = LossScales::in_sample(&frame, frame.grid.advance(origin, -1));
        let rows = RowSet::new(&frame, vec![origin], 7, SignedDuration::ZERO);
        let forecasts = rows.forecast(|history, _| -> Result<_, Infallible> {
            let (_, step, off) =
                all.iter().find(|(id, ..)| *id == history.id.as_str()).expect("is one of them");
            Ok(Ok(vec![10.0 + 2.0 * step + off; 7]))
        });
        Scores::of(&rows, &forecasts.expect("never stops"), &scales).expect("has rows")
    }

    fn close(one: Option<f64>, other: f64) -> bool {
        one.is_some_and(|one| (one - other).abs() < 1e-9)
    }

    #[test]
    fn every_number_agrees_with_a_hand_computed_example() {
        // Actuals 12 and 20, errors 1 and 4 each day, scales 1 and 5.
        let scores = scores(&[("a", 1.0, 1.0), ("b", 5.0, -4.0)]);
        assert_eq!((scores.mae, scores.max), (2.5, 4.0));
        assert!(close(scores.wape, 100.0 * 5.0 / 32.0));
        assert!(close(scores.bias, 100.0 * -3.0 / 32.0));
        assert!((scores.rmse - 8.5_f64.sqrt()).abs() < 1e-12);
        assert!(close(scores.mase, f64::midpoint(1.0, 0.8)));
        assert!(close(scores.cvar99, 1.0), "one of fourteen");
        assert!(close(scores.worst_day_wape, 100.0 * 5.0 / 32.0));
        assert!(close(scores.worst_series_wape, 100.0 * 4.0 / 20.0));
    }

    #[test]
    fn a_series_without_a_scale_counts_only_where_no_scale_is_needed() {
        let scores = scores(&[("a", 1.0, 1.0), ("constant", 0.0, 9.0)]);
        assert!(close(scores.mase, 1.0));
        assert!(close(scores.cvar99, 1.0));
        assert_eq!(scores.mae, 5.0);
    }

    #[test]
    fn what_cannot_be_formed_is_absent() {
        let scores = scores(&[("constant", 0.0, 9.0)]);
        assert_eq!((scores.mase, scores.cvar99), (None, None));
        assert!(close(scores.wape, 90.0));
    }
}
