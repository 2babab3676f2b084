//! One SQLite file that many tasks, and several processes, read and write at the same time.
//!
//! SQLite lets one transaction write at a time and tells the others that it is busy. A [`SqliteFile`]
//! makes them wait instead: writers of one process queue for its only writing connection, writers of
//! other processes wait for the file's lock, and both ask for the lock at the start of a transaction,
//! never half-way through, where waiting could not help. Readers see one committed state each and wait
//! for nobody (write-ahead log). A commit is on the disk when it returns (`synchronous = FULL`): what is
//! acknowledged afterwards survives a power failure.
//!
//! Who needs other connections than these takes the parts: [`prepare`], then [`connect_options`].

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

/// How long a writer waits for other processes, and anyone for a connection. Far longer than the longest
/// transaction (an import of some seconds), since giving up means a retry of the whole job.
const PATIENCE: Duration = Duration::from_mins(1);

/// Readers of one process. Each holds a thread and a page cache of its own.
const READERS: u32 = 4;

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No such folder, no permission, not a SQLite file, a failing disk.
    #[error("cannot open the SQLite file {}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// A newer program wrote its tables.
    #[error("{} has version {found}, this program knows {needed}: use a newer gatecast", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The version that this program knows.
        needed: i64,
    },
    /// Its tables are not what this program expects: the file is another's.
    #[error("cannot bring the tables of {} up to date", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// Which migration, and why.
        source: MigrateError,
    },
}

/// An open SQLite file. A clone shares the connections.
#[derive(Debug, Clone)]
pub struct SqliteFile {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteFile {
    /// Opens the file, creates it where there is none, and brings its tables up to date.
    ///
    /// Any number of tasks and processes may do so at once: one migrates, the others wait for it.
    pub async fn open(path: &Path, migrations: &Migrator) -> Result<Self, OpenError> {
        prepare(path, IfMissing::Create, migrations).await?;
        let options = connect_options(path);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false); // a connection to a file does not go stale
        Ok(Self {
            writer: pool.clone().max_connections(1).connect_lazy_with(options.clone()),
            readers: pool.max_connections(READERS).connect_lazy_with(options.pragma("query_only", "ON")),
        })
    }

    /// Begins a transaction that nobody else's write can come before or between, whatever `_what` either is
    /// about. Dropped without a commit it changes nothing.
    pub async fn write(&self, _what: &str) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// As [`write`](Self::write): whoever writes to the file holds up everybody, so that nothing is won by
    /// giving up early.
    pub async fn write_unless_locked(&self, what: &str) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.write(what).await
    }

    /// Begins a transaction for rows that may come in any order between those of others. One file has one
    /// writer all the same.
    pub async fn append(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.write("").await
    }

    /// Begins a transaction whose reads all see the same committed state.
    pub async fn read(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.readers.begin().await
    }

    /// Lets transactions end and closes the connections; the last one to close a file empties its log.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// What to do about a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Make it.
    Create,
    /// Say so.
    Refuse,
}

/// How to connect to a file that was [prepared](prepare).
pub fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "67108864") // a large import leaves no large log behind
        .pragma("cache_size", "-16384") // KiB
}

/// Turns the write-ahead log on and brings the tables up to date, both once per file, however many tasks
/// and processes do so at once.
pub async fn prepare(path: &Path, if_missing: IfMissing, migrations: &Migrator) -> Result<(), OpenError> {
    let unusable = |source| OpenError::Unusable { path: path.to_owned(), source };
    let options = connect_options(path).create_if_missing(if_missing == IfMissing::Create);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(unusable)?;
    turn_on_write_ahead_log(&mut connection).await.map_err(unusable)?;
    migrate(&mut connection, migrations).await.map_err(|source| refused(path, migrations, source))?;
    connection.close().await.map_err(unusable)
}

/// The mode is kept in the file. Switching to it is the one step for which SQLite does not wait while
/// another process has the new file open, so that we try again.
async fn turn_on_write_ahead_log(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let give_up_at = Instant::now() + PATIENCE;
    loop {
        match sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await {
            Err(sqlx::Error::Database(busy)) if is_busy(&*busy) && Instant::now() < give_up_at => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            other => return other.map(|_| ()),
        }
    }
}

/// `SQLITE_BUSY` (5), plain or with an extension in the higher bits.
fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// All migrations in one transaction that holds the write lock from the start: sqlx does not lock SQLite
/// files itself, so that two processes that open a new file would both create its tables.
async fn migrate(connection: &mut SqliteConnection, migrations: &Migrator) -> Result<(), MigrateError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrations.run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await?;
    Ok(())
}

