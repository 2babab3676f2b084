//! What an import found and repaired.

use std::fmt;

use forecasting::series::time_zone;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{Gap, error::list};

/// What a file held. Displayed as a few lines for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Rows after the header.
    pub rows: u64,
    /// Series among them.
    pub series: u64,
    /// The most common step, as an ISO 8601 duration; `None` if no series has two times.
    pub frequency: Option<String>,
    /// Rows that were earlier than the one before them of their series, put in order as asked for.
    pub unsorted_rows: u64,
    /// Rows that were merged with another one of their series and time, as asked for.
    pub duplicates: u64,
    /// Rows of skipped or repeated local times, repaired as asked for.
    pub daylight_saving: DaylightSavingRepairs,
    /// Runs of steps without a row.
    pub gaps: u64,
    /// Steps in them.
    pub missing_steps: u64,
    /// The first three.
    pub first_gaps: Vec<Gap>,
    /// Columns that were not read.
    pub ignored_columns: Vec<String>,
    /// The earliest time; `None` if every row was dropped.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
    /// The dataset's time zone, in which times are displayed.
    pub time_zone: String,
}

/// Rows of local times that the clock skips or repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DaylightSavingRepairs {
    /// Rows left out.
    pub dropped: u64,
    /// Rows whose time was moved, or chosen among two.
    pub shifted: u64,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frequency = self.frequency.as_deref().unwrap_or("unknown");
        writeln!(f, "rows         {} of {} series", self.rows, self.series)?;
        writeln!(f, "frequency    {frequency}")?;
        writeln!(f, "first, last  {}, {}", self.local(self.first), self.local(self.last))?;
        write!(f, "gaps         {} ({} steps)", self.gaps, self.missing_steps)?;
        if !self.first_gaps.is_empty() {
            write!(f, ", first: {}", list(&self.first_gaps))?;
        }
        write!(f, "\nduplicates   {}", self.duplicates)?;
        let DaylightSavingRepairs { dropped, shifted } = self.daylight_saving;
        if dropped + shifted > 0 {
            write!(f, "\nclock change {dropped} rows dropped, {shifted} shifted")?;
        }
        if self.unsorted_rows > 0 {
            write!(f, "\nout of order {} rows", self.unsorted_rows)?;
        }
        if !self.ignored_columns.is_empty() {
            write!(f, "\nnot read     {}", self.ignored_columns.join(", "))?;
        }
        Ok(())
    }
}

impl ImportReport {
    /// What is not as it stands in the file, as asked for, and what is not there; nothing for a plain file.
    pub fn repairs(&self) -> Vec<String> {
        let DaylightSavingRepairs { dropped, shifted } = self.daylight_saving;
        let all = [
            (self.duplicates, "rows were merged with another one of their series and time"),
            (dropped, "rows of skipped or repeated local times were left out"),
            (shifted, "rows of skipped or repeated local times were moved"),
            (self.unsorted_rows, "rows were put in order"),
            (self.missing_steps, "steps have no row"),
        ];
        let found = all.into_iter().filter(|(count, _)| *count > 0);
        found.map(|(count, what)| format!("{count} {what}")).collect()
    }

    fn local(&self, at: Option<Timestamp>) -> String {
        let zone = time_zone(&self.time_zone).unwrap_or(TimeZone::UTC);
        at.map_or("none".to_owned(), |at| at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }
}
