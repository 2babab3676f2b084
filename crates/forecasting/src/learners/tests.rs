//! What holds for every learner of the catalogue, whichever it is.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    artifact::Bundle,
    evaluation::Backtest,
    examples::{history, id, model, version},
    learning::{StopFlag, TrainingRequest, fit_alone},
    models::{Covered, Predict, PredictError},
    series::{Covariates, Frame, Grid, Series},
    spec::{DatasetSpec, LearnerSpec},
};

/// Those with features; the others look at values alone.
pub(super) const USERS: [&str; 3] = ["boosted-trees", "elastic-net", "blend"];

/// One with its defaults, but small enough to be fitted often.
pub(super) fn small(name: &str, trees: u32) -> LearnerSpec {
    let has_trees = matches!(name, "boosted-trees" | "blend");
    let settings = if has_trees { format!("trees = {trees}\nleaves = 15") } else { String::new() };
    toml::from_str(&format!("learner = '{name}'\n{settings}")).expect("is a learner")
}

fn every_learner() -> Vec<LearnerSpec> {
    Algorithm::NAMES.iter().map(|name| small(name, 20)).collect()
}

/// Fitted on what a backtest leaves to learn from.
pub(super) fn fitted(backtest: &Backtest, dataset: &DatasetSpec, learner: &LearnerSpec) -> Bundle {
    let (model, stop) = (model(), StopFlag::default());
    let request = TrainingRequest {
        dataset,
        model: &model,
        spec_hash: "hash",
        frame: &backtest.past,
        covariates: backtest.covariates(),
        as_of: backtest.cut_off,
        cut_off: backtest.cut_off,
        learners: &[],
        stop: &stop,
    };
    fit_alone(&request, learner).expect("has history")
}

/// What a version forecasts in a backtest, row by row.
pub(super) fn forecasts(backtest: &Backtest, bundle: &Bundle) -> Vec<f64> {
    let answers = backtest.forecast(&backtest.rows(), bundle, &StopFlag::default(), || ());
    let (forecasts, fallbacks) = answers.expect("nobody stops it");
    assert_eq!((forecasts.faults.len(), fallbacks), (0, 0), "{}", bundle.learner);
    forecasts.values
}

pub(super) fn mean_error(backtest: &Backtest, bundle: &Bundle) -> f64 {
    let (rows, forecasts) = (backtest.rows(), forecasts(backtest, bundle));
    let errors = rows.rows().iter().zip(&forecasts).map(|(row, value)| (row.actual - value).abs());
    errors.sum::<f64>() / forecasts.len() as f64
}

fn fit(learner: &LearnerSpec, frame: &Frame) -> Result<Model, FitError> {
    let stop = StopFlag::default();
    let covariates = Covariates::none();
    learner.algorithm.fit(&Material {
        frame,
        covariates,
        holidays: None,
        horizon_steps: 24,
        delay_steps: 0,
        seed: 7,
        stop: &stop,
    })
}

fn days(frame: &Frame, days: i64) -> Timestamp {
    frame.grid.start_of_day(frame.series[0].start, days)
}

#[test]
fn every_learner_has_its_place_in_the_artifact() {
    let frame = history(70);
    for learner in every_learner() {
        let model = fit(&learner, &frame).expect("has history");
        let bundle = version(model, 70);
        assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle), "{}", learner.name);
    }
}

#[test]
fn of_all_learners_those_are_fitted_anew_at_each_origin_that_decompose() {
    let frame = history(70);
    let fits_at_origin = |learner: &LearnerSpec| fit(learner, &frame).expect("has history").fits_at_origin();
    let named: Vec<String> =
        every_learner().into_iter().filter(fits_at_origin).map(|learner| learner.name.to_string()).collect();
    assert_eq!(named, ["mstl"]);
}

#[test]
fn the_same_history_gives_every_learner_the_same_bytes() {
    let frame = history(70);
    for learner in every_learner() {
        let bytes = || version(fit(&learner, &frame).expect("has history"), 70).encode();
        assert!(bytes() == bytes(), "{}", learner.name);
    }
}

#[test]
fn what_comes_after_the_origin_changes_no_forecast() {
    let frame = history(70);
    let origin = days(&frame, 65);
    let mut scrambled = frame.clone();
    for series in &mut scrambled.series {
        let from = series.index_of(&frame.grid, origin);
        series.values[from..].iter_mut().rev().enumerate().for_each(|(at, value)| *value = -1e6 * at as f64);
    }
    for learner in every_learner() {
        let model = fit(&learner, &frame.window(Timestamp::MIN, origin)).expect("has history");
        let forecast =
            |frame: &Frame| model.predict(Covered::alone(&frame.series[1]), &frame.grid, origin, 24);
        assert_eq!(forecast(&frame), forecast(&scrambled), "{}", learner.name);
        assert!(forecast(&frame).is_ok(), "{}", learner.name);
    }
}

#[test]
fn a_history_twice_as_large_has_forecasts_twice_as_large() {
    let frame = history(70);
    let mut larger = frame.clone();
    for value in larger.series.iter_mut().flat_map(|series| &mut series.values) {
        *value *= 64.0;
    }
    let origin = days(&frame, 70);
    for learner in every_learner() {
        let forecast = |frame: &Frame| {
            let model = fit(&learner, frame).expect("has history");
            model.predict(Covered::alone(&frame.series[1]), &frame.grid, origin, 24).expect("has history")
        };
        for (one, other) in forecast(&frame).iter().zip(forecast(&larger)) {
            assert!((64.0 * one - other).abs() <= 1e-3 * other.abs(), "{}: {one} and {other}", learner.name);
        }
    }
}

