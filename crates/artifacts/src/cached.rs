//! An artifact store with a cache in front of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use forecasting::artifact::ArtifactName;

use crate::{ArtifactStore, ArtifactStoreError, Listed, RedisCache, metrics, objects::name_of};

/// A hundred forecasters that start at once spread their reads of the store over this time; meanwhile the
/// first of them has put the artifact into the cache for the others.
const SPREAD: Duration = Duration::from_millis(300);

/// Reads the cache, then the store.
pub struct CachedArtifacts {
    cache: Arc<RedisCache>,
    store: Arc<dyn ArtifactStore>,
}

impl CachedArtifacts {
    /// Puts a cache in front of a store.
    pub fn new(cache: Arc<RedisCache>, store: Arc<dyn ArtifactStore>) -> Self {
        Self { cache, store }
    }

    /// What the cache has, if it is the artifact of this name.
    async fn cached(&self, name: &ArtifactName) -> Option<Bytes> {
        let found = self.cache.get(name).await;
        metrics::asked("redis", found.is_some());
        let found = found?;
        if name_of(found.clone()).await == *name {
            return Some(found);
        }
        metrics::refused("damaged");
        // It is written over once the store has given the right bytes.
        tracing::warn!("Redis has other bytes under the name of artifact {name}: they are not used");
        None
    }
}

#[async_trait]
impl ArtifactStore for CachedArtifacts {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError> {
        self.store.put(bytes).await
    }

    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError> {
        if let Some(bytes) = self.cached(name).await {
            return Ok(bytes);
        }
        tokio::time::sleep(SPREAD.mul_f64(fastrand::f64())).await;
        if let Some(bytes) = self.cached(name).await {
            return Ok(bytes);
        }
        let bytes = self.store.get(name).await?;
        self.cache.put(name, &bytes).await;
        Ok(bytes)
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError> {
        self.store.list(first_byte).await
    }

    /// Where the cache does not forget it, it goes with its age: the name means the right bytes until then.
    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        self.store.delete(name).await?;
        self.cache.forget(name).await;
        Ok(())
    }

    async fn check(&self) -> Result<(), ArtifactStoreError> {
        self.store.check().await
    }

    async fn warm(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        let bytes = self.store.get(name).await?;
        self.cache.put(name, &bytes).await;
        Ok(())
    }
}
