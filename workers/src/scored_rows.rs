//! Scored rows as bytes to keep: Parquet, which any notebook reads. This file alone knows the format.
//!
//! The same rows are the same bytes, so nothing goes into a file that is not about its rows: no name and no version of
//! the library that wrote it. A forecast that cannot be scored is null.

use std::{
    io::{self, Write},
    sync::Arc,
};

use arrow_array::{
    Array as _, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    cast::AsArray as _,
    types::{Float64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use artifacts::MOST_BYTES;
use bytes::Bytes;
use forecasting::{gate::ScoredRow, names::SeriesId};
use jiff::Timestamp;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

/// Rows that are packed or unpacked at a time.
const BATCH_ROWS: usize = 8192;
/// As many are held in memory, packed, before they go into the file.
const ROW_GROUP_ROWS: usize = 1 << 17;
/// Past this a slower compression saves little.
const LEVEL: i32 = 3;

/// A scored row as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRow {
    /// The series.
    pub series: SeriesId,
    /// From when it was forecast.
    pub origin: Timestamp,
    /// When the step begins that was forecast.
    pub target: Timestamp,
    /// What was.
    pub actual: f64,
    /// What the candidate forecast; `None` where that cannot be scored.
    pub candidate: Option<f64>,
    /// What the other side forecast; `None` likewise.
    pub incumbent: Option<f64>,
    /// What an absolute error of this series is divided by.
    pub scale: f64,
}

/// Bytes that are no scored rows.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRows {
    /// They are not Parquet: damaged, or kept before rows were.
    #[error("the scored rows are no Parquet file")]
    Parquet(#[from] ParquetError),
    /// They are another table.
    #[error("the scored rows have no column {column} of the right kind")]
    Column {
        /// The column that is looked for.
        column: &'static str,
    },
}

impl KeptRow {
    /// The scaled absolute errors of candidate and incumbent.
    pub fn losses(&self) -> [Option<f64>; 2] {
        [self.candidate, self.incumbent]
            .map(|forecast| forecast.map(|forecast| (forecast - self.actual).abs() / self.scale))
    }
}

/// The bytes to store, the same for the same rows; `None` if they would be more than the store takes
/// (64 MiB, some millions of rows).
pub fn encode<'a>(rows: impl Iterator<Item = ScoredRow<'a>>) -> Option<Vec<u8>> {
    let bytes = Bounded { bytes: Vec::new(), most: usize::try_from(MOST_BYTES).unwrap_or(usize::MAX) };
    encode_into(bytes, rows).ok().map(|bounded| bounded.bytes)
}

fn encode_into<'a>(
    bytes: Bounded,
    mut rows: impl Iterator<Item = ScoredRow<'a>>,
) -> Result<Bounded, ParquetError> {
    let schema = schema();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("gatecast".to_owned())
        .build();
    // What arrow would add about itself is in Parquet's own schema already.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(bytes, schema.clone(), options)?;
    loop {
        let some: Vec<ScoredRow<'_>> = rows.by_ref().take(BATCH_ROWS).collect();
        if some.is_empty() {
            return writer.into_inner();
        }
        writer.write(&batch(&schema, &some)?)?;
    }
}

fn schema() -> Arc<Schema> {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("unique_id", DataType::Utf8, false),
        Field::new("origin", time(), false),
        Field::new("ds", time(), false),
        Field::new("y", DataType::Float64, false),
        Field::new("candidate", DataType::Float64, true),
        Field::new("incumbent", DataType::Float64, true),
        Field::new("scale", DataType::Float64, false),
    ]))
}

fn batch(schema: &Arc<Schema>, rows: &[ScoredRow<'_>]) -> Result<RecordBatch, ParquetError> {
    let times = |time: fn(&ScoredRow<'_>) -> Timestamp| -> ArrayRef {
        let microseconds = rows.iter().map(|row| time(row).as_microsecond());
        Arc::new(TimestampMicrosecondArray::from_iter_values(microseconds).with_timezone("UTC"))
    };
    let numbers = |number: fn(&ScoredRow<'_>) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(number).collect::<Float64Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.series.as_str()))),
        times(|row| row.origin),
        times(|row| row.target),
        numbers(|row| Some(row.actual)),
        numbers(|row| row.candidate),
        numbers(|row| row.incumbent),
        numbers(|row| Some(row.scale)),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// The rows that [`encode`] made bytes of, a few thousand in memory at a time.
///
/// # Errors
/// If these bytes are something else.
pub fn decode(bytes: Bytes) -> Result<impl Iterator<Item = Result<KeptRow, UnreadableRows>>, UnreadableRows> {
    let batches = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(BATCH_ROWS).build()?;
    Ok(batches.flat_map(|batch| -> Vec<Result<KeptRow, UnreadableRows>> {
        let rows = batch.map_err(|error| UnreadableRows::from(ParquetError::from(error)));
        match rows.and_then(|batch| kept_rows(&batch)) {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(unreadable) => vec![Err(unreadable)],
        }
    }))
}

fn kept_rows(batch: &RecordBatch) -> Result<Vec<KeptRow>, UnreadableRows> {
    let column = |column: &'static str| {
        let found = batch.column_by_name(column);
        found.ok_or(UnreadableRows::Column { column }).map(|found| (column, found))
    };
    let series = strings(column("unique_id")?)?;
    let [origins, targets] = [times(column("origin")?)?, times(column("ds")?)?];
    let [actuals, candidates] = [numbers(column("y")?)?, numbers(column("candidate")?)?];
    let [incumbents, scales] = [numbers(column("incumbent")?)?, numbers(column("scale")?)?];
    let row = |at: usize| -> Result<KeptRow, UnreadableRows> {
        let bad = |column| UnreadableRows::Column { column };
        Ok(KeptRow {
            series: SeriesId::new(series.value(at)).map_err(|_| bad("unique_id"))?,
            origin: instant(origins, at).ok_or(bad("origin"))?,
            target: instant(targets, at).ok_or(bad("ds"))?,
            actual: number(actuals, at).ok_or(bad("y"))?,
            candidate: number(candidates, at),
            incumbent: number(incumbents, at),
            scale: number(scales, at).ok_or(bad("scale"))?,
        })
    };
    (0..batch.num_rows()).map(row).collect()
}

fn strings<'a>((column, array): (&'static str, &'a ArrayRef)) -> Result<&'a StringArray, UnreadableRows> {
    array.as_string_opt::<i32>().ok_or(UnreadableRows::Column { column })
}

fn times<'a>(
    (column, array): (&'static str, &'a ArrayRef),
) -> Result<&'a TimestampMicrosecondArray, UnreadableRows> {
    array.as_primitive_opt::<TimestampMicrosecondType>().ok_or(UnreadableRows::Column { column })
}

