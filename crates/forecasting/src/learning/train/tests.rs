//! What a training sees, and that it gives the same bytes again.

use super::*;
use crate::{
    examples::{dataset, grid, history, id, model, start},
    models::{Covered, Predict, PredictError},
    series::Series,
};

const TREES: &str = "learner = 'boosted-trees'\ntrees = 30\nleaves = 15";

fn learners(texts: &[&str]) -> Vec<LearnerSpec> {
    texts.iter().map(|text| toml::from_str(text).expect("is a learner")).collect()
}

/// Trains on all of `frame` up to the end of day `days`.
fn train_on(frame: &Frame, days: i64, learners: &[LearnerSpec]) -> Result<Trained, TrainError> {
    train_with(&dataset(), &model(), frame, days, learners)
}

fn train_with(
    dataset: &DatasetSpec,
    model: &ModelSpec,
    frame: &Frame,
    days: i64,
    learners: &[LearnerSpec],
) -> Result<Trained, TrainError> {
    let cut_off = frame.grid.advance(frame.grid.start_of_day(start(), days), -1);
    train_up_to(dataset, model, frame, cut_off, learners)
}

fn train_up_to(
    dataset: &DatasetSpec,
    model: &ModelSpec,
    frame: &Frame,
    cut_off: Timestamp,
    learners: &[LearnerSpec],
) -> Result<Trained, TrainError> {
    train(&TrainingRequest {
        dataset,
        model,
        spec_hash: "hash",
        frame,
        covariates: Covariates::none(),
        as_of: cut_off,
        cut_off,
        learners,
        stop: &StopFlag::default(),
    })
}

fn bytes(frame: &Frame, days: i64) -> Vec<u8> {
    train_on(frame, days, &learners(&[TREES])).expect("is enough").bundle.encode()
}

#[test]
fn the_same_request_gives_the_same_bytes_on_every_thread() {
    let frame = history(60);
    let alone = bytes(&frame, 60);
    let together = std::thread::scope(|scope| {
        let threads = [0, 1].map(|_| scope.spawn(|| bytes(&frame, 60)));
        threads.map(|thread| thread.join().expect("does not panic"))
    });
    assert!(together.iter().all(|bytes| *bytes == alone));
}

#[test]
fn nothing_after_the_cut_off_is_learned() {
    let frame = history(60);
    let mut other = frame.clone();
    for series in &mut other.series {
        let cut = series.values.len() - 15 * 24;
        series.values[cut..].fill(1e6);
    }
    assert!(bytes(&frame, 45) == bytes(&other, 45));
    assert!(bytes(&frame, 46) != bytes(&other, 46), "the day after it matters");
}

#[test]
fn what_lies_before_the_memory_is_forgotten() {
    let frame = history(80);
    let mut other = frame.clone();
    for series in &mut other.series {
        series.values[..20 * 24].fill(1e6);
    }
    let mut model = model();
    model.train.memory_days = Some(59);
    let train = |frame| train_with(&dataset(), &model, frame, 80, &learners(&[TREES]));
    let (one, other) = (train(&frame).expect("is enough"), train(&other).expect("is enough"));
    assert_eq!(one.bundle.primary, other.bundle.primary);
    assert_eq!(one.bundle.data_hash, other.bundle.data_hash);
}

#[test]
fn trees_learn_what_the_fallback_cannot_and_take_a_series_that_they_never_saw() {
    let mut frame = history(90);
    // Every third week is half as busy: the newest days know, the mean of four weeks does not.
    for series in &mut frame.series {
        for (hour, value) in series.values.iter_mut().enumerate() {
            *value *= if hour / 168 % 3 == 0 { 0.5 } else { 1.0 };
        }
    }
    let bundle = train_on(&frame, 80, &learners(&[TREES])).expect("is enough").bundle;
    let unseen = Series { id: id("unseen"), ..frame.series[0].clone() };
    for series in [&frame.series[0], &unseen] {
        let error = |model: &dyn Predict| {
            let origins = (80..89).map(|days| frame.grid.start_of_day(start(), days));
            origins.map(|origin| error_of(model, series, origin)).sum::<f64>()
        };
        let (trees, fallback) = (error(&bundle.primary), error(&bundle.fallback));
        assert!(trees < 0.7 * fallback, "{}: {trees} against {fallback}", series.id);
    }
}

