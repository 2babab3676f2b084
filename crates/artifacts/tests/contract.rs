//! The contract of an artifact store on each adapter.

use std::sync::Arc;

use artifacts::{
    ArtifactStore, CachedArtifacts, ObjectArtifacts, RedisCache, RedisSettings, artifact_store_contract,
};

mod memory {
    use super::*;

    fn open() -> (Arc<dyn ArtifactStore>, ()) {
        (Arc::new(ObjectArtifacts::memory()), ())
    }

    artifact_store_contract!(open);
}

mod folder {
    use super::*;

    fn open() -> (Arc<dyn ArtifactStore>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let artifacts = ObjectArtifacts::folder(folder.path().join("artifacts")).expect("a new folder");
        (Arc::new(artifacts), folder)
    }

    artifact_store_contract!(open);
}

mod redis_in_front {
    use super::*;

    fn open() -> (Arc<dyn ArtifactStore>, ()) {
        let url = std::env::var("GATECAST_TEST_REDIS_URL").unwrap_or_else(|_| {
            panic!("GATECAST_TEST_REDIS_URL is not set: run eval \"$(scripts/servers start)\" in this shell first")
        });
        let cache =
            RedisCache::start(&RedisSettings { url, certificate_authority: None }).expect("a good url");
        (Arc::new(CachedArtifacts::new(Arc::new(cache), Arc::new(ObjectArtifacts::memory()))), ())
    }

    artifact_store_contract!(open);
}
