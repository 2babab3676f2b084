//! The contract of an artifact store on each adapter.

use std::sync::Arc;

use artifacts::{ArtifactStore, ObjectArtifacts, artifact_store_contract};

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
