//! Observations on their way out: which are asked for, and how they become series on a grid.

use forecasting::{
    names::SeriesId,
    series::{Grid, OffGrid, Series},
};
use jiff::Timestamp;

use crate::{StoreError, observations::Point};

/// Which observations to read. The default is everything that is known now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Range {
    /// Only these series; `None` for all of the dataset.
    pub series: Option<Vec<SeriesId>>,
    /// Only steps that begin at this instant or later.
    pub from: Option<Timestamp>,
    /// Only steps that begin before this instant.
    pub until: Option<Timestamp>,
    /// Only what was recorded at this instant or earlier; `None` for everything.
    pub as_of: Option<Timestamp>,
}

/// What is known of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// The series that have a value, in ascending order of their ids.
    pub series: Vec<SeriesCoverage>,
    /// The values of all series.
    pub rows: u64,
}

/// What is known of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesCoverage {
    /// The series.
    pub id: SeriesId,
    /// The step of its first value.
    pub first: Timestamp,
    /// The step of its last value.
    pub last: Timestamp,
    /// Its values: steps between the two that have none are not counted.
    pub rows: u64,
}

/// The most steps that a series may span, known or missing: 19 years of minutes. One stray time stamp must
/// not make a reader allocate gigabytes.
pub const MAX_STEPS: usize = 10_000_000;

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A recorded observation is not on the grid that the caller gave.
    #[error("series {series} does not fit the dataset's grid")]
    OffGrid {
        /// The series of the observation.
        series: SeriesId,
        /// Which time stamp lies between two steps.
        source: OffGrid,
    },
    /// A series spans more than [`MAX_STEPS`] steps.
    #[error("series {series} spans {steps} steps, at most {MAX_STEPS} can be read at once")]
    TooLong {
        /// The series.
        series: SeriesId,
        /// Steps from its first value to its last.
        steps: i64,
    },
    /// The store is away, not set up, or busy beyond patience. Once that is over, trying again helps.
    #[error("the history is not available")]
    Unavailable(#[source] StoreError),
    /// The store is there, and the read failed, or it holds what this program never writes. Trying again may
    /// help, or not.
    #[error("the history cannot be read")]
    Failed(#[source] StoreError),
}

impl Coverage {
    /// `None` if no series has a value.
    pub(crate) fn of(mut series: Vec<SeriesCoverage>) -> Option<Self> {
        series.sort_by(|one, other| one.id.cmp(&other.id));
        let rows = series.iter().map(|series| series.rows).sum();
        (rows > 0).then_some(Self { series, rows })
    }

    /// The first step at which any series has a value.
    pub fn first(&self) -> Option<Timestamp> {
        self.series.iter().map(|series| series.first).min()
    }

    /// The last step at which any series has a value.
    pub fn last(&self) -> Option<Timestamp> {
        self.series.iter().map(|series| series.last).max()
    }
}

/// Lays the values of a series on the grid through its first one. `points` are in ascending order of time,
/// each step once, and have values; without any there is no series.
pub(crate) fn lay_on_grid(id: &SeriesId, grid: &Grid, points: &[Point]) -> Result<Option<Series>, ReadError> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Ok(None);
    };
    let start = timestamp(first.ds)?;
    let index = |ds: i64| {
        let steps = grid.steps_between(start, timestamp(ds)?);
        steps.map_err(|source| ReadError::OffGrid { series: id.clone(), source })
    };
    let steps = index(last.ds)? + 1;
    let too_long = || ReadError::TooLong { series: id.clone(), steps };
    let len = usize::try_from(steps).ok().filter(|len| *len <= MAX_STEPS).ok_or_else(too_long)?;
    let mut values = vec![f64::NAN; len];
    for point in points {
        let index = usize::try_from(index(point.ds)?).expect("points come in ascending order");
        values[index] = point.y;
    }
    Ok(Some(Series { id: id.clone(), start, values }))
}

fn timestamp(micros: i64) -> Result<Timestamp, ReadError> {
    database::instant::from_micros(micros).map_err(|error| ReadError::Failed(error.into()))
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        if database::is_away(&error) { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}
