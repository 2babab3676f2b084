//! Decoded models are loaded once, and failures are not kept.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use artifacts::{ArtifactStore, ArtifactStoreError, DecodedModels, Listed, LoadError, ObjectArtifacts};
use async_trait::async_trait;
use bytes::Bytes;
use forecasting::{
    artifact::{ArtifactName, Bundle},
    models::{Model, SeasonalNaive, WeeklyMean},
    names::{DatasetName, LearnerName, ModelName},
    series::{Frequency, Grid},
};
use tokio::sync::Semaphore;

/// Counts what is asked of a store, and answers only while it has permits.
struct Watched {
    store: ObjectArtifacts,
    asked: AtomicUsize,
    permits: Semaphore,
}

#[async_trait]
impl ArtifactStore for Watched {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError> {
        self.store.put(bytes).await
    }

    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.expect("is not closed").forget();
        self.store.get(name).await
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError> {
        self.store.list(first_byte).await
    }

    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        self.store.delete(name).await
    }
}

fn watched(permits: usize) -> Arc<Watched> {
    let store = ObjectArtifacts::memory();
    Arc::new(Watched { store, asked: AtomicUsize::new(0), permits: Semaphore::new(permits) })
}

fn bundle(seed: u64) -> Bundle {
    let grid = Grid::new(Frequency::Minutes(60), "UTC").expect("UTC is known");
    Bundle {
        intervals: None,
        model: ModelName::new("bike-demand").expect("is a name"),
        dataset: DatasetName::new("bikes").expect("is a name"),
        spec_hash: "5bec".to_owned(),
        data_hash: "da7a".to_owned(),
        seed,
        code_version: "0.1.0".to_owned(),
        learner: LearnerName::new("seasonal-naive").expect("is a name"),
        primary: Model::SeasonalNaive(SeasonalNaive::new(&grid)),
        fallback: WeeklyMean::new(4, &grid),
        grid,
        horizon_steps: 24,
        cut_off: "2025-01-01T00:00:00Z".parse().expect("is a timestamp"),
        as_of: "2025-01-02T00:00:00Z".parse().expect("is a timestamp"),
    }
}

#[tokio::test]
async fn a_model_is_loaded_once_however_many_ask() {
    let store = watched(0);
    let name = store.put(bundle(7).encode().into()).await.unwrap();
    let models = DecodedModels::new(store.clone(), 1 << 20);
    let askers = futures::future::join_all((0..50).map(|_| models.get(&name)));
    // Futures are polled in order: the store answers once all fifty wait.
    let (got, ()) = futures::future::join(askers, async { store.permits.add_permits(50) }).await;
    assert_eq!(store.asked.load(Ordering::SeqCst), 1);
    let first = got[0].as_ref().unwrap();
    assert_eq!(**first, bundle(7));
    assert!(got.iter().all(|model| Arc::ptr_eq(model.as_ref().unwrap(), first)), "one model in memory");
    models.get(&name).await.unwrap();
    assert_eq!(store.asked.load(Ordering::SeqCst), 1, "and it stays there");
}

#[tokio::test]
async fn a_load_anew_asks_the_store_whatever_is_remembered() {
    let store = watched(3);
    let encoded = bundle(7).encode();
    let size_bytes = encoded.len() as u64;
    let name = store.put(encoded.into()).await.unwrap();
    let models = DecodedModels::new(store.clone(), 1 << 20);
    let first = models.get(&name).await.unwrap();
    for asked in [2, 3] {
        let (anew, size) = models.load_anew(&name).await.unwrap();
        assert_eq!((store.asked.load(Ordering::SeqCst), size), (asked, size_bytes));
        assert!(anew == first && !Arc::ptr_eq(&anew, &first));
    }
}

#[tokio::test]
async fn a_load_that_failed_is_tried_again() {
    let store = watched(9);
    let encoded = Bytes::from(bundle(7).encode());
    let name = ArtifactName::of(&encoded);
    let models = DecodedModels::new(store.clone(), 1 << 20);
    for _ in 0..2 {
        let missing = models.get(&name).await;
        assert!(matches!(missing, Err(LoadError::Store(ArtifactStoreError::Missing { .. }))), "{missing:?}");
    }
    assert_eq!(store.asked.load(Ordering::SeqCst), 2);
    store.put(encoded).await.unwrap();
    assert_eq!(*models.get(&name).await.unwrap(), bundle(7));
}

#[tokio::test]
async fn a_load_that_was_given_up_is_taken_over() {
    let store = watched(0);
    let name = store.put(bundle(7).encode().into()).await.unwrap();
    let models = DecodedModels::new(store.clone(), 1 << 20);
    let mut gives_up = Box::pin(models.get(&name));
    let mut waits = Box::pin(models.get(&name));
    assert!(futures::poll!(&mut gives_up).is_pending());
    assert!(futures::poll!(&mut waits).is_pending());
    drop(gives_up);
    store.permits.add_permits(1);
    assert_eq!(*waits.await.unwrap(), bundle(7));
}

#[tokio::test]
async fn bytes_that_are_no_model_are_named() {
    let store = watched(1);
    let name = store.put(Bytes::from_static(b"stored well, but no model")).await.unwrap();
    let unusable = DecodedModels::new(store, 1 << 20).get(&name).await;
    assert!(
        matches!(unusable, Err(LoadError::Unusable { name: named, .. }) if named == name),
        "{unusable:?}"
    );
}

#[tokio::test]
async fn a_model_larger_than_the_room_is_loaded_all_the_same() {
    let store = watched(1);
    let name = store.put(bundle(7).encode().into()).await.unwrap();
    assert_eq!(*DecodedModels::new(store, 1).get(&name).await.unwrap(), bundle(7));
}
