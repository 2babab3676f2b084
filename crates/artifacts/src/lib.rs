//! Artifacts by their names: the bytes in an object store, with Redis in front of it where there is one, the
//! decoded models in the process.
//!
//! An artifact is named by the SHA-256 of its bytes, so that a name means the same bytes for ever, nothing
//! is overwritten by something else, and whatever a store gives back is checked before anyone looks at it.
//! What the bytes mean is [`forecasting::artifact`]'s business; which artifact is in use is the registry's.

mod objects;

mod redis_cache;

mod cached;

mod decoded;

pub mod contract;

mod metrics;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use forecasting::artifact::{ArtifactName, Bundle};
use jiff::Timestamp;

pub use cached::CachedArtifacts;
pub use decoded::{DecodedModels, LoadError};
pub use metrics::describe_metrics;
pub use objects::ObjectArtifacts;
pub use redis_cache::{InvalidRedisSettings, RedisCache, RedisSettings};

/// The size of the largest artifact that is stored or loaded, in bytes.
pub const MOST_BYTES: u64 = Bundle::MOST_BYTES;

/// Keeps artifacts.
#[async_trait]
pub trait ArtifactStore: Send + Sync + 'static {
    /// Stores the bytes and says their name. When it returns they are there to stay; the same bytes may be
    /// stored again, at the same time too.
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError>;

    /// The bytes of this name, and of no other.
    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError>;

    /// What the store has, of the names that begin with this byte: a 256th of everything.
    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError>;

    /// Deletes an artifact; one that is not there is gone already. Who may delete what is the registry's
    /// business.
    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError>;

    /// Looks whether the store can be written to and read from.
    async fn check(&self) -> Result<(), ArtifactStoreError> {
        let probe = Bytes::from_static(b"gatecast doctor");
        let name = self.put(probe).await?;
        self.get(&name).await.map(drop)
    }

    /// Brings the artifact near everyone who is about to get it. A store without a cache has nothing to do.
    async fn warm(&self, _name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        Ok(())
    }
}

/// An artifact that lies in the store. Its bytes were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The name that it lies under.
    pub name: ArtifactName,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last stored, by the clock of the store.
    pub stored_at: Timestamp,
}

/// Why an artifact was not stored or not given out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArtifactStoreError {
    /// The store is away or full. Trying again may help.
    #[error("the artifact store is not available")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The store has no artifact of this name.
    #[error("artifact {name} is missing")]
    Missing {
        /// The name asked for.
        name: ArtifactName,
    },
    /// The store has other bytes under this name.
    #[error("artifact {name} is damaged: its bytes have another SHA-256")]
    Damaged {
        /// The name asked for.
        name: ArtifactName,
    },
    /// More than [`MOST_BYTES`]: not stored, not read.
    #[error("artifact {name} has {size_bytes} bytes, at most {MOST_BYTES} are allowed")]
    TooLarge {
        /// The name asked for, or that the bytes would have had.
        name: ArtifactName,
        /// Its size.
        size_bytes: u64,
    },
}
