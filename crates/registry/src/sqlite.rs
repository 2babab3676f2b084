//! A registry in a SQLite file.

use std::path::Path;

use database::{OpenError, SqliteFile};
use sqlx::{SqliteConnection, migrate::Migrator, sqlite::SqliteRow};

type Store = SqliteFile;
type Connection = SqliteConnection;
type DbRow = SqliteRow;

#[path = "sql/mod.rs"]
mod sql;

pub use sql::SqlRegistry as SqliteRegistry;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

impl SqliteRegistry {
    /// Opens the file, or makes it where there is none, with tables as of this version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { store: SqliteFile::open(path.as_ref(), &MIGRATIONS).await? })
    }
}
