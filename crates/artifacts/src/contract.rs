//! What every [`ArtifactStore`] promises, as tests that any adapter runs: see
//! [`artifact_store_contract!`](crate::artifact_store_contract).

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use std::sync::Arc;

use bytes::Bytes;
use forecasting::artifact::ArtifactName;

use crate::{ArtifactStore, ArtifactStoreError, MOST_BYTES};

/// Makes a test of every promise. `$open` is a function that returns an empty store, as
/// `Arc<dyn ArtifactStore>`, and something to keep until the test ends (its folder, its bucket).
#[macro_export]
macro_rules! artifact_store_contract {
    ($open:path) => {
        $crate::artifact_store_contract!($open:
            what_was_put_is_got_by_its_name
            the_same_bytes_may_be_put_again_and_at_once
            an_unknown_name_is_missing
            an_artifact_at_the_limit_is_stored_and_one_past_it_is_not
        );
    };
    ($open:path: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (store, _keep) = $open();
                $crate::contract::$promise(store).await;
            }
        )*
    };
}

pub async fn what_was_put_is_got_by_its_name(store: Arc<dyn ArtifactStore>) {
    for bytes in [&b"one"[..], b"two", b"", &vec![0; 100_000]] {
        let bytes = Bytes::copy_from_slice(bytes);
        let name = store.put(bytes.clone()).await.expect("can be stored");
        assert_eq!(name, ArtifactName::of(&bytes));
        assert_eq!(store.get(&name).await.expect("was stored"), bytes);
    }
}

pub async fn the_same_bytes_may_be_put_again_and_at_once(store: Arc<dyn ArtifactStore>) {
    let bytes = Bytes::from(vec![7; 50_000]);
    let putting: Vec<_> = (0..8)
        .map(|_| {
            let (store, bytes) = (store.clone(), bytes.clone());
            tokio::spawn(async move {
                let name = store.put(bytes).await.expect("can be stored");
                store.get(&name).await.expect("was stored")
            })
        })
        .collect();
    for task in putting {
        assert_eq!(task.await.expect("does not panic"), bytes);
    }
}

pub async fn an_unknown_name_is_missing(store: Arc<dyn ArtifactStore>) {
    store.put(Bytes::from_static(b"another")).await.expect("can be stored");
    let unknown = ArtifactName::of(b"never stored");
    let got = store.get(&unknown).await;
    assert!(matches!(got, Err(ArtifactStoreError::Missing { name }) if name == unknown), "{got:?}");
}

pub async fn an_artifact_at_the_limit_is_stored_and_one_past_it_is_not(store: Arc<dyn ArtifactStore>) {
    let most = usize::try_from(MOST_BYTES).expect("fits in memory");
    let past = Bytes::from(vec![1; most + 1]);
    let refused = store.put(past.clone()).await;
    assert!(matches!(refused, Err(ArtifactStoreError::TooLarge { .. })), "{refused:?}");
    let name = store.put(past.slice(..most)).await.expect("can be stored");
    assert_eq!(store.get(&name).await.expect("was stored").len(), most);
}
