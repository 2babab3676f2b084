//! Observations on their way in: what may be recorded, and what a recorded one changes.

use std::collections::BTreeMap;

use forecasting::names::SeriesId;
use jiff::Timestamp;
use sqlite_file::instant::to_micros;

use crate::StoreError;

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Which series of its dataset.
    pub series: SeriesId,
    /// Start of the step that was counted.
    pub ds: Timestamp,
    /// The value. `NaN` declares it missing, and takes back a value recorded before. Never infinite;
    /// `-0.0` is recorded as `0.0`.
    pub y: f64,
}

/// What a batch of observations told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Observations of steps of which nothing was known.
    pub new: u64,
    /// Observations that replaced another value.
    pub corrected: u64,
    /// Observations that were known already, in the store or earlier in the batch.
    pub unchanged: u64,
}

/// Why nothing of a batch was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A value is infinite.
    #[error("series {series} has no finite value at {ds}")]
    NotFinite {
        /// The series of the value.
        series: SeriesId,
        /// The time stamp of the value; of a forecast, its origin.
        ds: Timestamp,
    },
    /// The batch gives two values for one step.
    #[error("series {series} is given twice at {ds}: as {first} and as {second}")]
    Contradiction {
        /// The series of both values.
        series: SeriesId,
        /// The time stamp of both values.
        ds: Timestamp,
        /// The value that comes first in the batch.
        first: f64,
        /// The other value.
        second: f64,
    },
    /// The store failed.
    #[error("the history cannot be written")]
    Unavailable(#[source] StoreError),
}

/// A value and its time stamp, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) ds: i64,
    pub(crate) y: f64,
}

/// Observations that may be recorded: by series, in ascending order of time, each step once.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) series: BTreeMap<&'a SeriesId, Vec<Point>>,
    /// Observations that repeat another one of the batch.
    pub(crate) repeated: u64,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(observations: &'a [Observation]) -> Result<Self, RecordError> {
        let mut series: BTreeMap<&SeriesId, Vec<Point>> = BTreeMap::new();
        for observation in observations {
            if observation.y.is_infinite() {
                return Err(RecordError::NotFinite {
                    series: observation.series.clone(),
                    ds: observation.ds,
                });
            }
            // SQLite does not keep the sign of a zero, so that no adapter may: -0.0 + 0.0 is 0.0.
            let point = Point { ds: to_micros(observation.ds), y: observation.y + 0.0 };
            series.entry(&observation.series).or_default().push(point);
        }
        let mut repeated = 0;
        for (id, points) in &mut series {
            points.sort_by_key(|point| point.ds); // stable: the first of two stays the first
            let given = points.len();
            refuse_contradictions(id, points)?;
            points.dedup_by_key(|point| point.ds);
            repeated += (given - points.len()) as u64;
        }
        Ok(Self { series, repeated })
    }
}

fn refuse_contradictions(id: &SeriesId, points: &[Point]) -> Result<(), RecordError> {
    let contradiction =
        points.windows(2).find(|pair| pair[0].ds == pair[1].ds && !same_value(pair[0].y, pair[1].y));
    match contradiction {
        None => Ok(()),
        Some(pair) => Err(RecordError::Contradiction {
            series: id.clone(),
            ds: Timestamp::from_microsecond(pair[0].ds).expect("came from a timestamp"),
            first: pair[0].y,
            second: pair[1].y,
        }),
    }
}

fn same_value(one: f64, other: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan())
}

/// The latest row that a store has for a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) recorded_at: i64,
    pub(crate) y: f64,
}

/// What an observation adds to what is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    Nothing,
    /// A first row, recorded at this time.
    New(i64),
    /// A row beside the known ones, recorded at this time.
    Correction(i64),
}

impl Change {
    /// A correction never slides under the row that it corrects, nor onto it: the clock of a recorder may
    /// stand still for two batches or be set back, and as-of reads must still tell the two rows apart.
    pub(crate) fn of(y: f64, known: Option<Known>, recorded_at: i64) -> Self {
        match known {
            None => Change::New(recorded_at),
            Some(known) if same_value(known.y, y) => Change::Nothing,
            Some(known) => Change::Correction(recorded_at.max(known.recorded_at + 1)),
        }
    }

    /// When the row that this change adds counts as recorded; `None` if it adds none.
    pub(crate) fn recorded_at(self) -> Option<i64> {
        match self {
            Change::Nothing => None,
            Change::New(at) | Change::Correction(at) => Some(at),
        }
    }
}

impl Recorded {
    pub(crate) fn count(&mut self, change: Change) {
        match change {
            Change::Nothing => self.unchanged += 1,
            Change::New(_) => self.new += 1,
            Change::Correction(_) => self.corrected += 1,
        }
    }

    /// Whether anything was learned.
    pub fn changed_anything(&self) -> bool {
        self.new + self.corrected > 0
    }
}