fn error_of(model: &dyn Predict, series: &Series, origin: Timestamp) -> f64 {
    let forecast = model.predict(Covered::alone(series), &grid(), origin, 24).expect("has history");
    let actual = &series.values[series.index_of(&grid(), origin)..];
    forecast.iter().zip(actual).map(|(one, other)| (one - other).abs()).sum()
}

#[test]
fn a_model_needs_only_the_history_that_it_likes() {
    let frame = history(90);
    let bundle = train_on(&frame, 70, &learners(&[TREES])).expect("is enough").bundle;
    let (series, origin) = (&frame.series[1], frame.grid.start_of_day(start(), 85));
    let whole = bundle.primary.predict(Covered::alone(series), &frame.grid, origin, 24);
    let liked_steps = i64::try_from(bundle.primary.requirement().liked_steps).expect("is small");
    let newest = series.window(&frame.grid, frame.grid.advance(origin, -liked_steps), origin);
    assert_eq!(bundle.primary.predict(Covered::alone(&newest), &frame.grid, origin, 24), whole);
    let day = series.window(&frame.grid, frame.grid.advance(origin, -24), origin);
    let too_short = PredictError::HistoryTooShort { needed_steps: 168, has_steps: 24 };
    assert_eq!(bundle.primary.predict(Covered::alone(&day), &frame.grid, origin, 24), Err(too_short));
}

#[test]
fn forecasts_fall_below_zero_only_where_values_do() {
    let frame = history(60);
    let mut negative = frame.clone();
    for value in negative.series.iter_mut().flat_map(|series| &mut series.values) {
        *value -= 140.0;
    }
    let lowest = |frame: &Frame| {
        let model = train_on(frame, 60, &learners(&[TREES])).expect("is enough").bundle.primary;
        let series = &frame.series[0];
        let forecast = model.predict(Covered::alone(series), &frame.grid, series.end(&frame.grid), 168);
        forecast.expect("has history").into_iter().fold(f64::INFINITY, f64::min)
    };
    assert!(lowest(&frame) >= 0.0);
    assert!(lowest(&negative) < -20.0);
}

#[test]
fn absurd_values_do_not_break_a_fit() {
    for absurd in [1e12, 1e300, f64::MAX, -f64::MAX, f64::MIN_POSITIVE] {
        for every in [1, 7, 400] {
            let mut frame = history(60);
            for value in frame.series[0].values.iter_mut().step_by(every) {
                *value = absurd;
            }
            for aim in ["mean", "median"] {
                let trees = learners(&[&format!("{TREES}\naim = '{aim}'\nl2 = 0")]);
                let bundle = train_on(&frame, 60, &trees).expect("is enough").bundle;
                assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle), "{absurd} {every} {aim}");
            }
        }
    }
}

#[test]
fn values_that_arrive_late_are_not_counted_on() {
    let late: DatasetSpec = toml::from_str(
        "name = 'footfall'\nfrequency = 'PT1H'\ntime_zone = 'Europe/Berlin'\navailability_delay = 'PT47H30M'",
    )
    .expect("is a dataset");
    let frame = history(60);
    let trained = train_with(&late, &model(), &frame, 60, &learners(&[TREES])).expect("is enough");
    let mut series = frame.series[0].clone();
    let origin = series.end(&frame.grid);
    let before = trained.bundle.primary.predict(Covered::alone(&series), &frame.grid, origin, 24);
    let known = series.values.len() - 48;
    series.values[known..].fill(1e6);
    assert_eq!(trained.bundle.primary.predict(Covered::alone(&series), &frame.grid, origin, 24), before);
}

