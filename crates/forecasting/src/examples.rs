//! A small model, its history, its artifacts and their contests, for the tests of gate and routing.

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::{
    artifact::Bundle,
    gate::{Contest, Given, Judgement, Look, RecordedJob, Side, Terms, judge},
    learning::StopFlag,
    models::{BoostedTrees, Forest, Model, SeasonalNaive, WeeklyMean},
    names::{LearnerName, SeriesId},
    preprocessing::FeatureSpec,
    series::{Covariates, Frame, Grid, Series},
    spec::{DatasetSpec, GatePolicy, ModelSpec},
};

/// A first look at losses of days that do not overlap, without slices.
pub(crate) fn first_look(policy: &GatePolicy) -> Terms<'_> {
    Terms {
        policy,
        overlap: 1,
        block_origins: 7,
        declared: &[],
        searched: &[],
        seed: 1,
        opponent: Side::Incumbent,
        look: Look::FIRST,
    }
}

pub(crate) fn dataset() -> DatasetSpec {
    let toml = "name = 'footfall'\nfrequency = 'PT1H'\ntime_zone = 'Europe/Berlin'";
    toml::from_str(toml).expect("is a dataset")
}

/// A day ahead.
pub(crate) fn model() -> ModelSpec {
    let toml =
        "name = 'visitors'\ndataset = 'footfall'\nhorizon = 24\nlearners = [{ learner = 'weekly-mean' }]";
    toml::from_str(toml).expect("is a model")
}

/// The same, judged by a policy of these lines.
pub(crate) fn model_with(policy: &str) -> ModelSpec {
    ModelSpec { gate: toml::from_str(policy).expect("is a policy"), ..model() }
}

pub(crate) fn grid() -> Grid {
    dataset().grid()
}

pub(crate) fn start() -> Timestamp {
    "2025-01-06T00:00:00+01:00".parse().expect("is a time")
}

pub(crate) fn id(text: &str) -> SeriesId {
    SeriesId::new(text).expect("is an id")
}

/// Three series of hours of the week with noise, over that many days.
pub(crate) fn history(days: i64) -> Frame {
    let grid = grid();
    let end = grid.start_of_day(start(), days);
    let steps = grid.steps_between(start(), end).expect("days begin on the grid");
    let mut noise = 1_u64;
    let series = ["arcade", "bridge", "court"].map(|name| {
        let values = (0..steps).map(|step| {
            // A linear congruential generator: any noise will do, as long as it is always the same.
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let local = grid.local(grid.advance(start(), step));
            let busy = if local.weekday().to_monday_zero_offset() < 5 { 100.0 } else { 60.0 };
            busy + 3.0 * f64::from(local.hour()) + (noise >> 40) as f64 / f64::from(1_u32 << 20)
        });
        Series { id: id(name), start: start(), values: values.collect() }
    });
    Frame::new(grid, series.to_vec()).expect("the ids differ")
}

/// A version that saw the first `days` days.
pub(crate) fn version(primary: Model, days: i64) -> Bundle {
    let (grid, model) = (grid(), model());
    let cut_off = grid.advance(grid.start_of_day(start(), days), -1);
    Bundle {
        spec_hash: model.hash(),
        model: model.name,
        dataset: model.dataset,
        data_hash: String::new(),
        seed: 7,
        code_version: "test".to_owned(),
        learner: LearnerName::new("test").expect("is a name"),
        horizon_steps: model.horizon_steps,
        cut_off,
        as_of: cut_off,
        primary,
        fallback: WeeklyMean::new(4, &grid),
        intervals: None,
        grid,
    }
}

pub(crate) fn seasonal_naive() -> Model {
    Model::SeasonalNaive(SeasonalNaive::new(&grid()))
}

/// A mean over a year of weeks.
pub(crate) fn long_mean() -> Model {
    Model::WeeklyMean(WeeklyMean::new(52, &grid()))
}

/// Forecasts the recent level of a series times `ratio`; with an enormous ratio, no number.
pub(crate) fn level_times(ratio: f64) -> Model {
    let features = FeatureSpec::for_grid(&grid(), Vec::new(), 0, false);
    let forest = Forest::new(ratio, &[], features.width()).expect("has no trees");
    let forests = vec![forest];
    Model::BoostedTrees(BoostedTrees { features, forests, non_negative: true })
}

/// The job of an honest trainer.
pub(crate) fn recorded(candidate: &Bundle) -> RecordedJob<'_> {
    let Bundle { spec_hash, as_of, cut_off, .. } = candidate;
    RecordedJob { spec_hash, as_of: *as_of, cut_off: *cut_off, shift: None }
}

/// A first look at what an honest trainer made. A test says what is different in its contest.
pub(crate) fn contest<'a>(
    candidate: &'a Bundle,
    incumbent: Option<&'a Bundle>,
    frame: &'a Frame,
) -> Contest<'a> {
    static MODEL: LazyLock<ModelSpec> = LazyLock::new(model);
    static DATASET: LazyLock<DatasetSpec> = LazyLock::new(dataset);
    static STOP: LazyLock<StopFlag> = LazyLock::new(StopFlag::default);
    Contest {
        model: &MODEL,
        dataset: &DATASET,
        candidate,
        job: recorded(candidate),
        incumbent,
        frame,
        covariates: Covariates::none(),
        given: Given::nothing(),
        stop: &STOP,
    }
}

pub(crate) fn judgement_of(contest: &Contest<'_>) -> Judgement {
    judge(contest).expect("nobody stops it").judgement
}
