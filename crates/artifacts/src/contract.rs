//! What every [`ArtifactStore`] promises, as tests that any adapter runs: see
//! [`artifact_store_contract!`](crate::artifact_store_contract).

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use forecasting::artifact::ArtifactName;
use jiff::Timestamp;

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
            what_was_deleted_is_gone_and_may_be_stored_again
            everything_is_listed_once_with_size_and_time
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

pub async fn what_was_deleted_is_gone_and_may_be_stored_again(store: Arc<dyn ArtifactStore>) {
    let kept = store.put(Bytes::from_static(b"kept")).await.expect("can be stored");
    for _again in 0..2 {
        let name = store.put(Bytes::from_static(b"goes")).await.expect("can be stored");
        assert_eq!(store.get(&name).await.expect("is there"), "goes");
        for _twice in 0..2 {
            store.delete(&name).await.expect("is gone, or was");
        }
        let got = store.get(&name).await;
        assert!(matches!(got, Err(ArtifactStoreError::Missing { .. })), "{got:?}");
    }
    assert_eq!(store.get(&kept).await.expect("was not touched"), "kept");
}

pub async fn everything_is_listed_once_with_size_and_time(store: Arc<dyn ArtifactStore>) {
    store.put(Bytes::new()).await.expect("can be stored");
    let (empty, earlier) = first(&*store).await;
    let mut stored = BTreeMap::from([(empty, 0)]);
    for length in 1..300 {
        let bytes = Bytes::from(vec![b'x'; length]);
        stored.insert(store.put(bytes).await.expect("can be stored"), length as u64);
    }
    store.delete(&empty).await.expect("is there");
    stored.remove(&empty);
    let mut found = BTreeMap::new();
    for first_byte in 0..=u8::MAX {
        for listed in store.list(first_byte).await.expect("can be listed") {
            assert!(listed.name.to_string().starts_with(&format!("{first_byte:02x}")));
            assert!(listed.stored_at >= earlier, "{listed:?} before {earlier}");
            assert_eq!(found.insert(listed.name, listed.size_bytes), None);
        }
    }
    assert_eq!(found, stored);
    // Stored again it is as young as a new one: nobody takes it for one that was left behind.
    let (name, before) = first(&*store).await;
    loop {
        store.put(store.get(&name).await.expect("is there")).await.expect("can be stored");
        if first(&*store).await.1 > before {
            break; // coarse clocks take a moment
        }
    }
}

async fn first(store: &dyn ArtifactStore) -> (ArtifactName, Timestamp) {
    for first_byte in 0..=u8::MAX {
        let listed = store.list(first_byte).await.expect("can be listed");
        if let Some(listed) = listed.iter().min_by_key(|listed| listed.name) {
            return (listed.name, listed.stored_at);
        }
    }
    panic!("the store is empty");
}
