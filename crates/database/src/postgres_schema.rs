//! A schema of a PostgreSQL database that many tasks and processes read and write at the same time.

use std::{cmp::Ordering, fmt, str::FromStr as _, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::{sync::OnceCell, time::timeout};

use crate::patience::{PatientConnection, PostgresTransaction, unless_silent};

/// How long anyone waits for a connection, which includes making one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection that somebody is done with, or gave up, may take to be ready for the next. One that
/// is not is closed, so that a server that has vanished does not keep its place.
const RELEASE: Duration = Duration::from_secs(5);
/// How long a writer waits for a lock that rather comes again later than stand in the way of others.
const BRIEF: &str = "SET LOCAL lock_timeout = '2s'";
/// Connections of one process to one schema.
const CONNECTIONS: u32 = 8;
/// What the server ends by itself: a statement, a wait for a lock, a transaction that nobody goes on with.
/// Longer than any of ours takes, since an import of ten million rows is one transaction.
const SERVER_LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "10min"),
    ("lock_timeout", "60s"),
    ("idle_in_transaction_session_timeout", "10min"),
];

/// Where the server is.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:5432/database`; what `libpq` knows as parameters may follow.
    pub url: String,
    /// Certificates in PEM that the server's must come from, for the host of the URL; `None`: the URL's
    /// `sslmode` says what is checked.
    pub certificate_authority: Option<String>,
}

/// Without the password.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings").finish_non_exhaustive()
    }
}

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It is not a URL of PostgreSQL.
    #[error("the url must be postgres://user:password@host:port/database")]
    Url,
    /// The tables are older than this program, or not there.
    #[error("schema {schema} has version {found}, this program needs {needed}: run `gatecast migrate`")]
    Older {
        /// The schema.
        schema: &'static str,
        /// The version of its tables, 0 if there are none.
        found: i64,
        /// The version that this program knows.
        needed: i64,
    },
    /// A newer program wrote the tables.
    #[error("schema {schema} has version {found}, this program knows {needed}: use a newer gatecast")]
    Newer {
        /// The schema.
        schema: &'static str,
        /// The version of its tables.
        found: i64,
        /// The version that this program knows.
        needed: i64,
    },
    /// A migration failed; nothing of it was done.
    #[error("schema {schema} cannot be brought up to date")]
    Migration {
        /// The schema.
        schema: &'static str,
        /// Which migration, and why.
        source: MigrateError,
    },
    /// The server cannot be reached, or refuses us.
    #[error("PostgreSQL cannot be used")]
    Unavailable(#[source] sqlx::Error),
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version before, 0 if there were no tables.
    pub from: i64,
    /// The version now.
    pub to: i64,
}

/// Connections to a schema, made when they are needed. A clone shares them.
#[derive(Debug, Clone)]
pub struct PostgresSchema {
    pool: PgPool,
    name: &'static str,
    migrations: &'static Migrator,
    /// Set once the tables were seen to be as of this version. Nobody takes them back.
    is_right: Arc<OnceCell<()>>,
}