#[test]
fn a_model_looks_no_further_back_than_it_says() {
    let frame = history(150);
    let origin = days(&frame, 150);
    for learner in every_learner() {
        let model = fit(&learner, &frame).expect("has history");
        let series = &frame.series[0];
        let liked = i64::try_from(model.requirement().liked_steps).expect("is small");
        let newest = series.window(&frame.grid, frame.grid.advance(origin, -liked), origin);
        let forecast = |series: &Series| model.predict(Covered::alone(series), &frame.grid, origin, 24);
        assert_eq!(forecast(series), forecast(&newest), "{}", learner.name);
    }
}

#[test]
fn too_short_a_history_is_refused_with_the_needed_length() {
    let frame = history(5);
    for (name, needs) in [
        ("elastic-net", "training rows, at least 500 are needed"),
        ("boosted-trees", "training rows, at least 500 are needed"),
        ("blend", "training rows, at least 500 are needed"),
        ("mstl", "the longest series has 120 steps, at least 504 are needed"),
        ("croston", "the longest series has 120 steps, at least 168 are needed"),
        ("tsb", "the longest series has 120 steps, at least 168 are needed"),
    ] {
        let problem = fit(&LearnerSpec::with_defaults(name), &frame).expect_err(name).to_string();
        assert!(problem.contains(needs), "{name}: {problem}");
    }
}

#[test]
fn a_short_series_is_left_to_the_fallback_with_the_needed_length() {
    let frame = history(70);
    let short = frame.series[0].window(&frame.grid, days(&frame, 69), days(&frame, 70));
    for learner in every_learner() {
        let model = fit(&learner, &frame).expect("has history");
        let needed_steps = model.requirement().required_steps;
        let forecast = model.predict(Covered::alone(&short), &frame.grid, days(&frame, 70), 24);
        let has_steps = 24;
        let too_short = PredictError::HistoryTooShort { needed_steps, has_steps };
        assert_eq!(
            forecast,
            if needed_steps > 24 { Err(too_short) } else { forecast.clone() },
            "{}",
            learner.name
        );
        assert!(needed_steps > 24 || forecast.is_ok(), "{}", learner.name);
    }
}

#[test]
fn steps_of_a_week_have_no_season_to_take_out() {
    let grid = Grid::new("P7D".parse().expect("is a frequency"), "UTC").expect("UTC is known");
    let start = "2020-01-06T00:00:00Z".parse().expect("is a time");
    let frame = Frame::new(grid, vec![Series { id: id("a"), start, values: vec![3.0; 300] }]).expect("one");
    let problem = fit(&LearnerSpec::with_defaults("mstl"), &frame).expect_err("has no season").to_string();
    assert_eq!(problem, "steps of P7D have no season within a week");
}

/// Demand as it comes: gaps, zeros, constants, spikes, and values at both ends of what is allowed.
fn any_values() -> impl Strategy<Value = Vec<f64>> {
    let ordinary = prop_oneof![
        6 => 0.0_f64..1e3,
        2 => Just(0.0),
        1 => Just(f64::NAN),
        1 => prop::sample::select(vec![1e15, -1e15, 1e-300, -3.0]),
    ];
    prop_oneof![
        6 => prop::collection::vec(ordinary, 800..1400),
        1 => Just(vec![0.0; 1000]),
        1 => Just(vec![7.0; 1000]),
        1 => (0_usize..1000).prop_map(|at| { let mut spike = vec![0.0; 1000]; spike[at] = 1e9; spike }),
    ]
}

/// Bytes of a model as hostile or broken writers would send them: what passes the checks must forecast
/// without a panic.
#[test]
fn whatever_is_read_as_a_model_and_passes_its_checks_does_not_panic() {
    let frame = history(70);
    let series = &frame.series[0];
    for learner in every_learner() {
        let model = fit(&learner, &frame).expect("has history");
        let bytes = postcard::to_stdvec(&model).expect("is a model");
        // The settings stand at either end, the trees between; every byte in turn, few values each.
        let ends = (0..bytes.len()).filter(|&at| at < 1500 || at + 300 > bytes.len());
        for (at, byte) in ends.flat_map(|at| [0, 1, 0x7f, 0x80, 0xff].map(|byte| (at, byte))) {
            let mut changed = bytes.clone();
            changed[at] = byte;
            let Ok(read) = postcard::from_bytes::<Model>(&changed) else { continue };
            if read.validate().is_ok() {
                let _ = read.predict(Covered::alone(series), &frame.grid, series.end(&frame.grid), 3);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_the_history_every_forecast_is_a_number(values in any_values(), days in any::<bool>()) {
        let frequency = if days { "P1D" } else { "PT1H" };
        let grid = Grid::new(frequency.parse().expect("is a frequency"), "Europe/Berlin").expect("is a zone");
        let start = grid.start_of_day("2020-01-06T12:00:00Z".parse().expect("is a time"), 0);
        let frame = Frame::new(grid, vec![Series { id: id("a"), start, values }]).expect("one series");
        for learner in every_learner() {
            let Ok(model) = fit(&learner, &frame) else { continue };
            prop_assert_eq!(model.validate(), Ok(()), "{}", learner.name);
            let series = &frame.series[0];
            for origin in [series.end(&frame.grid), series.timestamp(&frame.grid, series.values.len() / 2)] {
                if let Ok(forecast) = model.predict(Covered::alone(series), &frame.grid, origin, 30) {
                    prop_assert_eq!(forecast.len(), 30);
                    prop_assert!(forecast.iter().all(|value| value.is_finite()), "{}", learner.name);
                }
            }
        }
    }
}
