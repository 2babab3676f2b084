//! Artifacts in an object store: a folder, or memory.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use forecasting::artifact::ArtifactName;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, local::LocalFileSystem, memory::InMemory, path::Path as Key,
};

use crate::{ArtifactStore, ArtifactStoreError, Listed, MOST_BYTES, metrics};

/// An [`ArtifactStore`] in an object store, under keys such as `9f/86/9f86d081…`: folders stay small.
#[derive(Debug)]
pub struct ObjectArtifacts {
    store: Arc<dyn ObjectStore>,
    tier: &'static str,
}

/// What metrics call a store that nothing else was said about.
const STORAGE: &str = "storage";

impl ObjectArtifacts {
    /// In a folder, which is made where there is none.
    ///
    /// An object is written under another name, synchronised, renamed, and its folder synchronised, so that
    /// neither `kill -9` nor a power failure leaves a torn one under its name. What a killed writer may
    /// leave is a file whose name ends in `#1`, `#2`, …, that nobody reads.
    pub fn folder(path: impl AsRef<Path>) -> Result<Self, ArtifactStoreError> {
        std::fs::create_dir_all(&path).map_err(unavailable)?;
        let folder = LocalFileSystem::new_with_prefix(path).map_err(unavailable)?;
        Ok(Self { store: Arc::new(folder.with_fsync(true)), tier: STORAGE })
    }

    /// In memory, for tests.
    pub fn memory() -> Self {
        Self { store: Arc::new(InMemory::new()), tier: STORAGE }
    }

    /// The same store, as another tier in metrics.
    #[must_use]
    pub fn counted_as(self, tier: &'static str) -> Self {
        Self { tier, ..self }
    }
}

#[async_trait]
impl ArtifactStore for ObjectArtifacts {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError> {
        let name = name_of(bytes.clone()).await;
        check_size(name, bytes.len() as u64)?;
        // Overwrites: the bytes are the same, or the ones there are damaged and this repairs them.
        self.store.put(&key(&name), bytes.into()).await.map_err(unavailable)?;
        Ok(name)
    }

    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError> {
        let found = self.store.get(&key(name)).await;
        metrics::asked(self.tier, found.is_ok());
        let found = found.map_err(|error| match error {
            object_store::Error::NotFound { .. } => ArtifactStoreError::Missing { name: *name },
            other => unavailable(other),
        })?;
        check_size(*name, found.meta.size)?;
        let bytes = found.bytes().await.map_err(unavailable)?;
        if name_of(bytes.clone()).await == *name {
            Ok(bytes)
        } else {
            metrics::refused("damaged");
            Err(ArtifactStoreError::Damaged { name: *name })
        }
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError> {
        let folder = Key::from(format!("{first_byte:02x}"));
        let found: Vec<ObjectMeta> =
            self.store.list(Some(&folder)).try_collect().await.map_err(unavailable)?;
        Ok(found.iter().filter_map(listed).collect())
    }

    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        match self.store.delete(&key(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(other) => Err(unavailable(other)),
        }
    }
}

/// None for what is not one of ours.
fn listed(meta: &ObjectMeta) -> Option<Listed> {
    let name: ArtifactName = meta.location.filename()?.parse().ok()?;
    let stored_at = Timestamp::from_microsecond(meta.last_modified.timestamp_micros()).ok()?;
    (meta.location == key(&name)).then_some(Listed { name, size_bytes: meta.size, stored_at })
}

fn key(name: &ArtifactName) -> Key {
    let name = name.to_string();
    Key::from_iter([&name[..2], &name[2..4], &name])
}

fn check_size(name: ArtifactName, size_bytes: u64) -> Result<(), ArtifactStoreError> {
    if size_bytes > MOST_BYTES {
        metrics::refused("too_large");
        return Err(ArtifactStoreError::TooLarge { name, size_bytes });
    }
    Ok(())
}

/// Hashing a large artifact takes longer than the threads of the runtime may be held up.
pub(crate) async fn name_of(bytes: Bytes) -> ArtifactName {
    let hashing = tokio::task::spawn_blocking(move || ArtifactName::of(&bytes));
    hashing.await.expect("hashing does not panic and is not aborted")
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> ArtifactStoreError {
    ArtifactStoreError::Unavailable(Arc::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a store gives out once the object of `bytes` was replaced behind its back.
    async fn got_after(bytes: &'static [u8], replaced_by: Vec<u8>) -> Result<Bytes, ArtifactStoreError> {
        let artifacts = ObjectArtifacts::memory();
        let name = artifacts.put(Bytes::from_static(bytes)).await.expect("memory has room");
        artifacts.store.put(&key(&name), replaced_by.into()).await.expect("memory has room");
        artifacts.get(&name).await
    }

    #[tokio::test]
    async fn an_artifact_with_any_bit_flipped_is_refused() {
        let bytes = b"GATECAST and a short payload";
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let got = got_after(bytes, flipped).await;
            assert!(matches!(got, Err(ArtifactStoreError::Damaged { .. })), "bit {bit}: {got:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_empty_or_longer_artifact_is_refused() {
        let bytes = b"GATECAST and a short payload";
        for replaced_by in [&b""[..], &bytes[..27], b"GATECAST and a short payload!"] {
            let got = got_after(bytes, replaced_by.to_vec()).await;
            assert!(matches!(got, Err(ArtifactStoreError::Damaged { .. })), "{got:?}");
        }
    }

    #[tokio::test]
    async fn a_damaged_artifact_is_repaired_by_storing_it_again() {
        let artifacts = ObjectArtifacts::memory();
        let bytes = Bytes::from_static(b"artifact");
        let name = artifacts.put(bytes.clone()).await.expect("memory has room");
        artifacts.store.put(&key(&name), "garbage".into()).await.expect("memory has room");
        artifacts.put(bytes.clone()).await.expect("memory has room");
        assert_eq!(artifacts.get(&name).await.expect("was repaired"), bytes);
    }

    #[tokio::test]
    async fn the_size_is_checked_before_anything_is_read() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let artifacts = ObjectArtifacts::folder(folder.path()).expect("a folder");
        let name = artifacts.put(Bytes::from_static(b"artifact")).await.expect("the disk has room");
        let path = folder.path().join(key(&name).as_ref());
        let sparse = std::fs::File::options().write(true).open(path).expect("was just written");
        sparse.set_len(1 << 40).expect("a sparse file takes no room"); // a terabyte
        let got = artifacts.get(&name).await;
        assert!(matches!(got, Err(ArtifactStoreError::TooLarge { size_bytes, .. }) if size_bytes == 1 << 40));
    }

    #[tokio::test]
    async fn what_a_killed_writer_left_is_neither_read_nor_in_the_way() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let artifacts = ObjectArtifacts::folder(folder.path()).expect("a folder");
        let bytes = Bytes::from_static(b"artifact");
        let name = ArtifactName::of(&bytes);
        let path = folder.path().join(key(&name).as_ref());
        std::fs::create_dir_all(path.parent().expect("has one")).expect("the disk has room");
        std::fs::write(format!("{}#1", path.display()), b"arti").expect("the disk has room");
        assert!(matches!(artifacts.get(&name).await, Err(ArtifactStoreError::Missing { .. })));
        artifacts.put(bytes.clone()).await.expect("the disk has room");
        assert_eq!(artifacts.get(&name).await.expect("was written"), bytes);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_used_is_unavailable() {
        let folder = tempfile::tempdir().expect("a folder for a test");
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("the disk has room");
        let refused = ObjectArtifacts::folder(&file);
        assert!(matches!(refused, Err(ArtifactStoreError::Unavailable(_))), "{refused:?}");
    }
}
