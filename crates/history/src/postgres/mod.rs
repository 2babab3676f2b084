//! A history in a schema of PostgreSQL.

mod dialect;

#[path = "../sql/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once for each database, see there")]
mod sql;

use database::{Migrated, PatientConnection, PostgresError, PostgresSchema, PostgresSettings};
use sqlx::{migrate::Migrator, postgres::PgRow};

type Store = PostgresSchema;
type Connection = PatientConnection;
type DbRow = PgRow;

pub use sql::SqlHistory as PostgresHistory;

const SCHEMA: &str = "history";
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

impl PostgresHistory {
    /// Makes ready to connect, and returns at once: a server that is away may come back.
    ///
    /// # Errors
    /// If no connection can ever be made with these settings.
    pub fn start(settings: &PostgresSettings) -> Result<Self, PostgresError> {
        Ok(Self { store: PostgresSchema::start(settings, SCHEMA, &MIGRATIONS)? })
    }

    /// Connects, and looks whether the tables are as of this version.
    ///
    /// # Errors
    /// That they are not, or that the server cannot be reached.
    pub async fn check(&self) -> Result<(), PostgresError> {
        self.store.check().await
    }

    /// Brings the tables up to date, however many processes do so at once.
    ///
    /// # Errors
    /// If a newer program wrote them, or the server cannot be reached.
    pub async fn migrate(&self) -> Result<Migrated, PostgresError> {
        self.store.migrate().await
    }
}
