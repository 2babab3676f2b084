//! Columns of a row as the types they were written from.

use std::{error::Error, str::FromStr};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Row, postgres::PgRow, sqlite::SqliteRow};

use crate::instant::from_micros;

/// Reads columns of a row of either database. A value that was never written by this program is an error
/// that names its column.
pub trait Columns {
    /// A text that is a name, a hash, a state, …
    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> sqlx::Result<T>;
    /// A text of JSON.
    fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T>;
    /// An integer of microseconds.
    fn instant(&self, column: &str) -> sqlx::Result<Timestamp>;
    /// An integer that was unsigned before `cast_signed`.
    fn unsigned(&self, column: &str) -> sqlx::Result<u64>;
    /// A small integer, or none.
    fn number(&self, column: &str) -> sqlx::Result<Option<u32>>;
}

macro_rules! impl_columns {
    ($row:ty) => {
        impl Columns for $row {
            fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(
                &self,
                column: &str,
            ) -> sqlx::Result<T> {
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

            fn number(&self, column: &str) -> sqlx::Result<Option<u32>> {
                let number = self.try_get::<Option<i64>, _>(column)?;
                number.map(u32::try_from).transpose().map_err(|error| unreadable(column, error))
            }
        }
    };
}

impl_columns!(SqliteRow);
impl_columns!(PgRow);

fn unreadable(column: &str, error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}
