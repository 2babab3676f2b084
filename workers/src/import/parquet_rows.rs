//! Rows of Parquet.

use std::{fs::File, io, panic::AssertUnwindSafe, sync::Arc};

use arrow_array::{
    Array, ArrayRef, Float64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
    cast::AsArray as _,
    types::{Date32Type, Float64Type, TimestampMicrosecondType},
};
use arrow_cast::{cast, display::array_value_to_string};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    basic::{Compression, Type},
    errors::ParquetError,
    file::metadata::ColumnChunkMetaData,
};

use super::{
    ColumnNames, ImportError,
    columns::{Column, Columns, MOST_COLUMNS, SeriesColumn},
    error::Unit,
    look::Sample,
    moments::Clock,
    parquet_pages,
    points::{Amount, MOST_ROWS, Moment, Parsed, Row, Table},
    source::{self, Excess, MOST_BYTES},
};
use crate::file_format::FileFormat;

/// Rows that are unpacked at a time.
const BATCH_ROWS: usize = 8192;
/// What a row counts for at least: equal values take no room in a file, but do in memory.
const ROW_BYTES: u64 = 16;
/// How much of a text a sample keeps: one more than the longest id, so that a longer one is seen to be.
const MOST_CELL_CHARS: usize = 201;

/// Reads every row.
pub(super) fn read(file: File, names: &ColumnNames, clock: Clock) -> Result<Parsed, ImportError> {
    contained(|| {
        let metadata = metadata(&file)?;
        let columns = Columns::find(&header(&metadata)?, names)?;
        let wanted = Wanted::of(&columns);
        check_types(&metadata, &wanted)?;
        let mut table = Table::new(columns, clock, Unit::Row);
        let mut row = 0;
        for batch in batches(file, metadata, &wanted.indices())? {
            let batch = batch.map_err(ParquetError::from).map_err(damaged)?;
            let values = Values::of(&batch, &wanted)?;
            for at in 0..batch.num_rows() {
                row += 1;
                values.add(at, row, &mut table)?;
            }
        }
        table.finish(FileFormat::Parquet)
    })
}

/// Reads the first rows, all columns as text; those that no row could be made of are empty.
pub(super) fn sample(file: File, most_rows: usize) -> Result<Sample, ImportError> {
    contained(|| {
        let metadata = metadata(&file)?;
        let header = header(&metadata)?;
        let plain: Vec<usize> = (0..header.len()).filter(|column| is_plain(&metadata, *column)).collect();
        let mut rows = Vec::new();
        if let Some(batch) = batches(file, metadata, &plain)?.next() {
            let batch = batch.map_err(ParquetError::from).map_err(damaged)?;
            let columns: Vec<ArrayRef> = batch.columns().iter().map(in_utc).collect();
            for row in 0..batch.num_rows().min(most_rows) {
                let mut cells = vec![String::new(); header.len()];
                for (column, array) in plain.iter().zip(&columns) {
                    cells[*column] = cell(array, row);
                }
                rows.push(cells);
            }
        }
        Ok(Sample { header, rows })
    })
}

/// A value as text, and no more of a text than an id may have: a hundred rows may share one of megabytes.
fn cell(array: &ArrayRef, row: usize) -> String {
    match array.data_type() {
        DataType::Utf8View => text(array.as_string_view(), row).chars().take(MOST_CELL_CHARS).collect(),
        _ => array_value_to_string(array, row).unwrap_or_default(),
    }
}

/// Instants as UTC has them: the zones of columns have names, and arrow can print offsets only.
fn in_utc(array: &ArrayRef) -> ArrayRef {
    let DataType::Timestamp(unit, Some(_)) = array.data_type() else { return array.clone() };
    let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
    cast(array, &utc).unwrap_or_else(|_| array.clone())
}

/// The reader panics on some files that are damaged where it did not expect it (found by flipping bits). Then
/// the file is at fault, and nothing that it was read into is kept.
fn contained<T>(reading: impl FnOnce() -> Result<T, ImportError>) -> Result<T, ImportError> {
    std::panic::catch_unwind(AssertUnwindSafe(reading))
        .unwrap_or_else(|_| Err(damaged(ParquetError::General("its pages contradict each other".to_owned()))))
}

