//! What a look takes over from a registry that is not what the forecaster knew: another one, or one that cannot
//! be followed all the way.

use std::{path::Path, sync::Arc};

use artifacts::ObjectArtifacts;
use forecasting::spec::ModelSpec;
use protocol::messages::ModelPromoted;
use workers::{
    environment::{Environment, Parts},
    roles::{
        Role,
        forecaster::{InRegistry, Keeper, ServingModels, local_copy::LocalCopy},
    },
};

use crate::stack::{Stack, promoted};

const TRAINING: [Role; 2] = [Role::Trainer, Role::Gatekeeper];

/// A system after so many promotions; with what the last one announced.
async fn promotions(count: usize) -> (Stack, ModelSpec, Option<ModelPromoted>) {
    let (stack, model) = Stack::with_bikes(&TRAINING).await;
    let mut last = None;
    for learner in ["few-trees", "small-trees"].into_iter().take(count) {
        last = Some(promoted(stack.train(&model, learner).await));
    }
    (stack, model, last)
}

/// A forecaster with its local copy in `folder`, restored.
async fn restored(environment: &Environment, folder: &Path) -> Keeper {
    let local = LocalCopy::open(folder, 1 << 30).expect("usable").expect("nobody's");
    let mut keeper = Keeper::new(environment, Some(local));
    keeper.restore().await;
    keeper
}

fn generation(serving: &ServingModels, model: &ModelSpec) -> u64 {
    serving.current(&model.name).expect("is known").generation()
}

#[tokio::test]
async fn a_registry_that_was_made_anew_replaces_what_the_local_copy_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (before, model, _) = promotions(2).await;
    restored(&before.environment, folder.path()).await.look().await;
    for promotions_anew in [1, 0] {
        let (anew, ..) = promotions(promotions_anew).await;
        let copied = tempfile::tempdir().expect("a folder");
        copy(folder.path(), copied.path());
        let mut keeper = restored(&anew.environment, copied.path()).await;
        let up_to_date = keeper.up_to_date();
        assert_eq!(generation(&up_to_date.serving, &model), 2, "of the local copy");
        keeper.look().await;
        assert_eq!(generation(&up_to_date.serving, &model), promotions_anew as u64);
        anew.finish().await;
    }
    before.finish().await;
}

#[tokio::test]
async fn what_is_heard_while_the_registry_is_read_is_newer_and_what_was_heard_before_is_not() {
    let (stack, model, last) = promotions(2).await;
    let environment = &stack.environment;
    let mut keeper = Keeper::new(environment, None);
    keeper.look().await;
    let up_to_date = keeper.up_to_date();
    let serving = &up_to_date.serving;
    let (before, found) = (serving.by_name(), InRegistry::read(&*environment.registry).await.expect("reads"));
    let newer = ModelPromoted { generation: 3, ..last.expect("was promoted") };
    serving.hear(&newer, &environment.models).await;
    serving.follow(&found, &before, &environment.models).await;
    assert_eq!(generation(serving, &model), 3);
    // A registry that still does not know of it was restored from a backup.
    serving.follow(&found, &serving.by_name(), &environment.models).await;
    assert_eq!(generation(serving, &model), 2);
    stack.finish().await;
}

#[tokio::test]
async fn answers_are_stale_while_the_incumbent_cannot_be_loaded() {
    let (stack, model, _) = promotions(1).await;
    let stacked = &stack.environment;
    let parts = Parts {
        broker: stacked.broker.clone(),
        registry: stacked.registry.clone(),
        history: stacked.history.clone(),
        artifacts: Arc::new(ObjectArtifacts::memory()), // it has lost everything
    };
    let environment = Environment::of(stacked.config.clone(), stacked.clock.clone(), parts);
    let mut keeper = Keeper::new(&environment, None);
    keeper.look().await;
    let up_to_date = keeper.up_to_date();
    assert_eq!(generation(&up_to_date.serving, &model), 0, "the fallback answers");
    assert!(up_to_date.looks.is_servable());
    assert!(up_to_date.looks.stale_since().is_some());
    stack.finish().await;
}

/// Copies a folder with what is in it.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("reads") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("reads");
        let to = to.join(name);
        if path.is_dir() {
            std::fs::create_dir_all(&to).expect("the disk has room");
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).expect("the disk has room");
        }
    }
}
