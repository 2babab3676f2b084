//! Where rows are kept: in one SQLite file ([`SqliteFile`]) or in a schema of PostgreSQL ([`PostgresSchema`]).
//!
//! Both begin transactions by the same names: `write`, which nobody else's write to the same thing can come before
//! or between (`write_unless_locked` waits for that other one but briefly), `append`, for rows whose order does not
//! matter, and `read`, whose reads all see one committed state. What is written is the business of registry, history
//! and queue; instants are written alike by all of them ([`instant`]).

mod away;
mod columns;
pub mod instant;

mod sqlite_file;

mod patience;
mod postgres_schema;

pub use away::is_away;
pub use columns::Columns;
pub use patience::{PatientConnection, PostgresTransaction};
pub use postgres_schema::{Migrated, PostgresError, PostgresSchema, PostgresSettings};
pub use sqlite_file::{IfMissing, OpenError, SqliteFile, connect_options, prepare};