/// What the end of the file says. Texts will be views of their pages: a text that a page holds once and
/// names a million times takes its room once.
fn metadata(file: &File) -> Result<ArrowReaderMetadata, ImportError> {
    let plain = || ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::load(file, plain()).map_err(damaged)?;
    let fields = found.schema().fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Arc::new(Field::clone(field).with_data_type(DataType::Utf8View)),
        _ => field.clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(found.metadata().clone(), plain().with_schema(schema)).map_err(damaged)
}

/// Names of the columns.
fn header(metadata: &ArrowReaderMetadata) -> Result<Vec<String>, ImportError> {
    let fields = metadata.schema().fields();
    if fields.len() > MOST_COLUMNS {
        return Err(ImportError::TooMany { what: "columns", most: MOST_COLUMNS as u64 });
    }
    Ok(fields.iter().map(|field| field.name().chars().take(80).collect()).collect())
}

/// Whether values of a column take a few bytes each in memory, or, as texts do, those of their page. All others
/// (bytes, lists, decimals of any length) may take gigabytes that no page declares.
fn is_plain(metadata: &ArrowReaderMetadata, column: usize) -> bool {
    let stored = &metadata.parquet_schema().root_schema().get_fields()[column];
    let in_bytes = stored.is_primitive() && stored.get_physical_type() == Type::BYTE_ARRAY;
    match metadata.schema().field(column).data_type() {
        DataType::Utf8View => true,
        DataType::Boolean | DataType::Null => !in_bytes,
        kind => kind.is_primitive() && !in_bytes,
    }
}

/// Refuses columns of other types than rows are made of, before any value of them is unpacked.
fn check_types(metadata: &ArrowReaderMetadata, wanted: &Wanted) -> Result<(), ImportError> {
    let indices = wanted.indices();
    let schema = metadata.schema().project(&indices).map_err(ParquetError::from).map_err(damaged)?;
    // What values of a type become is said in one place: no rows show it as well as many.
    Values::of(&RecordBatch::new_empty(Arc::new(schema)), wanted)?;
    match indices.into_iter().find(|column| !is_plain(metadata, *column)) {
        None => Ok(()),
        Some(column) => {
            let field = metadata.schema().field(column);
            Err(wrong_type(field.name(), field.data_type(), "numbers of a fixed size"))
        }
    }
}

/// The rows of some columns, if they unpack to no more than they may.
fn batches(
    file: File,
    metadata: ArrowReaderMetadata,
    columns: &[usize],
) -> Result<ParquetRecordBatchReader, ImportError> {
    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
    check_size(&file, &metadata, &mask)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    builder.with_batch_size(BATCH_ROWS).with_projection(mask).build().map_err(damaged)
}

fn check_size(file: &File, metadata: &ArrowReaderMetadata, mask: &ProjectionMask) -> Result<(), ImportError> {
    let unreadable = |source| source::unreadable(0, source);
    let raw_bytes = file.metadata().map_err(unreadable)?.len();
    let (mut rows, mut bytes) = (0, 0);
    for group in metadata.metadata().row_groups() {
        rows += u64::try_from(group.num_rows()).unwrap_or(u64::MAX).min(MOST_ROWS + 1);
        if rows > MOST_ROWS {
            return Err(ImportError::TooMany { what: "rows", most: MOST_ROWS });
        }
        for (index, chunk) in group.columns().iter().enumerate() {
            if mask.leaf_included(index) {
                check_codec(chunk)?;
                let (start, length) = place(chunk).ok_or_else(outside)?;
                bytes += parquet_pages::unpacked_bytes(file, start, length).map_err(unreadable)?;
            }
        }
    }
    check_bytes(bytes, rows, raw_bytes).map_err(|excess| unreadable(excess.into()))
}

/// Pages may unpack to as much as a text; rows have a limit of their own, and count as data beside their file.
fn check_bytes(bytes: u64, rows: u64, raw_bytes: u64) -> Result<(), Excess> {
    if bytes > MOST_BYTES {
        return Err(Excess::Data { bytes });
    }
    let bytes = bytes.max(rows * ROW_BYTES);
    if source::is_bomb(bytes, raw_bytes) { Err(Excess::Expansion { bytes, raw_bytes }) } else { Ok(()) }
}

/// Only what unpacks to the size that a page declares, and never to more.
fn check_codec(chunk: &ColumnChunkMetaData) -> Result<(), ImportError> {
    match chunk.compression() {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) | Compression::LZ4_RAW => {
            Ok(())
        }
        other => {
            let column = chunk.column_path().string();
            let problem = format!("column {column} is compressed with {other}; write it with snappy or zstd");
            Err(ImportError::WrongFormat { format: FileFormat::Parquet, problem })
        }
    }
}

