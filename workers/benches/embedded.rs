//! The embedded mode at its two limits: bringing a history in, and answering through the queue.
//!
//!     cargo bench -p workers --bench embedded
//!
//! Both run on the SQLite parts in a fresh folder, in one process, on the pedestrians of Auckland.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use clock::SystemClock;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use forecasting::spec::{DatasetSpec, ModelSpec};
use protocol::{
    Queue, decode,
    messages::{ForecastReply, ForecastRequest, Route, TrainJob, TrainReason},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use workers::{
    asker::ask,
    config::Config,
    environment::Environment,
    import::{self, ImportOptions},
    roles::{self, Role},
};

const PATIENCE: Duration = Duration::from_mins(5);

/// Reading and recording 667,581 rows into an empty history.
fn importing(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    criterion.bench_function("import 667,581 rows of 21 series", |bencher| {
        bencher.iter_batched(
            || runtime.block_on(empty()),
            |(folder, environment)| {
                runtime.block_on(bring_pedestrians(&environment));
                (folder, environment) // dropped outside the measurement
            },
            BatchSize::PerIteration,
        );
    });
}

/// 24 steps for 21 series: request onto the queue, forecaster, reply from the queue.
fn answering(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let stop = CancellationToken::new();
    let (_folder, environment, model, running) = runtime.block_on(async {
        let (folder, environment) = empty().await;
        let model = bring_pedestrians(&environment).await;
        let (roles, stop) = (environment.clone(), stop.clone());
        let running = tokio::spawn(async move { roles::run(&roles, &Role::ALL, stop).await });
        promote(&environment, &model).await;
        while answer(&environment, &model).await != Route::Primary {}
        (folder, environment, model, running)
    });
    criterion.bench_function("24 steps for 21 series through the queue", |bencher| {
        bencher.iter(|| runtime.block_on(answer(&environment, &model)));
    });
    stop.cancel();
    runtime.block_on(running).expect("no panic").expect("the roles end well");
}

async fn empty() -> (TempDir, Arc<Environment>) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { data_folder: folder.path().to_owned(), ..Config::default() };
    let environment = Environment::own(config, "bench", Arc::new(SystemClock)).await.expect("a fresh folder");
    (folder, Arc::new(environment))
}

async fn bring_pedestrians(environment: &Environment) -> ModelSpec {
    let dataset: DatasetSpec = specification("datasets");
    let model: ModelSpec = specification("models");
    let now = environment.clock.now();
    environment.registry.apply_dataset(&dataset, now).await.expect("applies");
    environment.registry.apply_model(&model, now).await.expect("applies");
    let file = File::open(examples().join("data/auckland-pedestrians.csv.gz")).expect("the example data");
    let imported = import::read(file, &ImportOptions::default(), &dataset, now).expect("reads");
    let history = &environment.history;
    let recorded = history.record(&dataset.name, &dataset.grid(), &imported.observations, now).await;
    assert_eq!(recorded.expect("records").new, 667_581);
    model
}

async fn promote(environment: &Environment, model: &ModelSpec) {
    let job = TrainJob {
        model: model.name.to_string(),
        spec_hash: None,
        as_of: environment.clock.now(),
        cut_off: None,
        learners: vec![model.learners[0].name.to_string()],
        reason: TrainReason::Requested,
        shift: None,
    };
    let mut asked = ask(&*environment.broker, Queue::TrainJobs, &job).await.expect("published");
    let reply = asked.reply(PATIENCE).await.expect("a decision");
    assert_eq!(reply.properties.kind, "model-promoted.v1");
}

async fn answer(environment: &Environment, model: &ModelSpec) -> Route {
    let request = ForecastRequest {
        model: model.name.to_string(),
        series: Vec::new(),
        horizon: None,
        origin: None,
        levels: Vec::new(),
        history: Vec::new(),
    };
    let mut asked = ask(&*environment.broker, Queue::ForecastRequests, &request).await.expect("published");
    let reply = asked.reply(PATIENCE).await.expect("a reply");
    match decode(&reply).expect("a forecast reply") {
        ForecastReply::Answered { forecasts, .. } => {
            assert_eq!(forecasts.len(), 21);
            forecasts[0].route
        }
        ForecastReply::Refused { message, .. } => panic!("{message}"),
    }
}

fn specification<T: serde::de::DeserializeOwned>(kind: &str) -> T {
    let file = examples().join(kind).join("auckland-pedestrians.toml");
    toml::from_str(&std::fs::read_to_string(file).expect("reads")).expect("a specification")
}

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))
}

criterion_group! {
    name = embedded;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(20));
    targets = importing, answering
}
criterion_main!(embedded);
