//! The contract of a history on each adapter.

#[path = "../../database/tests/fresh/mod.rs"]
mod fresh;

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use database::PostgresSettings;
use fresh::FreshDatabase;
use history::{History, MemoryHistory, PostgresHistory, SqliteHistory, history_contract};

type Opened<Keep> = (Arc<dyn History>, Arc<dyn History>, Keep);

mod memory {
    use super::*;

    fn open() -> Ready<Opened<()>> {
        let history = Arc::new(MemoryHistory::new());
        ready((history.clone(), history, ()))
    }

    history_contract!(open);
}

mod sqlite {
    use super::*;

    async fn open() -> Opened<tempfile::TempDir> {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let path = folder.path().join("history.db");
        let first = SqliteHistory::open(&path).await.expect("a new file");
        let second = SqliteHistory::open(&path).await.expect("the same file");
        (Arc::new(first), Arc::new(second), folder)
    }

    history_contract!(open);
}

mod postgres {
    use super::*;

    async fn open() -> Opened<FreshDatabase> {
        let database = FreshDatabase::new().await;
        let settings = PostgresSettings { url: database.url.clone(), certificate_authority: None };
        let first = PostgresHistory::start(&settings).expect("a good url");
        first.migrate().await.expect("an empty database");
        let second = PostgresHistory::start(&settings).expect("the same database");
        (Arc::new(first), Arc::new(second), database)
    }

    history_contract!(open);
}