/// Where the pages of a column begin, and how many bytes they take.
fn place(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let dictionary = chunk.dictionary_page_offset().filter(|offset| *offset > 0);
    let start = dictionary.unwrap_or(chunk.data_page_offset());
    Some((start.try_into().ok()?, chunk.compressed_size().try_into().ok()?))
}

fn outside() -> ImportError {
    source::unreadable(0, io::Error::new(io::ErrorKind::InvalidData, "a column lies outside the file"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: ParquetError) -> ImportError {
    let problem = format!("it is damaged: {error}").chars().take(200).collect();
    ImportError::WrongFormat { format: FileFormat::Parquet, problem }
}

/// The columns to read, by index in the file and name.
struct Wanted {
    series: Option<(usize, String)>,
    ds: (usize, String),
    y: (usize, String),
    covariates: Vec<(usize, String)>,
}

impl Wanted {
    fn of(columns: &Columns) -> Self {
        let series = match &columns.series {
            SeriesColumn::Named(column) => Some((column.index, column.name.clone())),
            SeriesColumn::Whole(_) => None,
        };
        let of = |column: &Column| (column.index, column.name.clone());
        let covariates = columns.covariates.iter().map(|one| of(&one.column)).collect();
        Self { series, ds: of(&columns.ds), y: of(&columns.y), covariates }
    }

    fn indices(&self) -> Vec<usize> {
        let mut indices = vec![self.ds.0, self.y.0];
        indices.extend(self.series.as_ref().map(|series| series.0));
        indices.extend(self.covariates.iter().map(|column| column.0));
        indices.sort_unstable();
        indices
    }

    /// A column of a batch, which holds the wanted ones in the order of the file.
    fn column<'a>(
        &self,
        batch: &'a RecordBatch,
        (index, name): &'a (usize, String),
    ) -> (&'a ArrayRef, &'a str) {
        let before = self.indices().iter().filter(|other| *other < index).count();
        (batch.column(before), name)
    }
}

/// The values of a batch, in the few types that rows are made of.
struct Values {
    series: Option<StringViewArray>,
    ds: Times,
    y: Numbers,
    covariates: Vec<Numbers>,
}

enum Times {
    Texts(StringViewArray),
    /// Microseconds since 1970, of an instant or of a wall clock.
    Instants(TimestampMicrosecondArray),
    Locals(TimestampMicrosecondArray),
    /// Days since 1970.
    Days(arrow_array::Date32Array),
}

enum Numbers {
    Texts(StringViewArray),
    Numbers(Float64Array),
}

impl Values {
    fn of(batch: &RecordBatch, wanted: &Wanted) -> Result<Self, ImportError> {
        let series = wanted.series.as_ref().map(|series| wanted.column(batch, series));
        let (ds, ds_name) = wanted.column(batch, &wanted.ds);
        let (y, y_name) = wanted.column(batch, &wanted.y);
        let covariates = wanted.covariates.iter().map(|column| wanted.column(batch, column));
        Ok(Self {
            series: series.map(|(array, name)| texts(array, name)).transpose()?,
            ds: Times::of(ds, ds_name)?,
            y: Numbers::of(y, y_name)?,
            covariates: covariates
                .map(|(array, name)| Numbers::or_truth(array, name))
                .collect::<Result<_, _>>()?,
        })
    }

    fn add(&self, at: usize, row: u64, table: &mut Table) -> Result<(), ImportError> {
        let series = self.series.as_ref().map_or("", |series| text(series, at));
        let row_of_batch = Row {
            series: series.as_bytes(),
            ds: self.ds.at(at),
            y: self.y.at(at),
            covariates: self.covariates.iter().map(|column| column.at(at)).collect(),
        };
        table.add(&row_of_batch, row)
    }
}

impl Times {
    fn of(array: &ArrayRef, name: &str) -> Result<Self, ImportError> {
        match array.data_type() {
            DataType::Timestamp(_, zone) => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                let instants =
                    converted(array, &micros, name)?.as_primitive::<TimestampMicrosecondType>().clone();
                Ok(if zone.is_some() { Self::Instants(instants) } else { Self::Locals(instants) })
            }
            DataType::Date32 => Ok(Self::Days(array.as_primitive::<Date32Type>().clone())),
            DataType::Utf8View => Ok(Self::Texts(array.as_string_view().clone())),
            other if other.is_integer() => texts(array, name).map(Self::Texts),
            other => Err(wrong_type(name, other, "a time stamp, a date or text")),
        }
    }

    fn at(&self, at: usize) -> Moment<'_> {
        let nothing = Moment::Text(b"");
        match self {
            Self::Texts(texts) => Moment::Text(text(texts, at).as_bytes()),
            Self::Instants(instants) if instants.is_null(at) => nothing,
            Self::Instants(instants) => instant(instants.value(at)).map_or(nothing, Moment::Instant),
            Self::Locals(instants) if instants.is_null(at) => nothing,
            // A wall clock is stored as the instant at which one in UTC shows the same.
            Self::Locals(instants) => instant(instants.value(at))
                .map_or(nothing, |instant| Moment::Local(TimeZone::UTC.to_datetime(instant))),
            Self::Days(days) if days.is_null(at) => nothing,
            Self::Days(days) => day(days.value(at)).map_or(nothing, Moment::Day),
        }
    }
}

