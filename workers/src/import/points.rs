//! From rows to points, each with the place that it stands on.

use std::collections::HashMap;

use forecasting::names::SeriesId;
use jiff::{Timestamp, civil::DateTime};

use super::{
    DaylightSavingRepairs, ImportError,
    columns::{Columns, SeriesColumn},
    covariates::Beside,
    error::{Place, Unit},
    look::Written,
    moments::Clock,
};
use crate::file_format::FileFormat;

/// What the rows say, series by series, in the order of the file.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) series: Vec<SeriesPoints>,
    pub(super) columns: Columns,
    pub(super) unit: Unit,
    /// Rows read, whether dropped or not.
    pub(super) rows: u64,
    pub(super) repairs: DaylightSavingRepairs,
    /// What offsets the times were written with, if the clock was to look.
    pub(super) written: Option<Written>,
}

#[derive(Debug)]
pub(super) struct SeriesPoints {
    pub(super) id: SeriesId,
    pub(super) points: Vec<Point>,
    /// What its rows say in the columns of covariates.
    pub(super) beside: Beside,
}

impl SeriesPoints {
    fn none(id: SeriesId) -> Self {
        Self { id, points: Vec::new(), beside: Beside::default() }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) ds: Timestamp,
    pub(super) y: f64,
    /// Line or row in the file.
    pub(super) at: u64,
}

/// A row as its format has it.
pub(super) struct Row<'a> {
    /// The id of its series; nothing where the file is one series.
    pub(super) series: &'a [u8],
    pub(super) ds: Moment<'a>,
    pub(super) y: Amount<'a>,
    /// One per column of a covariate.
    pub(super) covariates: Vec<Amount<'a>>,
}

/// A time as its format has it.
pub(super) enum Moment<'a> {
    Text(&'a [u8]),
    Instant(Timestamp),
    /// What a wall clock shows.
    Local(DateTime),
    /// A calendar day.
    Day(jiff::civil::Date),
}

/// A value as its format has it.
pub(super) enum Amount<'a> {
    Text(&'a [u8]),
    Number(f64),
}

impl Amount<'_> {
    /// Nothing; in Parquet, writers of frames say so with a number that is none.
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Number(number) => number.is_nan(),
        }
    }
}

pub(super) const MOST_ROWS: u64 = 100_000_000;
const MOST_POINTS_PER_SERIES: usize = 1_000_000;
const LARGEST_VALUE: f64 = 1e15;

/// Takes rows, and checks each for itself.
pub(super) struct Table {
    pub(super) columns: Columns,
    clock: Clock,
    unit: Unit,
    series: Vec<SeriesPoints>,
    known: HashMap<Box<[u8]>, usize>,
    pub(super) rows: u64,
}

impl Table {
    pub(super) fn new(columns: Columns, clock: Clock, unit: Unit) -> Self {
        let mut table = Self { columns, clock, unit, series: Vec::new(), known: HashMap::new(), rows: 0 };
        if let SeriesColumn::Whole(id) = &table.columns.series {
            table.known.insert(Box::default(), 0);
            table.series.push(SeriesPoints::none(id.clone()));
        }
        table
    }

    pub(super) fn add(&mut self, row: &Row<'_>, at: u64) -> Result<(), ImportError> {
        self.rows += 1;
        if self.rows > MOST_ROWS {
            return Err(ImportError::TooMany { what: "rows", most: MOST_ROWS });
        }
        let place = Place { unit: self.unit, number: at };
        let series = self.series(row.series, place)?;
        // A row may be there for its covariates alone: of a step to come, or of one that nobody counted.
        let may_lack_value = !row.covariates.is_empty() || self.clock.is_looking();
        let has_value = !may_lack_value || !row.y.is_empty();
        let y = has_value.then(|| self.value(&row.y, place)).transpose()?;
        let Some(ds) = self.time(&row.ds, series, has_value, place)? else { return Ok(()) };
        let covariates = &self.columns.covariates;
        let SeriesPoints { points, beside, .. } = &mut self.series[series];
        if points.len().max(beside.rows()) == MOST_POINTS_PER_SERIES {
            return Err(ImportError::TooMany {
                what: "rows of one series",
                most: MOST_POINTS_PER_SERIES as u64,
            });
        }
        if !covariates.is_empty() {
            beside.check_attributes(covariates, row, place)?;
            beside.add_numbers(covariates, row, ds, place)?;
        }
        points.extend(y.map(|y| Point { ds, y, at }));
        Ok(())
    }

