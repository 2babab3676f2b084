//! Series of one dataset, all on the dataset's grid.

use jiff::Timestamp;

use super::Grid;
use crate::names::SeriesId;

/// One series: values at `start`, `start + 1 step`, … of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Which series of its dataset this is.
    pub id: SeriesId,
    /// Start of the interval that the first value was counted in.
    pub start: Timestamp,
    /// One value per step; `NaN` where no observation is known. Never infinite.
    pub values: Vec<f64>,
}

/// Series of one dataset on one grid.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The grid of every series.
    pub grid: Grid,
    /// The series, in ascending order of their ids; each id once.
    pub series: Vec<Series>,
}