#[test]
fn trees_fit_days_and_quarter_hours_too() {
    for (frequency, steps, horizon) in [("P1D", 800, 14), ("PT15M", 4000, 96), ("P7D", 900, 4)] {
        let dataset: DatasetSpec =
            toml::from_str(&format!("name = 'd'\nfrequency = '{frequency}'\ntime_zone = 'Europe/Berlin'"))
                .expect("is a dataset");
        let model: ModelSpec = toml::from_str(&format!(
            "name = 'm'\ndataset = 'd'\nhorizon = {horizon}\nlearners = [{{ learner = 'weekly-mean' }}]"
        ))
        .expect("is a model");
        let values = (0..steps).map(|step| f64::from(20 + step % 7 + step % 4)).collect();
        let series = Series { id: id("a"), start: start(), values };
        let end = series.end(&dataset.grid());
        let frame = Frame::new(dataset.grid(), vec![series]).expect("one series");
        let trained = train_up_to(&dataset, &model, &frame, end, &learners(&[TREES]));
        let bundle = trained.expect("is enough").bundle;
        let forecast = bundle.primary.predict(Covered::alone(&frame.series[0]), &frame.grid, end, horizon);
        let in_range = |value: &f64| (15.0..35.0).contains(value);
        assert!(forecast.expect("has history").iter().all(in_range), "{frequency}");
    }
}

