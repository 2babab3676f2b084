//! Redis in front of a store: quick while it is well; down, frozen, empty or full of garbage it is slower and
//! never wrong.

mod own_redis;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use artifacts::{
    ArtifactStore, ArtifactStoreError, CachedArtifacts, Listed, ObjectArtifacts, RedisCache, RedisSettings,
};
use async_trait::async_trait;
use bytes::Bytes;
use forecasting::artifact::ArtifactName;
use own_redis::OwnRedis;

/// A store that counts what it is asked.
struct Counted {
    store: ObjectArtifacts,
    asked: AtomicUsize,
}

#[async_trait]
impl ArtifactStore for Counted {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactName, ArtifactStoreError> {
        self.store.put(bytes).await
    }

    async fn get(&self, name: &ArtifactName) -> Result<Bytes, ArtifactStoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.get(name).await
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Listed>, ArtifactStoreError> {
        self.store.list(first_byte).await
    }

    async fn delete(&self, name: &ArtifactName) -> Result<(), ArtifactStoreError> {
        self.store.delete(name).await
    }
}

struct Shop {
    redis: OwnRedis,
    store: Arc<Counted>,
    cached: Arc<CachedArtifacts>,
}

impl Shop {
    fn open() -> Self {
        let redis = OwnRedis::start();
        let store = Arc::new(Counted { store: ObjectArtifacts::memory(), asked: AtomicUsize::new(0) });
        let cached = Arc::new(in_front(&redis.url(), store.clone()));
        Self { redis, store, cached }
    }

    async fn put(&self, text: &'static str) -> (ArtifactName, Bytes) {
        let bytes = Bytes::from_static(text.as_bytes());
        (self.cached.put(bytes.clone()).await.expect("stores"), bytes)
    }

    /// How often the store was asked until now.
    fn asked(&self) -> usize {
        self.store.asked.load(Ordering::Relaxed)
    }

    async fn got(&self, name: &ArtifactName) -> Bytes {
        self.cached.get(name).await.expect("never an error")
    }
}

fn in_front(url: &str, store: Arc<dyn ArtifactStore>) -> CachedArtifacts {
    let settings = RedisSettings { url: url.to_owned(), certificate_authority: None };
    CachedArtifacts::new(Arc::new(RedisCache::start(&settings).expect("a good url")), store)
}

#[tokio::test]
async fn what_was_read_or_warmed_is_read_from_redis_from_then_on() {
    let shop = Shop::open();
    let (name, bytes) = shop.put("read twice").await;
    assert_eq!(shop.got(&name).await, bytes);
    assert_eq!((shop.got(&name).await, shop.asked()), (bytes, 1));

    let (name, bytes) = shop.put("warmed").await;
    shop.cached.warm(&name).await.expect("the store has it");
    let another_process = in_front(&shop.redis.url(), shop.store.clone());
    assert_eq!((another_process.get(&name).await.expect("gets"), shop.asked()), (bytes, 2));
}

#[tokio::test]
async fn garbage_of_any_kind_is_not_used_and_is_repaired() {
    let shop = Shop::open();
    let (name, bytes) = shop.put("the right bytes").await;
    let key = format!("gatecast:artifact:{name}");
    for garbage in [
        format!("SET {key} other-bytes"),
        format!("SET {key} the"),
        format!("SETRANGE {key} 40000000 x"),
        format!("LPUSH {key} a-list"),
    ] {
        shop.redis.command(&format!("DEL {key}"));
        shop.redis.command(&garbage);
        assert_eq!(shop.got(&name).await, bytes, "{garbage}");
        let asked = shop.asked();
        assert_eq!((shop.got(&name).await, shop.asked()), (bytes.clone(), asked), "{garbage}: repaired");
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_frozen_is_left_alone_and_used_again_once_it_is_back() {
    let mut shop = Shop::open();
    let (name, bytes) = shop.put("through thick and thin").await;
    assert_eq!(shop.got(&name).await, bytes);
    shop.redis.freeze();
    for _again in 0..20 {
        assert_eq!(shop.got(&name).await, bytes);
    }
    shop.redis.thaw();
    shop.redis.kill();
    assert_eq!(shop.got(&name).await, bytes);
    shop.redis.start_again();
    loop {
        let before = shop.asked();
        assert_eq!(shop.got(&name).await, bytes);
        if shop.asked() == before {
            break; // read from Redis
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await; // polls for the event it waits for
    }
}

#[tokio::test]
async fn a_wrong_password_is_slower_and_not_told_to_anyone() {
    let shop = Shop::open();
    shop.redis.command("CONFIG SET requirepass right");
    let (name, bytes) = shop.put("secret").await;
    assert_eq!(shop.got(&name).await, bytes);
    let url = shop.redis.url().replace("redis://", "redis://:canary@");
    assert_eq!(in_front(&url, shop.store.clone()).get(&name).await.expect("gets"), bytes);
    let refused = RedisCache::start(&RedisSettings {
        url: "http://:canary@host".to_owned(),
        certificate_authority: None,
    });
    assert!(!format!("{:?}", refused.expect_err("no Redis")).contains("canary"));
}

#[tokio::test]
async fn an_artifact_that_nobody_has_is_missing() {
    let shop = Shop::open();
    let got = shop.cached.get(&ArtifactName::of(b"nobody has this")).await;
    assert!(matches!(got, Err(ArtifactStoreError::Missing { .. })), "{got:?}");
}
