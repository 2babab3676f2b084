//! Which learners use holidays, what they make of them, and that a model keeps those that it was fitted with.

use jiff::civil::date;

use super::*;
use crate::{
    artifact::Bundle,
    evaluation::Backtest,
    examples::{id, model},
    holidays::HolidayRegion,
    learning::{StopFlag, TrainingRequest, fit_alone},
    models::Predict,
    series::{Frame, Series},
    spec::{DatasetSpec, LearnerSpec},
};

/// Those with features; the others look at values alone.
const USERS: [&str; 3] = ["boosted-trees", "elastic-net", "blend"];

fn learner(name: &str) -> LearnerSpec {
    let settings = if matches!(name, "boosted-trees" | "blend") { "trees = 60\nleaves = 15" } else { "" };
    toml::from_str(&format!("learner = '{name}'\n{settings}")).expect("is a learner")
}

fn dataset(holidays: &str) -> DatasetSpec {
    toml::from_str(&format!(
        "name = 'footfall'\nfrequency = 'P1D'\ntime_zone = 'America/New_York'\n{holidays}"
    ))
    .expect("is a dataset")
}

/// Four years of days of two shops, with half the footfall on holidays of New York.
fn halved_on_holidays() -> Frame {
    let grid = dataset("").grid();
    let new_york = HolidayRegion::new("US-NY").expect("is known");
    let first = date(2021, 1, 4);
    let start = first.to_zoned(grid.time_zone().clone()).expect("is a day").timestamp();
    let of_day = |day: i64| {
        let date = first + jiff::Span::new().days(day);
        let usual = 100.0 + 20.0 * (day % 7) as f64 + (day * day % 11) as f64;
        if new_york.calendar().on(date).count() > 0 { usual / 2.0 } else { usual }
    };
    let series = ["north", "south"].map(|shop| Series {
        id: id(shop),
        start,
        values: (0..4 * 365).map(|day| of_day(day) * if shop == "north" { 1.0 } else { 3.0 }).collect(),
    });
    Frame::new(grid, series.to_vec()).expect("the ids differ")
}

fn backtest() -> Backtest {
    Backtest::new(&halved_on_holidays(), 14, 26).expect("is long enough")
}

fn fitted(backtest: &Backtest, dataset: &DatasetSpec, name: &str) -> Bundle {
    let (model, learner, stop) = (model(), learner(name), StopFlag::default());
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
    fit_alone(&request, &learner).expect("has history")
}

fn mean_error(backtest: &Backtest, bundle: &Bundle) -> f64 {
    let rows = backtest.rows();
    let answers = backtest.forecast(&rows, bundle, &StopFlag::default(), || ());
    let (forecasts, fallbacks) = answers.expect("nobody stops it");
    assert_eq!((forecasts.faults.len(), fallbacks), (0, 0));
    let errors = rows.rows().iter().zip(&forecasts.values).map(|(row, value)| (row.actual - value).abs());
    errors.sum::<f64>() / forecasts.values.len() as f64
}

#[test]
fn learners_with_features_know_the_holidays_that_are_declared() {
    let backtest = backtest();
    for name in USERS {
        let error = |holidays| mean_error(&backtest, &fitted(&backtest, &dataset(holidays), name));
        let (without, with) = (error(""), error("holidays = 'US-NY'"));
        assert!(with < 0.6 * without, "{name}: {with} against {without}");
    }
}

#[test]
fn learners_of_values_alone_ignore_holidays() {
    let backtest = backtest();
    for name in Algorithm::NAMES.iter().filter(|name| !USERS.contains(name)) {
        let [without, with] = ["", "holidays = 'US-NY'"].map(|text| fitted(&backtest, &dataset(text), name));
        assert_eq!(with, without, "{name}");
    }
}

#[test]
fn a_model_forecasts_with_the_holidays_in_its_artifact() {
    let backtest = backtest();
    let series = &backtest.past.series[0];
    let origin = series.end(&backtest.past.grid);
    for name in USERS {
        let bundle = fitted(&backtest, &dataset("holidays = 'US-NY'"), name);
        let stored = Bundle::decode(&bundle.encode()).expect("was just written");
        assert_eq!(stored, bundle, "{name}");
        let forecast = |bundle: &Bundle| bundle.primary.predict(series, &backtest.past.grid, origin, 14);
        assert_eq!(forecast(&stored), forecast(&bundle), "{name}");
    }
}

#[test]
fn years_that_no_table_knows_are_forecast_all_the_same() {
    let mut frame = halved_on_holidays();
    for series in &mut frame.series {
        series.start = frame.grid.advance(series.start, 40 * 365);
    }
    let backtest = Backtest::new(&frame, 14, 4).expect("is long enough");
    for name in USERS {
        let bundle = fitted(&backtest, &dataset("holidays = 'US-NY'"), name);
        assert!(mean_error(&backtest, &bundle).is_finite(), "{name}");
    }
}
