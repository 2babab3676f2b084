//! The contract of a history on each adapter.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use history::{History, MemoryHistory, SqliteHistory, history_contract};

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
