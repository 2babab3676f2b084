//! How long a forecaster computes: 24 steps for each of 21 hourly series, from a bundle and a history that
//! are in memory.
//!
//!     cargo bench -p forecasting

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use forecasting::{
    learning::{StopFlag, TrainingRequest, train},
    names::SeriesId,
    routing::{Live, Question, Serving, answer},
    series::{Covariates, Frame, Series},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;

const SERIES: u32 = 21;
const HOURS: u32 = 24 * 120;

fn forecasts(criterion: &mut Criterion) {
    let (serving, frame) = scene();
    let question = Question { series: Vec::new(), horizon_steps: 24, origin: None, levels: Vec::new() };
    criterion.bench_function("24 steps of 21 series", |bench| {
        bench.iter(|| answer(black_box(&serving), black_box(&question), black_box(&frame)));
    });
    let one = Question { series: vec![frame.series[0].id.clone()], ..question };
    criterion.bench_function("24 steps of 1 series", |bench| {
        bench.iter(|| answer(black_box(&serving), black_box(&one), black_box(&frame)));
    });
    let live = serving.incumbent.as_ref().expect("was just trained");
    let bytes = live.bundle.encode();
    criterion.bench_function("decoding the bundle", |bench| {
        bench.iter(|| forecasting::artifact::Bundle::decode(black_box(&bytes)));
    });
}

/// The trees of the default settings: 300 with 63 leaves each.
fn scene() -> (Serving, Frame) {
    let dataset: DatasetSpec =
        toml::from_str("name = 'visitors'\nfrequency = 'PT1H'\ntime_zone = 'Pacific/Auckland'")
            .expect("is a dataset");
    let model: ModelSpec = toml::from_str(
        "name = 'visitors'\ndataset = 'visitors'\nhorizon = 24\nlearners = [{ learner = 'boosted-trees' }]",
    )
    .expect("is a model");
    let frame = Frame::new(dataset.grid(), (0..SERIES).map(series).collect()).expect("the ids differ");
    let cut_off = frame.last_target().expect("has values");
    let request = TrainingRequest {
        dataset: &dataset,
        model: &model,
        spec_hash: "",
        frame: &frame,
        covariates: Covariates::none(),
        as_of: cut_off,
        cut_off,
        learners: &model.learners,
        stop: &StopFlag::default(),
    };
    let bundle = Arc::new(train(&request).expect("is enough history").bundle);
    let artifact = forecasting::artifact::ArtifactName::of(b"an artifact");
    let incumbent = Some(Live { version: 1, generation: 1, since: cut_off, artifact, bundle });
    (Serving { model, dataset, incumbent }, frame)
}

/// A daily and a weekly wave with some roughness.
fn series(number: u32) -> Series {
    let wave = |hour: u32, period: f64| (f64::from(hour) * std::f64::consts::TAU / period).sin();
    let rough = |hour: u32| f64::from((hour * 7919 + number * 104_729) % 97) / 97.0;
    let values = (0..HOURS)
        .map(|hour| 100.0 + 40.0 * wave(hour, 24.0) + 20.0 * wave(hour, 168.0) + 30.0 * rough(hour));
    Series {
        id: SeriesId::new(format!("sensor-{number:02}")).expect("is an id"),
        start: "2025-05-01T00:00:00+12:00".parse::<Timestamp>().expect("is a time"),
        values: values.collect(),
    }
}

criterion_group!(benches, forecasts);
criterion_main!(benches);
