//! The first rows of a file, as text.

use super::{
    ImportError, Input,
    columns::check_names,
    csv_rows,
    json_rows::{Lines, Object},
    look::Sample,
    parquet_rows,
    source::{self, Source},
};
use crate::file_format::FileFormat;

/// So many rows tell what a column holds.
const SAMPLE_ROWS: usize = 100;

/// Reads the first rows of `input`.
pub fn sample<'a>(input: impl Into<Input<'a>>, declared: Option<FileFormat>) -> Result<Sample, ImportError> {
    let sample = first_rows(input, declared)?;
    check_names(&sample.header)?;
    Ok(sample)
}

fn first_rows<'a>(input: impl Into<Input<'a>>, declared: Option<FileFormat>) -> Result<Sample, ImportError> {
    match source::open(input, declared)? {
        Source::Csv(text) => {
            let mut rows = csv_rows::Rows::open(text)?;
            let mut sample = Sample { header: std::mem::take(&mut rows.header), rows: Vec::new() };
            while sample.rows.len() < SAMPLE_ROWS && rows.advance()?.is_some() {
                let fields = rows.record.iter().map(|field| String::from_utf8_lossy(field).into_owned());
                sample.rows.push(fields.collect());
            }
            Ok(sample)
        }
        Source::JsonLines(text) => {
            let mut lines = Lines::open(text);
            let mut sample = Sample { header: Vec::new(), rows: Vec::new() };
            while sample.rows.len() < SAMPLE_ROWS
                && let Some(at) = lines.advance()?
            {
                let object = Object::read(&lines.line, at)?;
                if sample.rows.is_empty() {
                    sample.header = object.names();
                }
                if object.names() == sample.header {
                    sample.rows.push(object.texts().map(std::borrow::Cow::into_owned).collect());
                }
            }
            Ok(sample)
        }
        Source::Parquet(file) => parquet_rows::sample(file, SAMPLE_ROWS),
    }
}
