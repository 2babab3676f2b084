//! The file, its connections, and how rows are read.

use std::{path::Path, sync::Arc};

use clock::Clock;
use database::{IfMissing, OpenError, instant::to_micros};
use protocol::{Properties, WireMessage};
use sqlx::{ConnectOptions, SqliteConnection, migrate::Migrator, sqlite::SqliteSynchronous};
use tokio::sync::{Mutex, mpsc};
use tracing::{info, warn};

use super::{
    Access,
    caretaker::{self, Chore},
    wakes::Wakes,
};

static MIGRATIONS: Migrator = sqlx::migrate!("src/sqlite/migrations");

/// The open file.
pub(super) struct Store {
    pub(super) access: Access,
    pub(super) clock: Arc<dyn Clock>,
    /// SQLite has one writer at a time. In line here, the writers of this process never meet SQLite's own
    /// waiting, which sleeps.
    pub(super) writer: Mutex<Writer>,
    pub(super) reader: Mutex<SqliteConnection>,
    pub(super) wakes: Wakes,
    /// Work for the caretaker, from places that cannot wait.
    pub(super) chores: mpsc::UnboundedSender<Chore>,
}

/// Two ways to write.
pub(super) struct Writer {
    /// A commit returns when it is on the disk.
    pub(super) durable: SqliteConnection,
    /// A commit is the operating system's to write down; what `durable` commits later includes it.
    pub(super) quick: SqliteConnection,
}

/// Opens the file and starts its caretaker.
pub(super) async fn open(
    path: &Path,
    access: Access,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Store>, OpenError> {
    let failed = |source| OpenError::Unusable { path: path.to_owned(), source };
    let if_missing = match access {
        Access::Owner => IfMissing::Create,
        Access::Guest => IfMissing::Refuse,
    };
    // Guests too: the owner may be at it at this very moment.
    database::prepare(path, if_missing, &MIGRATIONS).await?;
    let writer = Writer {
        durable: connect(path, SqliteSynchronous::Full).await.map_err(failed)?,
        quick: connect(path, SqliteSynchronous::Normal).await.map_err(failed)?,
    };
    let reader = connect(path, SqliteSynchronous::Normal).await.map_err(failed)?;
    let (chores, chores_to_do) = mpsc::unbounded_channel();
    let store = Arc::new(Store {
        access,
        clock,
        writer: Mutex::new(writer),
        reader: Mutex::new(reader),
        wakes: Wakes::default(),
        chores,
    });
    if access == Access::Owner {
        let returned = store.end_all_leases().await.map_err(failed)?;
        if returned > 0 {
            info!(returned, "put back {returned} messages that an earlier process left unfinished");
        }
    }
    tokio::spawn(caretaker::run(Arc::downgrade(&store), chores_to_do));
    Ok(store)
}

async fn connect(path: &Path, synchronous: SqliteSynchronous) -> Result<SqliteConnection, sqlx::Error> {
    let options = database::connect_options(path).synchronous(synchronous);
    options.disable_statement_logging().connect().await // bodies are nobody's business
}

impl Store {
    /// Now, as the tables write it.
    pub(super) fn now(&self) -> i64 {
        to_micros(self.clock.now())
    }
}

/// A message as the tables keep it.
#[derive(sqlx::FromRow)]
pub(super) struct StoredMessage {
    pub(super) id: i64,
    /// As bytes: even text that is not UTF-8 must be readable enough to be put aside.
    properties: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl StoredMessage {
    /// The message, or what is wrong with its properties.
    pub(super) fn read(self) -> Result<WireMessage, serde_json::Error> {
        Ok(WireMessage { properties: self.properties()?, body: self.body.into() })
    }

    pub(super) fn properties(&self) -> Result<Properties, serde_json::Error> {
        serde_json::from_slice(&self.properties)
    }

    /// The message, or nothing and a line in the log.
    pub(super) fn read_or_skip(self, what: &str) -> Option<WireMessage> {
        let id = self.id;
        self.read().inspect_err(|e| warn!(id, "skipped {what} {id}, its properties cannot be read: {e}")).ok()
    }
}

/// Properties as the tables keep them.
pub(super) fn properties_text(properties: &Properties) -> Result<String, sqlx::Error> {
    serde_json::to_string(properties).map_err(|e| sqlx::Error::Encode(e.into()))
}
