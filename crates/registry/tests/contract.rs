//! The contract of a registry on each adapter.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use registry::{MemoryRegistry, Registry, SqliteRegistry, registry_contract};

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
