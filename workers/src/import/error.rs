//! Why a file is not imported.

use std::{fmt, io};

use forecasting::series::{Frequency, InvalidTimeZone};
use jiff::Timestamp;
use serde::Serialize;

use crate::file_format::FileFormat;

/// Why nothing of a file is stored: what is wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The zone for time stamps without an offset is unknown.
    #[error("--tz")]
    TimeZone(#[from] InvalidTimeZone),
    /// A plain grid was asked for, but the dataset follows the days of a zone.
    #[error("--tz none: a plain grid needs a dataset in UTC, this one is in {time_zone}")]
    PlainGrid {
        /// The dataset's time zone.
        time_zone: String,
    },
    /// The bytes are not of the format that they should be, or of none.
    #[error("not a {format} file: {problem}")]
    WrongFormat {
        /// What it should be.
        format: FileFormat,
        /// What it is instead.
        problem: String,
    },
    /// The header lacks a column, or has one twice.
    #[error("header: {problem}; found {}", found.join(", "))]
    Header {
        /// What is wrong.
        problem: String,
        /// Names of the columns that are there.
        found: Vec<String>,
    },
    /// One column per series rather than one row per value.
    #[error(
        "header: no column for the series and none for the value, but one for the time ({time}) beside {}: if each \
         of those is a series, the file is in wide format and long format is needed; else --id and --value name \
         the columns",
        series.join(", ")
    )]
    Wide {
        /// Name of the column of times.
        time: String,
        /// Names of the first other columns.
        series: Vec<String>,
    },
    /// Reading failed, or the compressed data is damaged.
    #[error("after line {line}: {problem}")]
    Unreadable {
        /// The last line that was read.
        line: u64,
        /// What that means.
        problem: &'static str,
        /// What the reader says.
        #[source]
        source: io::Error,
    },
    /// A value cannot be.
    #[error("{place}: {field} = {value:?}: {problem}")]
    Row {
        /// Where it stands.
        place: Place,
        /// Name of the column, as in the header.
        field: String,
        /// The value, cut to 80 characters.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Most steps are longer or shorter than the dataset says.
    #[error("steps of {found}, but the dataset declares {declared}")]
    OtherFrequency {
        /// The most common step, as an ISO 8601 duration.
        found: String,
        /// The dataset's.
        declared: Frequency,
    },
    /// Rows lie between the steps of the others.
    #[error(
        "{count} rows are off the grid of {frequency} steps in {time_zone} that the others are on; first: {}",
        list(first)
    )]
    OffGrid {
        /// How many.
        count: u64,
        /// The dataset's frequency.
        frequency: Frequency,
        /// The dataset's time zone.
        time_zone: String,
        /// The first three in the file.
        first: Vec<PlacedRow>,
    },
    /// No frequency can be read off the file.
    #[error(
        "{}",
        match step {
            Some(step) => format!("rows are {step} apart; steps of minutes that divide a day, or of 1 to 7 days, are possible"),
            None => "no series has two rows, so that nothing says how far apart steps are".to_owned(),
        }
    )]
    NoFrequency {
        /// The most common distance of rows.
        step: Option<String>,
    },
    /// A series lacks too many steps.
    #[error(
        "series {series} lacks {missing_steps} of {steps} steps, more than 20 % (--on-gap allow takes it as it \
         is); first gaps: {}",
        list(first)
    )]
    Gaps {
        /// Which series.
        series: String,
        /// Steps without a row between its first and its last.
        missing_steps: u64,
        /// Steps from its first to its last.
        steps: u64,
        /// The first three gaps.
        first: Vec<Gap>,
    },
    /// More than an import may hold.
    #[error("more than {most} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many are allowed.
        most: u64,
    },
}

/// What a row is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Its line in a text file; that of a header is 1.
    Line,
    /// Its number in a file without lines; the first is 1.
    Row,
}

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What is counted.
    pub unit: Unit,
    /// From 1.
    pub number: u64,
}

/// A row by its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRow {
    /// Where it stands.
    pub place: Place,
    /// Its series.
    pub series: String,
    /// Its time stamp.
    pub ds: Timestamp,
}

/// Consecutive steps without a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Which series.
    pub series: String,
    /// The first missing step.
    pub from: Timestamp,
    /// How many steps are missing.
    pub steps: u64,
}

impl ImportError {
    /// A value that cannot be.
    pub(super) fn row(place: Place, field: &str, value: &str, problem: impl Into<String>) -> Self {
        let value = value.chars().take(80).collect();
        Self::Row { place, field: field.to_owned(), value, problem: problem.into() }
    }
}

impl fmt::Display for PlacedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} at {})", self.place, self.series, self.ds)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Line => write!(f, "line {}", self.number),
            Unit::Row => write!(f, "row {}", self.number),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} ({} steps)", self.series, self.from, self.steps)
    }
}

/// The items with commas between.
pub(super) fn list(items: &[impl fmt::Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
