//! Columns of a row as the types they were written from.

use std::{error::Error, str::FromStr};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Row, sqlite::SqliteRow};

use crate::instant::from_micros;

/// Reads columns of a [`SqliteRow`]. A value that was never written by this program is an error that names
/// its column.
pub trait Columns {
    /// A text that is a name, a hash, a state, …
    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> sqlx::Result<T>;
    /// A text of JSON.
    fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T>;
    /// An integer of microseconds.
    fn instant(&self, column: &str) -> sqlx::Result<Timestamp>;
    /// An integer that was unsigned before `cast_signed`.
    fn unsigned(&self, column: &str) -> sqlx::Result<u64>;
}

impl Columns for SqliteRow {
    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> sqlx::Result<T> {
        self.try_get::<&str, _>(column)?.parse().map_err(|error| unreadable(column, error))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T> {
        serde_json::from_str(self.try_get(column)?).map_err(|error| unreadable(column, error))
    }

    fn instant(&self, column: &str) -> sqlx::Result<Timestamp> {
        from_micros(self.try_get(column)?).map_err(|error| unreadable(column, error))
    }

    fn unsigned(&self, column: &str) -> sqlx::Result<u64> {
        Ok(self.try_get::<i64, _>(column)?.cast_unsigned())
    }
}

fn unreadable(column: &str, error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}
