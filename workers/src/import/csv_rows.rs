//! Rows of CSV.

use std::{io::Read, rc::Rc};

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::{
    ColumnNames, ImportError,
    columns::{Columns, SeriesColumn},
    error::{Place, Unit},
    moments::Clock,
    points::{Amount, Moment, Parsed, Row, Table},
    source::{self, BUFFER_BYTES, Meter, Text},
};
use crate::file_format::FileFormat;

/// Reads every row.
pub(super) fn read(text: Text<'_>, names: &ColumnNames, clock: Clock) -> Result<Parsed, ImportError> {
    let meter = text.meter.clone();
    let mut rows = Rows::open(text)?;
    let columns = Columns::find(&rows.header, names)?;
    let mut table = Table::new(columns, clock, Unit::Line);
    while let Some(line) = rows.advance()? {
        meter.row_ended();
        table.add(&row(&rows.record, &table.columns), line)?;
    }
    table.finish(FileFormat::Csv)
}

fn row<'a>(record: &'a ByteRecord, columns: &Columns) -> Row<'a> {
    let field = |index: usize| record.get(index).unwrap_or_default();
    Row {
        series: match &columns.series {
            SeriesColumn::Named(column) => field(column.index),
            SeriesColumn::Whole(_) => b"",
        },
        ds: Moment::Text(field(columns.ds.index)),
        y: Amount::Text(field(columns.y.index)),
        covariates: columns.covariates.iter().map(|one| Amount::Text(field(one.column.index))).collect(),
    }
}

/// The records after the header.
pub(super) struct Rows<'a> {
    csv: Reader<Box<dyn Read + 'a>>,
    meter: Rc<Meter>,
    pub(super) header: Vec<String>,
    pub(super) record: ByteRecord,
    line: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn open(text: Text<'a>) -> Result<Self, ImportError> {
        let mut csv =
            ReaderBuilder::new().has_headers(false).buffer_capacity(BUFFER_BYTES).from_reader(text.input);
        let mut record = ByteRecord::new();
        if !csv.read_byte_record(&mut record).map_err(|error| unreadable(error, 0, 0))? {
            return Err(not_csv("it has no line"));
        }
        let header = record.iter().map(column_name).collect::<Result<_, _>>()?;
        Ok(Self { csv, header, record, line: 1, meter: text.meter })
    }

    /// Goes to the next record; says the line that it stands on.
    pub(super) fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        // Where lines end in `\r\n` the reader begins a record before the `\n` of the one before it.
        let late_by = u64::from(self.meter.ends_in_crlf());
        let line = self.line;
        let read = self.csv.read_byte_record(&mut self.record);
        if !read.map_err(|error| unreadable(error, line, late_by))? {
            return Ok(None);
        }
        self.line = self.record.position().map_or(0, csv::Position::line) + late_by;
        Ok(Some(self.line))
    }
}

fn column_name(bytes: &[u8]) -> Result<String, ImportError> {
    if bytes.contains(&0) {
        return Err(not_csv("its first line holds NUL bytes: it is binary, or UTF-16"));
    }
    let name = std::str::from_utf8(bytes).map_err(|_| not_csv("its first line is not UTF-8 text"))?;
    if name.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Err(not_csv("its first line holds control characters: it is binary"));
    }
    Ok(name.trim().chars().take(80).collect())
}

fn not_csv(problem: &str) -> ImportError {
    ImportError::WrongFormat { format: FileFormat::Csv, problem: problem.to_owned() }
}

fn unreadable(error: csv::Error, line: u64, late_by: u64) -> ImportError {
    let at = error.position().map_or(line, |position| position.line() + late_by);
    match error.into_kind() {
        ErrorKind::Io(source) => source::unreadable(line, source),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let problem = format!("the header has {expected_len}");
            let place = Place { unit: Unit::Line, number: at };
            ImportError::row(place, "number of fields", &len.to_string(), problem)
        }
        other => not_csv(&format!("{other:?}")),
    }
}
