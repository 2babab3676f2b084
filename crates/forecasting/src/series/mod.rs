//! Series on a grid: equally spaced steps of one frequency in one time zone, and what is known besides.

mod covariates;
mod frame;
mod frequency;
mod grid;

pub use covariates::{Attribute, Covariates, MissingCovariate, SeriesCovariates};
pub use frame::{Frame, RepeatedSeries, Series};
pub use frequency::{Frequency, InvalidFrequency};
pub use grid::{Grid, InvalidTimeZone, OffGrid, time_zone};
