//! Parquet.

use std::{io::Write, sync::Arc};

use ::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{Field, Schema};
use jiff::Timestamp;

use super::{Cells, Columns, ExportError};

pub(super) fn write(columns: &Columns, out: impl Write + Send) -> Result<(), ExportError> {
    let arrays: Vec<ArrayRef> = columns.0.iter().map(|column| array(&column.cells)).collect();
    let fields = columns.0.iter().zip(&arrays).map(|(column, array)| {
        let nullable = matches!(column.cells, Cells::Number(_) | Cells::Count(_));
        Field::new(&column.name, array.data_type().clone(), nullable)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(ParquetError::from)?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(out, schema, Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

fn array(cells: &Cells) -> ArrayRef {
    match cells {
        Cells::Text(cells) => Arc::new(StringArray::from_iter_values(cells)),
        Cells::Time(cells) => times(cells, "UTC"),
        Cells::Local(zone, cells) => times(cells, zone.iana_name().unwrap_or("UTC")),
        Cells::Number(cells) => {
            Arc::new(cells.iter().map(|cell| (!cell.is_nan()).then_some(*cell)).collect::<Float64Array>())
        }
        Cells::Count(cells) => Arc::new(cells.iter().copied().collect::<UInt64Array>()),
    }
}

fn times(cells: &[Timestamp], zone: &str) -> ArrayRef {
    let microseconds = cells.iter().map(|at| at.as_microsecond());
    Arc::new(TimestampMicrosecondArray::from_iter_values(microseconds).with_timezone(zone))
}
