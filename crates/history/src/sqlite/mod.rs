//! A history in a SQLite file.

mod dialect;

#[path = "../sql/mod.rs"]
mod sql;

use std::path::Path;

use database::{OpenError, SqliteFile};
use sqlx::{SqliteConnection, migrate::Migrator, sqlite::SqliteRow};

type Store = SqliteFile;
type Connection = SqliteConnection;
type DbRow = SqliteRow;

pub use sql::SqlHistory as SqliteHistory;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

impl SqliteHistory {
    /// Opens the file, or makes it where there is none, with tables as of this version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { store: SqliteFile::open(path.as_ref(), &MIGRATIONS).await? })
    }
}
