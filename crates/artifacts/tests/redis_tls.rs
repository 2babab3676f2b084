//! TLS to a real Redis with certificates of our own authority: the good one is taken, one for another host and
//! one that has expired are refused with a sentence that says so, and then artifacts come from the store.

#[path = "../../../tests/certificates.rs"]
mod certificates;
mod own_redis;

use std::sync::Arc;

use artifacts::{ArtifactStore, CachedArtifacts, ObjectArtifacts, RedisCache, RedisSettings};
use bytes::Bytes;
use certificates::{Certificates, Flaw, complaint};
use own_redis::OwnRedis;

#[tokio::test]
async fn a_certificate_is_checked_for_its_authority_its_host_and_its_time() {
    let _other_tests_may_have = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificates = Certificates::new();
    for flaw in [Flaw::Nothing, Flaw::WrongName, Flaw::Expired] {
        let redis = OwnRedis::start_with_tls(&certificates.certificate(flaw), &certificates.key(flaw));
        let settings = RedisSettings {
            url: format!("rediss://localhost:{}/0", redis.port()),
            certificate_authority: Some(certificates.authority.clone()),
        };
        let cache = Arc::new(RedisCache::start(&settings).expect("a good url"));
        match (flaw, cache.ping().await) {
            (Flaw::Nothing, pong) => pong.expect("a good certificate"),
            (bad, pong) => {
                let told = pong.expect_err("a bad certificate").to_string();
                assert!(told.contains(complaint(bad)), "{bad:?}: {told}");
            }
        }
        let cached = CachedArtifacts::new(cache, Arc::new(ObjectArtifacts::memory()));
        let name = cached.put(Bytes::from_static(b"artifact")).await.expect("stores");
        assert_eq!(cached.get(&name).await.expect("never an error"), "artifact");
    }
}
