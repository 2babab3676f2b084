//! Series on a grid: equally spaced steps of one frequency in one time zone.

mod frame;
mod frequency;
mod grid;

pub use frame::{Frame, RepeatedSeries, Series};
pub use frequency::{Frequency, InvalidFrequency};
pub use grid::{Grid, InvalidTimeZone, OffGrid, time_zone};