#[test]
fn without_enough_history_there_is_no_candidate_and_a_reason() {
    let frame = history(60);
    let reason = |days, learners: &[LearnerSpec]| match train_on(&frame, days, learners) {
        Err(TrainError::NoCandidate { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let trees = learners(&[TREES]);
    assert_eq!(reason(0, &trees), "footfall has no value up to 2025-01-05T22:00:00Z");
    assert_eq!(reason(8, &trees), "boosted-trees: 87 training rows, at least 500 are needed");
    assert_eq!(reason(60, &[]), "no learner is named");
    assert!(train_on(&frame, 1, &learners(&["learner = 'weekly-mean'"])).is_ok(), "needs no history");
}

#[test]
fn a_training_that_is_asked_to_stop_stops() {
    let (dataset, model, frame, stop) = (dataset(), model(), history(60), StopFlag::default());
    stop.stop();
    for learners in [learners(&[TREES]), learners(&[TREES, "learner = 'weekly-mean'"])] {
        let cut_off = frame.last_target().expect("has values");
        let request = TrainingRequest {
            dataset: &dataset,
            model: &model,
            spec_hash: "hash",
            frame: &frame,
            covariates: Covariates::none(),
            as_of: cut_off,
            cut_off,
            learners: &learners,
            stop: &stop,
        };
        assert!(matches!(train(&request), Err(TrainError::Stopped(_))));
    }
}

#[test]
fn learners_compete_before_the_cut_off_and_the_best_is_fitted_on_all_of_it() {
    let frame = history(80);
    let several = learners(&[
        "learner = 'seasonal-naive'",
        "learner = 'weekly-mean'",
        "learner = 'weekly-mean'\nname = 'late'\nweeks = 1",
    ]);
    let trained = train_on(&frame, 80, &several).expect("is enough");
    let names: Vec<&str> =
        trained.competition.competed.iter().map(|competitor| competitor.learner.as_str()).collect();
    // Noise around a fixed week: the mean of four weeks wins, a tie keeps the order of the specification.
    assert_eq!(names, ["weekly-mean", "seasonal-naive", "late"]);
    assert!(trained.competition.competed.is_sorted_by(|one, next| one.average_error <= next.average_error));
    assert_eq!(
        (trained.competition.competed[0].rows, trained.competition.competed[0].series),
        (26 * 24 * 3, 3),
        "a third of the history"
    );
    assert_eq!(trained.bundle.learner.as_str(), "weekly-mean");
    let alone = train_on(&frame, 80, &several[1..2]).expect("is enough");
    assert_eq!(trained.bundle, alone.bundle);
    assert_eq!(alone.competition.competed, [], "one learner has nobody to compete with");
}

#[test]
fn what_a_version_was_off_before_the_cut_off_makes_its_intervals() {
    let frame = history(120);
    let alone = train_on(&frame, 100, &learners(&[TREES])).expect("is enough").bundle;
    let of_two = train_on(&frame, 100, &learners(&[TREES, "learner = 'seasonal-naive'"]));
    assert_eq!(alone.intervals, of_two.expect("is enough").bundle.intervals, "the trees win");
    let young = train_on(&frame, 2, &learners(&["learner = 'weekly-mean'"])).expect("needs no history");
    assert_eq!((alone.intervals.is_some(), young.bundle.intervals), (true, None));
    // Nothing after the cut-off: the same as where the history ends there.
    let shorter = frame.window(Timestamp::MIN, frame.grid.start_of_day(start(), 100));
    assert_eq!(train_on(&shorter, 100, &learners(&[TREES])).expect("is enough").bundle, alone);
}

#[test]
fn learners_compete_as_well_where_the_cut_off_is_no_step_of_the_data() {
    let (dataset, model, frame) = (dataset(), model(), history(60));
    let two = learners(&["learner = 'seasonal-naive'", "learner = 'weekly-mean'"]);
    let competed = |after_last_step| {
        let cut_off = frame.last_target().expect("has values") + after_last_step;
        let trained = train_up_to(&dataset, &model, &frame, cut_off, &two);
        trained.expect("is enough").competition.competed
    };
    let on_the_grid = competed(SignedDuration::ZERO);
    assert_eq!(on_the_grid.len(), 2);
    assert_eq!(competed(SignedDuration::from_mins(17)), on_the_grid);
}

/// A dataset of this frequency whose values arrive late, and a model of it.
fn late(frequency: &str, delay_hours: u32, horizon: u32) -> (DatasetSpec, ModelSpec) {
    let dataset = format!(
        "name = 'd'\nfrequency = '{frequency}'\ntime_zone = 'Europe/Berlin'\navailability_delay = 'PT{delay_hours}H'"
    );
    let model =
        format!("name = 'm'\ndataset = 'd'\nhorizon = {horizon}\nlearners = [{{ learner = 'weekly-mean' }}]");
    (toml::from_str(&dataset).expect("is a dataset"), toml::from_str(&model).expect("is a model"))
}

#[test]
fn late_values_do_not_shorten_the_competition() {
    let two = learners(&["learner = 'seasonal-naive'", "learner = 'weekly-mean'"]);
    let frame = history(150);
    for delay_days in [0, 2, 10] {
        let (dataset, model) = late("PT1H", 24 * delay_days, 24);
        let trained = train_with(&dataset, &model, &frame, 150, &two).expect("is enough");
        assert_eq!(trained.competition.competed[0].rows, 28 * 24 * 3, "{delay_days} days");
    }
}

#[test]
fn without_origins_to_compete_on_the_first_learner_that_fits_is_taken() {
    let (dataset, model) = late("P1D", 34 * 24, 7);
    let values = (0..100).map(|day| f64::from(20 + day % 7)).collect();
    let series = Series { id: id("a"), start: start(), values };
    let frame = Frame::new(dataset.grid(), vec![series]).expect("one series");
    let several = learners(&[TREES, "learner = 'weekly-mean'", "learner = 'seasonal-naive'\nname = 'last'"]);
    let trained = train_with(&dataset, &model, &frame, 101, &several).expect("one fits");
    assert_eq!((trained.bundle.learner.as_str(), trained.competition.competed.len()), ("weekly-mean", 0));
    assert_eq!(trained.competition.uncontested.as_deref(), Some("the history has no origin to compete on"));
}

#[test]
fn a_learner_without_enough_history_leaves_the_field_to_the_others() {
    let frame = history(20);
    let trained = train_on(&frame, 11, &learners(&[TREES, "learner = 'weekly-mean'"])).expect("one is left");
    assert_eq!(trained.bundle.learner.as_str(), "weekly-mean");
    assert_eq!(trained.competition.competed.len(), 1);
    let left_out: Vec<String> = trained.competition.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].starts_with("boosted-trees: ") && left_out[0].ends_with("at least 500 are needed"));
}
