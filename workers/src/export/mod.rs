//! Results as files: columns of equal length, written as CSV, JSON lines or Parquet.
//!
//! Missing numbers are empty fields in CSV and nulls elsewhere. Times are instants in all three: text carries an
//! offset, Parquet's columns their zone, so that a file whose rows cross a change of clocks has one type.

mod csv;
pub mod forecasts;
mod jsonl;
mod parquet;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use jiff::{Timestamp, tz::TimeZone};

use crate::file_format::FileFormat;

/// A table in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns(Vec<Column>);

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, as written into the file.
    pub name: String,
    /// One value per row.
    pub cells: Cells,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Names and words.
    Text(Vec<String>),
    /// Instants, written in UTC.
    Time(Vec<Timestamp>),
    /// Instants, written as the clocks of a zone show them, with their offsets.
    Local(TimeZone, Vec<Timestamp>),
    /// Measured or computed; `NaN` where there is none.
    Number(Vec<f64>),
    /// Counted, such as a version.
    Count(Vec<Option<u64>>),
}

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk, pipe or folder.
    #[error("the file cannot be written")]
    Io(#[from] io::Error),
    /// Parquet's writer.
    #[error("Parquet")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

/// The text of an instant as the clocks of a zone show it.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

impl Cells {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Time(cells) | Self::Local(_, cells) => cells.len(),
            Self::Number(cells) => cells.len(),
            Self::Count(cells) => cells.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Columns {
    /// With one more column at the end.
    ///
    /// # Panics
    /// If its number of rows is not that of the others.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, cells: Cells) -> Self {
        let name = name.into();
        assert!(self.0.is_empty() || cells.len() == self.rows(), "column {name} is as long as the others");
        self.0.push(Column { name, cells });
        self
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.0.first().map_or(0, |column| column.cells.len())
    }
}

/// Writes the table.
pub fn write(columns: &Columns, format: FileFormat, out: impl Write + Send) -> Result<(), ExportError> {
    match format {
        FileFormat::Csv => csv::write(columns, out),
        FileFormat::Jsonl => jsonl::write(columns, out),
        FileFormat::Parquet => parquet::write(columns, out),
    }
}

/// Writes the table into a file, whole or not at all: in the place of the one that may be there, or that a link
/// leads to. A device or pipe is written to.
pub fn write_file(columns: &Columns, format: FileFormat, file: &Path) -> Result<(), ExportError> {
    match fs::metadata(file) {
        Ok(there) if there.is_file() => replace(columns, format, &fs::canonicalize(file)?),
        // With something else in its place, nobody would find it again.
        Ok(_) => {
            let mut out = BufWriter::new(File::options().write(true).open(file)?);
            write(columns, format, &mut out)?;
            Ok(out.flush()?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(columns, format, file),
        Err(error) => Err(error.into()),
    }
}

fn replace(columns: &Columns, format: FileFormat, file: &Path) -> Result<(), ExportError> {
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gatecast-").permissions(ordinary());
    let unfinished = builder.tempfile_in(folder)?;
    let mut out = BufWriter::new(unfinished.as_file());
    write(columns, format, &mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let _: File = unfinished.persist(file).map_err(|error| error.error)?;
    // The new name is the folder's, and lasts once that is on the disk.
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// What a file gets that is made in the ordinary way; temporary ones are for their owner alone.
fn ordinary() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    // The process's umask still takes away from it.
    fs::Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests;
