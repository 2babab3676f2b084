//! Series of one dataset, all on the dataset's grid.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Grid;
use crate::names::SeriesId;

/// One series: values at `start`, `start + 1 step`, … of a grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Which series of its dataset this is.
    pub id: SeriesId,
    /// Start of the interval that the first value was counted in.
    pub start: Timestamp,
    /// One value per step; `NaN` where no observation is known. Never infinite.
    pub values: Vec<f64>,
}

/// Series of one dataset on one grid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    /// The grid of every series.
    pub grid: Grid,
    /// The series, in ascending order of their ids; each id once.
    pub series: Vec<Series>,
}

/// Two series of a frame have the same id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("series {id} is given twice")]
pub struct RepeatedSeries {
    /// The id that two series share.
    pub id: SeriesId,
}

impl Series {
    /// The instant after the last step: where the next value would lie.
    pub fn end(&self, grid: &Grid) -> Timestamp {
        grid.advance(self.start, self.len_steps())
    }

    /// When the step at `index` begins. The index may lie outside the values.
    pub fn timestamp(&self, grid: &Grid, index: usize) -> Timestamp {
        grid.advance(self.start, i64::try_from(index).unwrap_or(i64::MAX))
    }

    /// How many values lie before `at`: the index of the first step that is not before it, at most the
    /// number of values.
    pub fn index_of(&self, grid: &Grid, at: Timestamp) -> usize {
        let first = grid.steps_up_to(self.start, grid.ceil(self.start, at));
        usize::try_from(first.max(0)).map_or(self.values.len(), |index| index.min(self.values.len()))
    }

    /// The value of the step that begins at `at`; `NaN` if it is missing, outside, or between two steps.
    pub fn value(&self, grid: &Grid, at: Timestamp) -> f64 {
        let index = grid.steps_between(self.start, at).ok().and_then(|steps| usize::try_from(steps).ok());
        index.and_then(|index| self.values.get(index).copied()).unwrap_or(f64::NAN)
    }

    /// The values whose steps begin before `at`: all that a forecast from the origin `at` may look at.
    pub fn before(&self, grid: &Grid, at: Timestamp) -> &[f64] {
        &self.values[..self.index_of(grid, at)]
    }

    /// The time stamp of the last value that is not missing.
    pub fn last_target(&self, grid: &Grid) -> Option<Timestamp> {
        self.values.iter().rposition(|value| !value.is_nan()).map(|index| self.timestamp(grid, index))
    }

    /// The time stamp of the first value that is not missing.
    pub fn first_target(&self, grid: &Grid) -> Option<Timestamp> {
        self.values.iter().position(|value| !value.is_nan()).map(|index| self.timestamp(grid, index))
    }

    /// The steps that begin in `from..until`; empty, starting at or after `from`, if there are none.
    #[must_use]
    pub fn window(&self, grid: &Grid, from: Timestamp, until: Timestamp) -> Series {
        let first = self.index_of(grid, from);
        let end = self.index_of(grid, until).max(first);
        Series {
            id: self.id.clone(),
            start: self.timestamp(grid, first),
            values: self.values[first..end].to_vec(),
        }
    }

    fn len_steps(&self) -> i64 {
        i64::try_from(self.values.len()).expect("a vector is shorter than 2^63")
    }
}

impl Frame {
    /// Sorts the series by their ids.
    ///
    /// # Errors
    /// [`RepeatedSeries`] if two have the same id.
    pub fn new(grid: Grid, mut series: Vec<Series>) -> Result<Self, RepeatedSeries> {
        series.sort_by(|one, other| one.id.cmp(&other.id));
        match series.windows(2).find(|pair| pair[0].id == pair[1].id) {
            Some(pair) => Err(RepeatedSeries { id: pair[0].id.clone() }),
            None => Ok(Self { grid, series }),
        }
    }

    /// The series with this id.
    pub fn series(&self, id: &SeriesId) -> Option<&Series> {
        self.series.binary_search_by(|series| series.id.cmp(id)).ok().map(|index| &self.series[index])
    }

    /// The latest time stamp at which any series has a value.
    pub fn last_target(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(|series| series.last_target(&self.grid)).max()
    }

    /// The earliest time stamp at which any series has a value.
    pub fn first_target(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(|series| series.first_target(&self.grid)).min()
    }

    /// Every series cut to the steps that begin in `from..until`; a series without any stays, empty.
    #[must_use]
    pub fn window(&self, from: Timestamp, until: Timestamp) -> Frame {
        let series = self.series.iter().map(|series| series.window(&self.grid, from, until)).collect();
        Frame { grid: self.grid.clone(), series }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("tests write time stamps")
    }

    fn hourly() -> Grid {
        Grid::new(Frequency::Minutes(60), "UTC").expect("UTC is known")
    }

    fn series(id: &str, values: &[f64]) -> Series {
        let id = SeriesId::new(id).expect("tests write ids");
        Series { id, start: at("2025-01-01T00:00:00Z"), values: values.to_vec() }
    }

    #[test]
    fn a_value_is_found_by_its_time_stamp_alone() {
        let (grid, series) = (hourly(), series("a", &[1.0, f64::NAN, 3.0]));
        assert_eq!(series.value(&grid, at("2025-01-01T02:00:00Z")), 3.0);
        for missing in ["2025-01-01T01:00:00Z", "2025-01-01T00:30:00Z", "2024-12-31T23:00:00Z"] {
            assert!(series.value(&grid, at(missing)).is_nan(), "{missing}");
        }
        assert!(series.value(&grid, series.end(&grid)).is_nan());
    }

    #[test]
    fn a_forecast_looks_only_at_steps_that_begin_before_its_origin() {
        let (grid, series) = (hourly(), series("a", &[1.0, 2.0, 3.0]));
        assert_eq!(series.before(&grid, at("2025-01-01T02:00:00Z")), [1.0, 2.0]);
        assert_eq!(series.before(&grid, at("2025-01-01T01:30:00Z")), [1.0, 2.0]);
        assert_eq!(series.before(&grid, at("2024-01-01T00:00:00Z")), [0.0; 0]);
        assert_eq!(series.before(&grid, at("2026-01-01T00:00:00Z")), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn missing_values_at_the_ends_are_no_targets() {
        let nan = f64::NAN;
        let both = vec![series("b", &[nan, nan]), series("a", &[nan, 1.0, 2.0, nan])];
        let frame = Frame::new(hourly(), both).expect("the ids differ");
        assert_eq!(frame.first_target(), Some(at("2025-01-01T01:00:00Z")));
        assert_eq!(frame.last_target(), Some(at("2025-01-01T02:00:00Z")));
        let id = SeriesId::new("b").expect("is an id");
        assert_eq!(frame.series(&id).and_then(|series| series.last_target(&frame.grid)), None);
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let frame = Frame::new(hourly(), vec![series("a", &[1.0, 2.0, 3.0])]).expect("one series");
        let window = frame.window(at("2025-01-01T01:00:00Z"), at("2025-01-01T02:00:00Z"));
        assert_eq!(window.series[0].start, at("2025-01-01T01:00:00Z"));
        assert_eq!(window.series[0].values, [2.0]);
        let nothing = frame.window(at("2026-01-01T00:00:00Z"), at("2025-01-01T00:00:00Z"));
        assert!(nothing.series[0].values.is_empty());
    }

    #[test]
    fn a_series_given_twice_is_refused() {
        let twice = Frame::new(hourly(), vec![series("a", &[1.0]), series("a", &[2.0])]);
        assert_eq!(twice.expect_err("is given twice").to_string(), "series a is given twice");
    }
}