impl PostgresSchema {
    /// Makes ready to connect to schema `name`, and returns at once: a server that is away may come back.
    ///
    /// # Errors
    /// [`PostgresError::Url`].
    pub fn start(
        settings: &PostgresSettings,
        name: &'static str,
        migrations: &'static Migrator,
    ) -> Result<Self, PostgresError> {
        if !["postgres", "postgresql"].contains(&settings.url.split("://").next().unwrap_or_default()) {
            return Err(PostgresError::Url);
        }
        // What sqlx says about a URL may hold a part of it, so it is not passed on.
        let mut options = PgConnectOptions::from_str(&settings.url).map_err(|_secret| PostgresError::Url)?;
        if let Some(certificates) = &settings.certificate_authority {
            options = options
                .ssl_root_cert_from_pem(certificates.clone().into_bytes())
                .ssl_mode(PgSslMode::VerifyFull);
        }
        let options = options
            .application_name("gatecast")
            .options(SERVER_LIMITS)
            .options([("search_path", name), ("timezone", "UTC")]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_release(|connection, _| Box::pin(is_ready(connection)))
            .connect_lazy_with(options);
        Ok(Self { pool, name, migrations, is_right: Arc::default() })
    }

    /// Begins a transaction that nobody else's write to `what` can come before or between. Dropped without a
    /// commit it changes nothing.
    pub async fn write(&self, what: &str) -> Result<PostgresTransaction, sqlx::Error> {
        let mut transaction = self.append().await?;
        self.lock(what, &mut transaction).await?;
        Ok(transaction)
    }

    /// As [`write`](Self::write), but gives up where somebody else goes on writing to `what` for seconds.
    pub async fn write_unless_locked(&self, what: &str) -> Result<PostgresTransaction, sqlx::Error> {
        let mut transaction = self.append().await?;
        sqlx::query(BRIEF).execute(&mut *transaction).await?;
        self.lock(what, &mut transaction).await?;
        Ok(transaction)
    }

    async fn lock(&self, what: &str, transaction: &mut PatientConnection) -> Result<(), sqlx::Error> {
        sqlx::query(LOCK).bind(format!("{}.{what}", self.name)).execute(transaction).await?;
        Ok(())
    }

    /// Begins a transaction for rows that may come in any order between those of others: it waits for nobody.
    pub async fn append(&self) -> Result<PostgresTransaction, sqlx::Error> {
        self.check_once().await?;
        Ok(PostgresTransaction::new(unless_silent(self.pool.begin()).await?))
    }

    /// Begins a transaction whose reads all see the same committed state.
    pub async fn read(&self) -> Result<PostgresTransaction, sqlx::Error> {
        self.check_once().await?;
        let begin = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        Ok(PostgresTransaction::new(unless_silent(begin).await?))
    }

    /// Lets transactions end and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Connects, and looks whether the tables are as of this version.
    ///
    /// # Errors
    /// [`PostgresError::Older`], [`PostgresError::Newer`], [`PostgresError::Unavailable`].
    pub async fn check(&self) -> Result<(), PostgresError> {
        let mut connection = self.pool.acquire().await.map_err(PostgresError::Unavailable)?;
        let found = unless_silent(self.version(&mut connection)).await.map_err(PostgresError::Unavailable)?;
        let (schema, needed) = (self.name, self.newest());
        match found.cmp(&needed) {
            Ordering::Less => Err(PostgresError::Older { schema, found, needed }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(PostgresError::Newer { schema, found, needed }),
        }
    }

    /// Brings the tables up to date. Any number of processes may do so at once: one does, the others wait.
    ///
    /// # Errors
    /// [`PostgresError::Newer`], [`PostgresError::Migration`], [`PostgresError::Unavailable`].
    pub async fn migrate(&self) -> Result<Migrated, PostgresError> {
        let mut connection = self.pool.acquire().await.map_err(PostgresError::Unavailable)?;
        let migrated = self.migrate_alone(&mut connection).await;
        if migrated.is_ok() {
            self.is_right.set(()).ok(); // it may have been seen before
        }
        migrated
    }

    /// One transaction for everything, under a lock that ends with it.
    async fn migrate_alone(&self, connection: &mut PgConnection) -> Result<Migrated, PostgresError> {
        let unavailable = PostgresError::Unavailable;
        let mut transaction = connection.begin().await.map_err(unavailable)?;
        sqlx::query(LOCK).bind("migrate").execute(&mut *transaction).await.map_err(unavailable)?;
        let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {}", self.name)); // one of our own names
        sqlx::query(create).execute(&mut *transaction).await.map_err(unavailable)?;
        let (from, to) = (self.version(&mut transaction).await.map_err(unavailable)?, self.newest());
        if from > to {
            return Err(PostgresError::Newer { schema: self.name, found: from, needed: to });
        }
        let run = self.migrations.run_direct(None, &mut *transaction, false).await;
        run.map_err(|source| PostgresError::Migration { schema: self.name, source })?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(Migrated { from, to })
    }

    /// Nothing is read or written before the tables are as of this version.
    async fn check_once(&self) -> Result<(), sqlx::Error> {
        let checking = async || match self.check().await {
            Ok(()) => Ok(()),
            Err(PostgresError::Unavailable(error)) => Err(error),
            Err(other) => Err(sqlx::Error::Configuration(Box::new(other))),
        };
        self.is_right.get_or_try_init(checking).await.map(drop)
    }

    /// The version of the tables, 0 if there are none.
    async fn version(&self, connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(format!("{}._sqlx_migrations", self.name))
            .fetch_one(&mut *connection)
            .await?;
        if !is_there {
            return Ok(0);
        }
        let newest = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
        sqlx::query_scalar(newest).fetch_one(connection).await
    }

    fn newest(&self) -> i64 {
        self.migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
    }
}

async fn is_ready(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let ready = timeout(RELEASE, connection.ping()).await;
    ready.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

/// Advisory locks have numbers, which are the database's own: two programs that lock the same one wait for
/// each other, no more.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('gatecast.' || $1, 0))";