fn refused(path: &Path, migrations: &Migrator, source: MigrateError) -> OpenError {
    let path = path.to_owned();
    let needed = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    match source {
        MigrateError::VersionMissing(found) if found > needed => OpenError::Newer { path, found, needed },
        source => OpenError::Migration { path, source },
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::{
        AssertSqlSafe, SqlSafeStr,
        migrate::{Migration, MigrationType},
    };

    use super::*;

    fn migrations(statements: &[&str]) -> Migrator {
        let migrations = statements.iter().zip(1..).map(|(sql, version)| {
            let sql = AssertSqlSafe((*sql).to_owned()).into_sql_str();
            Migration::new(version, Cow::Borrowed("step"), MigrationType::Simple, sql, false)
        });
        Migrator::with_migrations(migrations.collect())
    }

    fn counters() -> Migrator {
        migrations(&["CREATE TABLE counter (n INTEGER NOT NULL) STRICT", "INSERT INTO counter VALUES (0)"])
    }

    async fn count(file: &SqliteFile) -> i64 {
        let mut reading = file.read().await.unwrap();
        sqlx::query_scalar("SELECT sum(n) FROM counter").fetch_one(&mut *reading).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_may_open_a_new_file_at_once_and_one_migrates() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("new.db");
            let opening: Vec<_> = (0..8)
                .map(|_| {
                    let path = path.clone();
                    tokio::spawn(async move { SqliteFile::open(&path, &counters()).await })
                })
                .collect();
            for file in opening {
                assert_eq!(count(&file.await.unwrap().unwrap()).await, 0);
            }
        }
    }

    async fn add(file: &SqliteFile, times: usize) {
        for _ in 0..times {
            let mut transaction = file.write("counter").await.expect("waits for its turn");
            let n: i64 = sqlx::query_scalar("SELECT n FROM counter")
                .fetch_one(&mut *transaction)
                .await
                .expect("has one row");
            let update = sqlx::query("UPDATE counter SET n = ?").bind(n + 1);
            update.execute(&mut *transaction).await.expect("holds the lock");
            transaction.commit().await.expect("the disk has room");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn writers_of_two_openers_wait_for_each_other_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counter.db");
        let first = SqliteFile::open(&path, &counters()).await.unwrap();
        let second = SqliteFile::open(&path, &counters()).await.unwrap();
        let writing: Vec<_> = (0..8)
            .map(|task| {
                let file = if task % 2 == 0 { first.clone() } else { second.clone() };
                tokio::spawn(async move { add(&file, 25).await })
            })
            .collect();
        for task in writing {
            task.await.unwrap();
        }
        assert_eq!(count(&first).await, 200);
    }

    const SHARED_FILE: &str = "SQLITE_FILE_SHARED_BY_PROCESSES";

    /// Not a test of its own: what each process of the next one does.
    #[tokio::test]
    #[ignore = "is run by writers_of_many_processes_wait_for_each_other_and_lose_nothing"]
    async fn one_process_of_many() {
        let path = std::env::var_os(SHARED_FILE).expect("is set by the test that runs this");
        add(&SqliteFile::open(Path::new(&path), &counters()).await.unwrap(), 25).await;
    }

    #[tokio::test]
    async fn writers_of_many_processes_wait_for_each_other_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counter.db");
        let processes: Vec<_> = (0..4)
            .map(|_| {
                std::process::Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "sqlite_file::tests::one_process_of_many", "--ignored"])
                    .env(SHARED_FILE, &path)
                    .stdout(std::process::Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut process in processes {
            assert!(process.wait().unwrap().success());
        }
        assert_eq!(count(&SqliteFile::open(&path, &counters()).await.unwrap()).await, 100);
    }

    #[tokio::test]
    async fn a_dropped_transaction_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = SqliteFile::open(&folder.path().join("counter.db"), &counters()).await.unwrap();
        let mut transaction = file.write("counter").await.unwrap();
        sqlx::query("UPDATE counter SET n = 7").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        assert_eq!(count(&file).await, 0);
        file.write("counter").await.unwrap(); // and the lock is free again
    }

    #[tokio::test]
    async fn a_reading_transaction_keeps_its_state_and_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = SqliteFile::open(&folder.path().join("counter.db"), &counters()).await.unwrap();
        let mut reading = file.read().await.unwrap();
        let select = "SELECT n FROM counter";
        assert_eq!(sqlx::query_scalar::<_, i64>(select).fetch_one(&mut *reading).await.unwrap(), 0);
        let mut transaction = file.write("counter").await.unwrap();
        sqlx::query("UPDATE counter SET n = 7").execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(sqlx::query_scalar::<_, i64>(select).fetch_one(&mut *reading).await.unwrap(), 0);
        assert!(sqlx::query("UPDATE counter SET n = 8").execute(&mut *reading).await.is_err());
        drop(reading);
        assert_eq!(count(&file).await, 7);
    }

    #[tokio::test]
    async fn a_file_of_something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let text = "not a database, but longer than the header of one ".repeat(100);
        std::fs::write(&path, &text).unwrap();
        let refused = SqliteFile::open(&path, &counters()).await;
        assert!(matches!(refused, Err(OpenError::Unusable { .. })), "{refused:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[tokio::test]
    async fn a_file_of_a_newer_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counter.db");
        SqliteFile::open(&path, &counters()).await.unwrap().close().await;
        let older = migrations(&["CREATE TABLE counter (n INTEGER NOT NULL) STRICT"]);
        let refused = SqliteFile::open(&path, &older).await;
        assert!(matches!(refused, Err(OpenError::Newer { found: 2, needed: 1, .. })), "{refused:?}");
    }
}