    /// What was read.
    pub(super) fn finish(self, format: FileFormat) -> Result<Parsed, ImportError> {
        if self.rows == 0 {
            let problem = "it has no row after the header".to_owned();
            return Err(ImportError::WrongFormat { format, problem });
        }
        let Self { columns, clock, unit, series, rows, .. } = self;
        Ok(Parsed { series, columns, unit, rows, repairs: clock.repairs, written: clock.written })
    }

    /// Index of the row's series. An id is checked once, when it is new.
    fn series(&mut self, bytes: &[u8], place: Place) -> Result<usize, ImportError> {
        if let Some(&known) = self.known.get(bytes) {
            return Ok(known);
        }
        let name = self.columns.series.name();
        let id = SeriesId::new(text(bytes, name, place)?);
        let id = id.map_err(|invalid| {
            ImportError::row(place, name, &String::from_utf8_lossy(bytes), invalid.problem)
        })?;
        self.known.insert(bytes.into(), self.series.len());
        self.series.push(SeriesPoints::none(id));
        Ok(self.series.len() - 1)
    }

    fn time(
        &mut self,
        moment: &Moment<'_>,
        series: usize,
        has_value: bool,
        place: Place,
    ) -> Result<Option<Timestamp>, ImportError> {
        let name = &self.columns.ds.name;
        let (instant, written) = match moment {
            Moment::Text(bytes) => {
                let text = text(bytes, name, place)?;
                (self.clock.read(text, series), text.to_owned())
            }
            Moment::Instant(instant) => (self.clock.read_instant(*instant), instant.to_string()),
            Moment::Local(local) => (self.clock.read_local(*local, series), local.to_string()),
            Moment::Day(day) => (self.clock.read_day(*day), day.to_string()),
        };
        let checked = instant.and_then(|instant| match instant {
            Some(at) => self.clock.check_ahead(at, has_value).map(|()| instant),
            None => Ok(None),
        });
        checked.map_err(|problem| ImportError::row(place, name, &written, problem))
    }

    fn value(&self, amount: &Amount<'_>, place: Place) -> Result<f64, ImportError> {
        let name = &self.columns.y.name;
        match amount {
            Amount::Number(number) => checked(*number, name, place),
            Amount::Text(bytes) => {
                let text = text(bytes, name, place)?;
                read_number(text).map_err(|problem| ImportError::row(place, name, text, problem))
            }
        }
    }
}

pub(super) fn read_number(text: &str) -> Result<f64, &'static str> {
    if text.is_empty() {
        return Err("is empty; leave out the row where no value is known");
    }
    let number: f64 = text.parse().map_err(|_| "is not a number")?;
    number_problem(number).map_or(Ok(number), Err)
}

/// A number as its format has it, if it may be one here.
pub(super) fn checked(number: f64, field: &str, place: Place) -> Result<f64, ImportError> {
    let refuse = |problem| Err(ImportError::row(place, field, &number.to_string(), problem));
    number_problem(number).map_or(Ok(number), refuse)
}

/// Why a number is no value.
pub(super) fn number_problem(number: f64) -> Option<&'static str> {
    if !number.is_finite() {
        return Some("is not a finite number");
    }
    (number.abs() > LARGEST_VALUE).then_some("is larger than 1e15")
}

pub(super) fn text<'a>(bytes: &'a [u8], field: &str, place: Place) -> Result<&'a str, ImportError> {
    std::str::from_utf8(bytes)
        .map_err(|_| ImportError::row(place, field, &String::from_utf8_lossy(bytes), "is not UTF-8 text"))
}