fn instant(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

fn day(days: i32) -> Option<Date> {
    let days = jiff::Span::new().try_days(days).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(days).ok()
}

impl Numbers {
    /// As [`of`](Self::of), and 1 and 0 for true and false.
    fn or_truth(array: &ArrayRef, name: &str) -> Result<Self, ImportError> {
        match array.data_type() {
            DataType::Boolean => Self::of(&converted(array, &DataType::Float64, name)?, name),
            _ => Self::of(array, name),
        }
    }

    fn of(array: &ArrayRef, name: &str) -> Result<Self, ImportError> {
        match array.data_type() {
            DataType::Utf8View => Ok(Self::Texts(array.as_string_view().clone())),
            kind if kind.is_numeric() => {
                let numbers = converted(array, &DataType::Float64, name)?;
                Ok(Self::Numbers(numbers.as_primitive::<Float64Type>().clone()))
            }
            DataType::Null => Ok(Self::Numbers(Float64Array::new_null(array.len()))),
            other => Err(wrong_type(name, other, "a number")),
        }
    }

    fn at(&self, at: usize) -> Amount<'_> {
        match self {
            Self::Texts(texts) => Amount::Text(text(texts, at).as_bytes()),
            Self::Numbers(numbers) if numbers.is_null(at) => Amount::Text(b""),
            Self::Numbers(numbers) => Amount::Number(numbers.value(at)),
        }
    }
}

/// Texts, or whole numbers as text.
fn texts(array: &ArrayRef, name: &str) -> Result<StringViewArray, ImportError> {
    match array.data_type() {
        DataType::Utf8View => Ok(array.as_string_view().clone()),
        kind if kind.is_integer() => {
            let texts = converted(&converted(array, &DataType::Utf8, name)?, &DataType::Utf8View, name)?;
            Ok(texts.as_string_view().clone())
        }
        other => Err(wrong_type(name, other, "text or whole numbers")),
    }
}

fn text(texts: &StringViewArray, at: usize) -> &str {
    if texts.is_null(at) { "" } else { texts.value(at) }
}

fn converted(array: &ArrayRef, kind: &DataType, name: &str) -> Result<ArrayRef, ImportError> {
    cast(array, kind).map_err(|error: ArrowError| {
        let problem = format!("column {name}: {error}").chars().take(200).collect();
        ImportError::WrongFormat { format: FileFormat::Parquet, problem }
    })
}

fn wrong_type(name: &str, found: &DataType, wanted: &str) -> ImportError {
    let found = found.to_string().chars().take(60).collect::<String>();
    let problem = format!("column {name} holds {found}, not {wanted}");
    ImportError::WrongFormat { format: FileFormat::Parquet, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_gibibyte_are_one_import_and_a_byte_more_is_not() {
        let check = |bytes, rows| check_bytes(bytes, rows, 1 << 30).map_err(|excess| excess.to_string());
        assert_eq!(check(1 << 30, 1), Ok(()));
        assert_eq!(check(1, MOST_ROWS), Ok(()), "rows have a limit of their own");
        let error = "1073741825 bytes, at most 1073741824 are allowed";
        assert_eq!(check((1 << 30) + 1, 1), Err(error.to_owned()));
    }
}