fn numbers<'a>((column, array): (&'static str, &'a ArrayRef)) -> Result<&'a Float64Array, UnreadableRows> {
    array.as_primitive_opt::<Float64Type>().ok_or(UnreadableRows::Column { column })
}

fn instant(times: &TimestampMicrosecondArray, at: usize) -> Option<Timestamp> {
    if times.is_null(at) { None } else { Timestamp::from_microsecond(times.value(at)).ok() }
}

fn number(numbers: &Float64Array, at: usize) -> Option<f64> {
    (!numbers.is_null(at)).then(|| numbers.value(at))
}

/// Bytes in memory, at most so many.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.most {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;

    fn row(series: &SeriesId, hour: i64) -> ScoredRow<'_> {
        ScoredRow {
            series,
            origin: Timestamp::UNIX_EPOCH,
            target: Timestamp::from_second(3600 * hour).expect("is early enough"),
            actual: 0.1 + 0.2,
            candidate: Some(f64::MAX),
            incumbent: None,
            scale: 1.0,
        }
    }

    fn kept(row: &ScoredRow<'_>) -> KeptRow {
        let ScoredRow { series, origin, target, actual, candidate, incumbent, scale } = row.clone();
        KeptRow { series: series.clone(), origin, target, actual, candidate, incumbent, scale }
    }

    fn decoded(bytes: Vec<u8>) -> Vec<KeptRow> {
        decode(bytes.into()).expect("is Parquet").collect::<Result<_, _>>().expect("are rows")
    }

    #[test]
    fn rows_read_back_to_the_bit() {
        let series = SeriesId::new("docks, \"north\"").expect("an id");
        let rows = || [1, 2].map(|hour| row(&series, hour)).into_iter();
        let bytes = encode(rows()).expect("are few");
        assert_eq!(decoded(bytes), rows().map(|row| kept(&row)).collect::<Vec<_>>());
        assert_eq!(kept(&row(&series, 1)).losses(), [Some(f64::MAX), None]);
    }

    #[test]
    fn the_same_rows_are_the_same_bytes_which_name_no_version_of_anything() {
        let series = SeriesId::new("a").expect("an id");
        let rows = || (0..300_000).map(|hour| row(&series, hour));
        let bytes = encode(rows()).expect("are not too many");
        assert_eq!(encode(rows()), Some(bytes.clone()));
        let file = SerializedFileReader::new(Bytes::from(bytes)).expect("is Parquet");
        let metadata = file.metadata();
        assert_eq!(metadata.file_metadata().created_by(), Some("gatecast"));
        assert_eq!(metadata.file_metadata().key_value_metadata(), None);
        assert_eq!(metadata.num_row_groups(), 3, "of 131,072 rows at most");
    }

    #[test]
    fn rows_that_would_be_more_than_fit_are_none_and_take_no_more_memory() {
        let series = SeriesId::new("a").expect("an id");
        let size = encode((0..1000).map(|hour| row(&series, hour))).expect("are few").len();
        let of_size = |most| {
            let bytes = Bounded { bytes: Vec::new(), most };
            encode_into(bytes, (0..1000).map(|hour| row(&series, hour)))
        };
        assert!(of_size(size).is_ok_and(|bounded| bounded.bytes.len() == size));
        assert!(of_size(size - 1).is_err());
    }

    #[test]
    fn what_is_no_scored_rows_is_told_apart() {
        let csv = zstd::encode_all(&b"unique_id,origin\n"[..], LEVEL).expect("compresses");
        let error = decode(csv.into()).err().expect("is no Parquet");
        assert_eq!(error.to_string(), "the scored rows are no Parquet file");
    }
}
