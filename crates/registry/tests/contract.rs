//! The contract of a registry on each adapter.

#[path = "../../database/tests/fresh/mod.rs"]
mod fresh;

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use database::PostgresSettings;
use fresh::FreshDatabase;
use registry::{MemoryRegistry, PostgresRegistry, Registry, SqliteRegistry, registry_contract};

type Opened<Keep> = (Arc<dyn Registry>, Arc<dyn Registry>, Keep);

mod memory {
    use super::*;

    fn open() -> Ready<Opened<()>> {
        let registry = Arc::new(MemoryRegistry::new());
        ready((registry.clone(), registry, ()))
    }

    registry_contract!(open);
}

mod sqlite {
    use super::*;

    async fn open() -> Opened<tempfile::TempDir> {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let path = folder.path().join("registry.db");
        let first = SqliteRegistry::open(&path).await.expect("a new file");
        let second = SqliteRegistry::open(&path).await.expect("the same file");
        (Arc::new(first), Arc::new(second), folder)
    }

    registry_contract!(open);
}

mod postgres {
    use super::*;

    async fn open() -> Opened<FreshDatabase> {
        let database = FreshDatabase::new().await;
        let settings = PostgresSettings { url: database.url.clone(), certificate_authority: None };
        let first = PostgresRegistry::start(&settings).expect("a good url");
        first.migrate().await.expect("an empty database");
        let second = PostgresRegistry::start(&settings).expect("the same database");
        (Arc::new(first), Arc::new(second), database)
    }

    registry_contract!(open);
}
