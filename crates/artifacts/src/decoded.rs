//! Decoded models in the process: each is loaded once, however many ask for it.

use std::sync::Arc;

use forecasting::artifact::{ArtifactError, ArtifactName, Bundle};
use moka::future::Cache;

use crate::{ArtifactStore, ArtifactStoreError, metrics};

/// Loads artifacts, decodes them, and keeps the ones used most.
#[derive(Clone)]
pub struct DecodedModels {
    store: Arc<dyn ArtifactStore>,
    loaded: Cache<ArtifactName, Loaded>,
}

/// Why there is no model for an artifact. Nothing of it is kept: asking again tries again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The store did not give the artifact out.
    #[error("cannot load the artifact")]
    Store(#[from] ArtifactStoreError),
    /// The artifact is what was stored, but not a model that this build can use.
    #[error("cannot use artifact {name}")]
    Unusable {
        /// Its name.
        name: ArtifactName,
        /// What is wrong with it.
        source: ArtifactError,
    },
}

#[derive(Clone)]
struct Loaded {
    bundle: Arc<Bundle>,
    size_bytes: u32,
}

impl DecodedModels {
    /// Keeps models whose artifacts have together at most `max_bytes`; decoded they take up to two and a half
    /// times as much.
    pub fn new(store: Arc<dyn ArtifactStore>, max_bytes: u64) -> Self {
        let loaded =
            Cache::builder().weigher(|_, loaded: &Loaded| loaded.size_bytes).max_capacity(max_bytes).build();
        Self { store, loaded }
    }

    /// Brings an artifact near everyone who is about to load it.
    ///
    /// # Errors
    /// If the store does not give it out; a cache that does not take it is none.
    pub async fn warm(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        self.store.warm(name).await
    }

    /// The model of an artifact. Who asks while it is being loaded waits for that load.
    pub async fn get(&self, name: &ArtifactName) -> Result<Arc<Bundle>, LoadError> {
        metrics::asked("memory", self.loaded.contains_key(name));
        let loaded = self.loaded.try_get_with(*name, load(&*self.store, *name)).await;
        loaded.map(|loaded| loaded.bundle).map_err(Arc::unwrap_or_clone)
    }

    /// The same past what is remembered here, and not remembered either: a load as by who never had it. With the size of
    /// the artifact in bytes.
    pub async fn load_anew(&self, name: &ArtifactName) -> Result<(Arc<Bundle>, u64), LoadError> {
        let Loaded { bundle, size_bytes } = load(&*self.store, *name).await?;
        Ok((bundle, size_bytes.into()))
    }
}

async fn load(store: &dyn ArtifactStore, name: ArtifactName) -> Result<Loaded, LoadError> {
    let bytes = store.get(&name).await?;
    let size_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let decoding = tokio::task::spawn_blocking(move || Bundle::decode(&bytes));
    let bundle = decoding.await.expect("decoding does not panic and is not aborted").map_err(|source| {
        metrics::refused("unusable");
        LoadError::Unusable { name, source }
    })?;
    Ok(Loaded { bundle: Arc::new(bundle), size_bytes })
}
