//! Specifications: applied, changed, listed.

#![expect(missing_docs, reason = "the name of a promise is its sentence")]

use super::samples::{Opened, bikes, demand, minute, model};
use crate::{Applied, RegistryError};

pub async fn a_specification_applied_again_changes_nothing(registry: Opened, other: Opened) {
    let first = Applied { version: 1, changed: true };
    let again = Applied { version: 1, changed: false };
    assert_eq!(registry.apply_dataset(&bikes("PT1H"), minute(0)).await.expect("is new"), first);
    assert_eq!(other.apply_dataset(&bikes("PT1H"), minute(1)).await.expect("is known"), again);
    assert_eq!(registry.apply_model(&demand("bike-demand", 24), minute(2)).await.expect("is new"), first);
    assert_eq!(other.apply_model(&demand("bike-demand", 24), minute(3)).await.expect("is known"), again);
    let stored = other.model(&model("bike-demand")).await.expect("can be read").expect("was applied");
    assert_eq!(stored.spec, demand("bike-demand", 24));
    assert_eq!((stored.version, stored.applied_at), (1, minute(2)));
    assert_eq!(stored.hash, demand("bike-demand", 24).hash());
}

pub async fn a_changed_specification_is_a_new_version_and_an_old_one_may_come_back(r: Opened, _: Opened) {
    r.apply_dataset(&bikes("PT1H"), minute(0)).await.expect("is new");
    for (horizon, at) in [(24, 0), (48, 1), (24, 2)] {
        r.apply_model(&demand("bike-demand", horizon), minute(at)).await.expect("is another");
    }
    let name = model("bike-demand");
    let current = r.model(&name).await.expect("can be read").expect("was applied");
    assert_eq!((current.version, current.spec.horizon_steps), (3, 24));
    let hash = demand("bike-demand", 48).hash();
    let before = r.model_by_hash(&name, &hash).await.expect("can be read").expect("was applied");
    assert_eq!((before.version, before.spec.horizon_steps), (2, 48));
    let again = r.model_by_hash(&name, &current.hash).await.expect("can be read");
    assert_eq!(again, Some(current), "the latest of its hash");
    assert_eq!(r.model_by_hash(&name, "5bec").await.expect("can be read"), None);
    assert_eq!(r.model_by_hash(&model("other"), &hash).await.expect("can be read"), None);
    let changed = r.apply_dataset(&bikes("PT30M"), minute(3)).await.expect("is another");
    assert_eq!(changed, Applied { version: 2, changed: true });
    let name = bikes("PT1H").name;
    let dataset = r.dataset(&name).await.expect("can be read").expect("was applied");
    assert_eq!(dataset.spec, bikes("PT30M"));
    let hash = bikes("PT1H").hash();
    let before = r.dataset_by_hash(&name, &hash).await.expect("can be read").expect("was applied");
    assert_eq!((before.version, before.spec, before.hash), (1, bikes("PT1H"), hash));
    let again = r.dataset_by_hash(&name, &dataset.hash).await.expect("can be read");
    assert_eq!(again, Some(dataset));
    assert_eq!(r.dataset_by_hash(&name, "5bec").await.expect("can be read"), None);
}

pub async fn a_model_needs_its_dataset(registry: Opened, _: Opened) {
    let refused = registry.apply_model(&demand("bike-demand", 24), minute(0)).await;
    assert!(matches!(refused, Err(RegistryError::UnknownDataset(_))), "{refused:?}");
    assert_eq!(registry.model(&model("bike-demand")).await.expect("can be read"), None);
}

pub async fn the_current_specifications_are_listed_by_name(registry: Opened, _: Opened) {
    assert!(registry.datasets().await.expect("can be read").is_empty());
    assert!(registry.models().await.expect("can be read").is_empty());
    for frequency in ["PT1H", "PT30M"] {
        registry.apply_dataset(&bikes(frequency), minute(0)).await.expect("is new");
    }
    for (name, horizon) in [("zoo", 1), ("ant", 2), ("zoo", 3)] {
        registry.apply_model(&demand(name, horizon), minute(0)).await.expect("is new");
    }
    let models = registry.models().await.expect("can be read").into_iter().map(|stored| stored.spec);
    assert_eq!(models.collect::<Vec<_>>(), [demand("ant", 2), demand("zoo", 3)]);
    let datasets = registry.datasets().await.expect("can be read").into_iter().map(|stored| stored.spec);
    assert_eq!(datasets.collect::<Vec<_>>(), [bikes("PT30M")]);
}
