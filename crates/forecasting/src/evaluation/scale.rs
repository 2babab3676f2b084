//! In what unit the loss of a series is counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    names::SeriesId,
    series::{Frame, Grid, Series},
};

/// Per series, the mean absolute error that a seasonal-naive forecast (the value a week earlier) made up
/// to a cut-off: the MASE scale. A loss of 1 is an error as large as that.
///
/// A series has no scale of its own if it was constant, or was known for less than two weeks. It gets the
/// median of the others' scales: leaving it out of the losses would let a candidate fail there unseen.
/// Where no series has one, losses are in the unit of the values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossScales {
    own: BTreeMap<SeriesId, f64>,
    pooled: f64,
}

impl LossScales {
    /// The scales that values up to and including the step at `cut_off` give.
    pub fn in_sample(frame: &Frame, cut_off: Timestamp) -> Self {
        let own: BTreeMap<SeriesId, f64> = frame
            .series
            .iter()
            .filter_map(|series| {
                Some((series.id.clone(), seasonal_naive_error(series, &frame.grid, cut_off)?))
            })
            .collect();
        let pooled = median(own.values().copied().collect()).unwrap_or(1.0);
        Self { own, pooled }
    }

    /// What to divide an absolute error of this series by: positive and finite.
    pub fn of(&self, series: &SeriesId) -> f64 {
        self.own.get(series).copied().unwrap_or(self.pooled)
    }

    /// Whether the series has a scale of its own.
    pub fn is_own(&self, series: &SeriesId) -> bool {
        self.own.contains_key(series)
    }
}

/// Fewer pairs than this (or than a season) may agree by chance, and a scale near zero would let one
/// series outweigh all others.
const LEAST_PAIRS: usize = 7;

/// Below this share of the level, an error is the rounding of a constant series.
const ROUNDING: f64 = 1e-9;

fn seasonal_naive_error(series: &Series, grid: &Grid, cut_off: Timestamp) -> Option<f64> {
    let season = grid.steps_per_season();
    let known = series.before(grid, grid.advance(grid.floor(series.start, cut_off), 1));
    let pairs = known.iter().zip(known.iter().skip(season));
    let (mut count, mut errors, mut level) = (0_usize, 0.0, 0.0);
    for (earlier, later) in pairs.filter(|(earlier, later)| earlier.is_finite() && later.is_finite()) {
        count += 1;
        errors += (later - earlier).abs();
        level += later.abs();
    }
    let scale = errors / count as f64;
    let usable = count >= season.max(LEAST_PAIRS) && errors > level * ROUNDING && scale.is_finite();
    usable.then_some(scale)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn daily(all: &[(&str, Vec<f64>)]) -> Frame {
        let grid = Grid::new(Frequency::Days(1), "Europe/Berlin").expect("Berlin is known");
        let start = grid.start_of_day("2025-03-03T12:00:00Z".parse().expect("is a time"), 0);
        let series = all.iter().map(|(id, values)| {
            let id = SeriesId::new(*id).expect("is an id");
            Series { id, start, values: values.clone() }
        });
        Frame::new(grid, series.collect()).expect("the ids differ")
    }

    fn scale(frame: &Frame, id: &str, last_index: usize) -> Option<f64> {
        let id = SeriesId::new(id).expect("is an id");
        let cut_off = frame.series(&id).expect("is there").timestamp(&frame.grid, last_index);
        let scales = LossScales::in_sample(frame, cut_off);
        scales.is_own(&id).then(|| scales.of(&id))
    }

    #[test]
    fn the_scale_is_the_error_of_last_weeks_value_up_to_the_cut_off() {
        // Week 1 is 10 each day, week 2 is 12, 13, …, 18, week 3 is far away.
        let week_2 = (12..19).map(f64::from);
        let values: Vec<f64> = [10.0; 7].into_iter().chain(week_2).chain([1000.0; 7]).collect();
        let frame = daily(&[("a", values)]);
        let errors = f64::from(2 + 3 + 4 + 5 + 6 + 7 + 8) / 7.0;
        assert_eq!(scale(&frame, "a", 13), Some(errors));
        assert_eq!(scale(&frame, "a", 12), None, "six pairs are too few");
        assert!(scale(&frame, "a", 14) > Some(100.0), "the step at the cut-off counts");
    }

    #[test]
    fn missing_values_make_no_pairs() {
        let mut values = vec![1.0; 7];
        values.extend([f64::NAN, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0]);
        let frame = daily(&[("a", values)]);
        // Pairs of indices (1,8) … (6,13) differ by 2, (7,14) has a hole, (8,15) differs by 2.
        assert_eq!(scale(&frame, "a", 15), Some(2.0));
        assert_eq!(scale(&frame, "a", 14), None);
    }

    #[test]
    fn a_series_without_a_scale_gets_the_median_of_the_others() {
        let step = |size: f64| (0..21).map(|day| f64::from(day / 7) * size).collect::<Vec<_>>();
        let nearly = (0..21).map(|day| if day % 2 == 0 { 0.3 } else { 0.1 + 0.2 }).collect();
        let all = [
            ("a", step(1.0)),
            ("b", step(5.0)),
            ("c", step(20.0)),
            ("constant", nearly),
            ("young", vec![1.0, 9.0]),
        ];
        let frame = daily(&all);
        let scales = LossScales::in_sample(&frame, frame.last_target().expect("has values"));
        for (id, expected) in [("a", 1.0), ("b", 5.0), ("c", 20.0), ("constant", 5.0), ("young", 5.0)] {
            assert_eq!(scales.of(&SeriesId::new(id).expect("is an id")), expected, "{id}");
        }
        assert_eq!(frame.series.iter().filter(|series| scales.is_own(&series.id)).count(), 3);
    }

    #[test]
    fn where_no_series_has_a_scale_losses_are_in_the_unit_of_the_values() {
        let frame = daily(&[("zero", vec![0.0; 60]), ("empty", vec![])]);
        let scales = LossScales::in_sample(&frame, frame.last_target().expect("has values"));
        assert_eq!(scales.of(&SeriesId::new("zero").expect("is an id")), 1.0);
    }
}
