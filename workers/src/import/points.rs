//! From text to points, each with the line that it stands on.

use std::{collections::HashMap, io::Read};

use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use forecasting::names::SeriesId;
use jiff::Timestamp;

use super::{
    DaylightSavingRepairs, ImportError,
    columns::{Column, Columns},
    moments::Clock,
    source,
};

/// What the rows say, series by series, in the order of the file.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) series: Vec<SeriesPoints>,
    pub(super) columns: Columns,
    /// Rows read, whether dropped or not.
    pub(super) rows: u64,
    pub(super) repairs: DaylightSavingRepairs,
}

#[derive(Debug)]
pub(super) struct SeriesPoints {
    pub(super) id: SeriesId,
    pub(super) points: Vec<Point>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) ds: Timestamp,
    pub(super) y: f64,
    pub(super) line: u64,
}

const MOST_ROWS: u64 = 100_000_000;
const MOST_POINTS_PER_SERIES: usize = 1_000_000;
const LARGEST_VALUE: f64 = 1e15;

/// Reads every row.
pub(super) fn read(text: impl Read, clock: Clock) -> Result<Parsed, ImportError> {
    let mut csv = ReaderBuilder::new().has_headers(false).buffer_capacity(1 << 16).from_reader(text);
    let mut record = ByteRecord::new();
    if !csv.read_byte_record(&mut record).map_err(|error| unreadable(error, 0))? {
        return Err(ImportError::NotCsv { problem: "it has no line".to_owned() });
    }
    let mut table =
        Table { columns: Columns::find(&record)?, clock, series: Vec::new(), known: HashMap::new(), rows: 0 };
    let mut line = 1;
    while csv.read_byte_record(&mut record).map_err(|error| unreadable(error, line))? {
        line = record.position().map_or(0, csv::Position::line);
        table.add(&record, line)?;
    }
    if table.rows == 0 {
        return Err(ImportError::NotCsv { problem: "it has no row after the header".to_owned() });
    }
    let Table { columns, clock, series, rows, .. } = table;
    Ok(Parsed { series, columns, rows, repairs: clock.repairs })
}

struct Table {
    columns: Columns,
    clock: Clock,
    series: Vec<SeriesPoints>,
    known: HashMap<Box<[u8]>, usize>,
    rows: u64,
}

impl Table {
    fn add(&mut self, record: &ByteRecord, line: u64) -> Result<(), ImportError> {
        self.rows += 1;
        if self.rows > MOST_ROWS {
            return Err(ImportError::TooMany { what: "rows", most: MOST_ROWS });
        }
        let series = self.series(record, line)?;
        let y = self.value(record, line)?;
        let text = field(record, &self.columns.ds, line)?;
        let instant = self.clock.read(text, series);
        let instant =
            instant.map_err(|problem| ImportError::row(line, &self.columns.ds.name, text, problem))?;
        let Some(ds) = instant else { return Ok(()) };
        let points = &mut self.series[series].points;
        if points.len() == MOST_POINTS_PER_SERIES {
            return Err(ImportError::TooMany {
                what: "rows of one series",
                most: MOST_POINTS_PER_SERIES as u64,
            });
        }
        points.push(Point { ds, y, line });
        Ok(())
    }

    /// Index of the row's series. An id is checked once, when it is new.
    fn series(&mut self, record: &ByteRecord, line: u64) -> Result<usize, ImportError> {
        let column = &self.columns.series;
        let bytes = record.get(column.index).unwrap_or_default();
        if let Some(&known) = self.known.get(bytes) {
            return Ok(known);
        }
        let text = field(record, column, line)?;
        let id = SeriesId::new(text);
        let id = id.map_err(|invalid| ImportError::row(line, &column.name, text, invalid.problem))?;
        self.known.insert(bytes.into(), self.series.len());
        self.series.push(SeriesPoints { id, points: Vec::new() });
        Ok(self.series.len() - 1)
    }

    fn value(&self, record: &ByteRecord, line: u64) -> Result<f64, ImportError> {
        let column = &self.columns.y;
        let text = field(record, column, line)?;
        let refuse = |problem: &str| Err(ImportError::row(line, &column.name, text, problem));
        match text.parse::<f64>() {
            _ if text.is_empty() => refuse("is empty; leave out the row where no value is known"),
            Err(_) => refuse("is not a number"),
            Ok(value) if !value.is_finite() => refuse("is not a finite number"),
            Ok(value) if value.abs() > LARGEST_VALUE => refuse("is larger than 1e15"),
            Ok(value) => Ok(value),
        }
    }
}

fn field<'a>(record: &'a ByteRecord, column: &Column, line: u64) -> Result<&'a str, ImportError> {
    let bytes = record.get(column.index).unwrap_or_default();
    std::str::from_utf8(bytes).map_err(|_| {
        ImportError::row(line, &column.name, &String::from_utf8_lossy(bytes), "is not UTF-8 text")
    })
}

fn unreadable(error: csv::Error, line: u64) -> ImportError {
    let at = error.position().map_or(line, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => source::unreadable(line, source),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let problem = format!("the header has {expected_len}");
            ImportError::row(at, "number of fields", &len.to_string(), problem)
        }
        other => ImportError::NotCsv { problem: format!("{other:?}") },
    }
}
