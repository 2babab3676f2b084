//! Reading observations from CSV, JSON lines and Parquet: all rows or none, and no repair that was not asked
//! for by name.
//!
//! Pure but for the reading (`input`): bytes become rows (`source`, `csv_rows`, `json_rows`, `parquet_rows`), rows
//! become points (`columns`, `moments`, `points`; what stands beside them: `covariates`), and the points of each
//! series are checked against the dataset's grid (`arrange`). Memory holds one row or page of the file, and the points.

mod input;
mod source;

mod csv_rows;
mod json_rows;
mod parquet_pages;
mod parquet_rows;

mod columns;
mod covariates;
mod moments;
mod points;

mod arrange;

mod look;
mod sample;

mod error;
pub(crate) mod melt;
mod report;

use std::io::Seek as _;

use clap::ValueEnum;
use forecasting::{
    names::{CovariateName, SeriesId},
    series::{Covariates, Frequency, time_zone},
    spec::DatasetSpec,
};
use history::Observation;
use jiff::{Timestamp, tz::TimeZone};

pub use error::{Gap, ImportError, Place, PlacedRow, Unit};
pub use input::Input;
pub use look::{Look, Sample, WrittenBy, guess_columns, look};
pub(crate) use moments::{OUTSIDE_YEARS, is_within_years};
pub use report::{DaylightSavingRepairs, ImportReport};
pub use sample::sample;

use crate::file_format::FileFormat;
use moments::Clock;
use points::Parsed;
use source::Source;

/// Reads every observation of `input`: CSV with a header, JSON lines or Parquet; text also as gzip or zstd.
///
/// `now` bounds how far ahead a time stamp may lie: a day.
pub fn read<'a>(
    input: impl Into<Input<'a>>,
    options: &ImportOptions,
    dataset: &DatasetSpec,
    now: Timestamp,
) -> Result<Imported, ImportError> {
    let grid = dataset.grid();
    let naive_zone = options.naive_zone(dataset)?;
    let clock = Clock::new(&grid, naive_zone, options.on_daylight_saving, now);
    let parsed = parse(source::open(input, options.format)?, &options.columns, clock)?;
    arrange::check_negative(&parsed, dataset.negative)?;
    arrange::arrange(parsed, &grid, options)
}

/// As [`read`], for a file that nobody has described: `describe` makes the dataset from the most common step.
pub fn read_undescribed<'a>(
    input: impl Into<Input<'a>>,
    options: &ImportOptions,
    describe: impl FnOnce(Frequency) -> DatasetSpec,
    now: Timestamp,
) -> Result<(DatasetSpec, Imported), ImportError> {
    // The frequency comes first: what a time stamp means may depend on it.
    let unreadable = |error| source::unreadable(0, error);
    let mut file = input.into().into_file()?;
    let again = file.try_clone().map_err(unreadable)?;
    let dataset = describe(look(again, options, now)?.frequency);
    file.rewind().map_err(unreadable)?;
    let imported = read(file, options, &dataset, now)?;
    Ok((dataset, imported))
}

fn parse(source: Source<'_>, columns: &ColumnNames, clock: Clock) -> Result<Parsed, ImportError> {
    match source {
        Source::Csv(text) => csv_rows::read(text, columns, clock),
        Source::JsonLines(text) => json_rows::read(text, columns, clock),
        Source::Parquet(file) => parquet_rows::read(file, columns, clock),
    }
}

/// What a file held.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// In ascending order of series and time; each pair once.
    pub observations: Vec<Observation>,
    /// What the columns of covariates hold; nothing, unless some were named.
    pub covariates: Covariates,
    /// What was found and what was repaired.
    pub report: ImportReport,
}

/// How to read what is not plain. By default nothing is guessed and nothing repaired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What the file must be; `None`: what its first bytes say.
    pub format: Option<FileFormat>,
    /// Which columns are read.
    pub columns: ColumnNames,
    /// The zone of time stamps without an offset: an IANA name, or `none` for a plain grid, which needs a
    /// dataset in UTC. `None`: such time stamps are errors.
    pub time_zone: Option<String>,
    /// What to do with local times that do not exist or exist twice.
    pub on_daylight_saving: OnDaylightSaving,
    /// What to do with a second value for the same series and time.
    pub on_duplicate: OnDuplicate,
    /// What to do with a series that lacks more than a fifth of its steps.
    pub on_gap: OnGap,
    /// What to do with a row that is earlier than the one before it of its series.
    pub on_unsorted: OnUnsorted,
}

/// Which columns are read; by default those of the usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnNames {
    /// The column of series ids. Default `unique_id` or `series`.
    pub id: Option<String>,
    /// The column of time stamps. Default `ds` or `timestamp`.
    pub time: Option<String>,
    /// The column of values. Default `y` or `value`.
    pub value: Option<String>,
    /// The file is this one series: no column of ids is read.
    pub series: Option<SeriesId>,
    /// Columns of covariates. A row of theirs may leave the value empty, where only they are known.
    pub covariates: CovariateNames,
}

/// Columns beside the value, by what is known of them when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CovariateNames {
    /// Known in advance: numbers.
    pub known: Vec<CovariateName>,
    /// Known as late as the values: numbers.
    pub past: Vec<CovariateName>,
    /// The same in all rows of a series: numbers or texts.
    pub attributes: Vec<CovariateName>,
}

/// What to do with a local time that the clock skips or repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnDaylightSaving {
    /// Refuse the file
    #[default]
    Error,
    /// Leave out the row
    Drop,
    /// Move a skipped time forward; take a repeated one as the earlier, and as the later the second time
    Shift,
}

/// What to do with a second value for the same series and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnDuplicate {
    /// Refuse the file
    #[default]
    Error,
    /// Add the values
    Sum,
    /// Keep the last in the file
    Last,
    /// Keep the first in the file
    First,
    /// Take the mean of the values
    Mean,
}

/// What to do with a series that lacks more than a fifth of its steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnGap {
    /// Refuse the file
    #[default]
    Error,
    /// Take it as it is
    Allow,
}

/// What to do with a row that is earlier than the one before it of its series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnUnsorted {
    /// Refuse the file
    #[default]
    Error,
    /// Put the rows of each series in order
    Sort,
}

impl ImportOptions {
    fn naive_zone(&self, dataset: &DatasetSpec) -> Result<Option<TimeZone>, ImportError> {
        match self.time_zone.as_deref() {
            None => Ok(None),
            Some("none") if dataset.grid().time_zone_name() == "UTC" => Ok(Some(TimeZone::UTC)),
            Some("none") => Err(ImportError::PlainGrid { time_zone: dataset.time_zone.clone() }),
            Some(name) => Ok(Some(time_zone(name)?)),
        }
    }
}

#[cfg(test)]
mod tests;
