//! Observations on their way in: what may be recorded, and what a recorded one changes.

use std::collections::BTreeMap;

use database::instant::to_micros;
use forecasting::{
    names::SeriesId,
    series::{Attribute, Grid, OffGrid},
};
use jiff::Timestamp;

use crate::{MAX_STEPS, StoreError};

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

/// The observations that one message brings.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservationMessage {
    /// The key for "already done", of its dataset.
    pub message_id: String,
    /// What it says.
    pub observations: Vec<Observation>,
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

/// Why nothing of a batch was recorded. Only [`RecordError::Unavailable`] and [`RecordError::Failed`] may end
/// otherwise next time.
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
    /// A value is not on the dataset's grid through the first value of its series.
    #[error("series {series} does not fit the dataset's grid")]
    OffGrid {
        /// The series of the value.
        series: SeriesId,
        /// Which time stamp lies between two steps.
        source: OffGrid,
    },
    /// The series would be too long to be read.
    #[error(
        "series {series} would span {steps} steps with its value at {ds}, at most {MAX_STEPS} are allowed"
    )]
    TooLong {
        /// The series.
        series: SeriesId,
        /// The value of the batch that lies farthest from what is known.
        ds: Timestamp,
        /// Steps from its first value to its last.
        steps: i64,
    },
    /// The store is away, not set up, busy beyond patience, or full. Once that is over, trying again helps.
    #[error("the history is not available")]
    Unavailable(#[source] StoreError),
    /// The store is there, and the write failed. Trying again may help, or not.
    #[error("the history cannot be written")]
    Failed(#[source] StoreError),
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
        // Mostly a batch brings one series after the other: each is looked for once.
        for run in observations.chunk_by(|one, next| one.series == next.series) {
            if let Some(infinite) = run.iter().find(|observation| observation.y.is_infinite()) {
                let (series, ds) = (infinite.series.clone(), infinite.ds);
                return Err(RecordError::NotFinite { series, ds });
            }
            // SQLite does not keep the sign of a zero, so that no adapter may: -0.0 + 0.0 is 0.0.
            let point = |one: &Observation| Point { ds: to_micros(one.ds), y: one.y + 0.0 };
            series.entry(&run[0].series).or_default().extend(run.iter().map(point));
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
            ds: instant(pair[0].ds),
            first: pair[0].y,
            second: pair[1].y,
        }),
    }
}

/// The first and the last value of a series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// Refuses what would make the series unreadable: see [`lay_on_grid`](crate::reading::lay_on_grid). `points`
/// are in ascending order of time; `known` are the ends of the values that are known already.
pub(crate) fn refuse_unreadable(
    id: &SeriesId,
    grid: &Grid,
    points: &[Point],
    known: Option<Ends>,
) -> Result<(), RecordError> {
    // A step that is declared missing is not read.
    let mut values = points.iter().filter(|point| !point.y.is_nan()).map(|point| instant(point.ds));
    let Some(first) = values.clone().next() else {
        return Ok(());
    };
    let last = values.clone().next_back().unwrap_or(first);
    let known = known.unwrap_or(Ends { first, last });
    values
        .try_for_each(|ds| grid.steps_between(known.first, ds).map(drop))
        .map_err(|source| RecordError::OffGrid { series: id.clone(), source })?;
    let steps = grid.steps_up_to(first.min(known.first), last.max(known.last)) + 1;
    if usize::try_from(steps).is_ok_and(|steps| steps <= MAX_STEPS) {
        return Ok(());
    }
    let steps_before = grid.steps_up_to(first, known.first);
    let steps_after = grid.steps_up_to(known.last, last);
    let ds = if steps_before > steps_after { first } else { last };
    Err(RecordError::TooLong { series: id.clone(), ds, steps })
}

/// The instant of a point that came from a timestamp.
fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN) // cutting may leave the range only there
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

/// A row of the table of observations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRow {
    pub(crate) series_id: i64,
    pub(crate) ds: i64,
    pub(crate) recorded_at: i64,
    /// `None`: declared missing.
    pub(crate) y: Option<f64>,
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
        let known = known.map(|known| (known.recorded_at, same_value(known.y, y)));
        Self::of_known(known, recorded_at)
    }

    /// As [`of`](Self::of), for what a static attribute says.
    pub(crate) fn of_attribute(says: &Attribute, known: Option<(i64, &Attribute)>, recorded_at: i64) -> Self {
        Self::of_known(known.map(|(known_at, said)| (known_at, said == says)), recorded_at)
    }

    /// `known`: when the latest row was recorded, and whether it says the same.
    fn of_known(known: Option<(i64, bool)>, recorded_at: i64) -> Self {
        match known {
            None => Change::New(recorded_at),
            Some((_, true)) => Change::Nothing,
            Some((known_at, false)) => Change::Correction(recorded_at.max(known_at + 1)),
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

    pub(crate) fn add(&mut self, other: Recorded) {
        self.new += other.new;
        self.corrected += other.corrected;
        self.unchanged += other.unchanged;
    }

    /// Whether anything was learned.
    pub fn changed_anything(&self) -> bool {
        self.new + self.corrected > 0
    }
}

impl From<sqlx::Error> for RecordError {
    fn from(error: sqlx::Error) -> Self {
        if database::is_away(&error) { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}
