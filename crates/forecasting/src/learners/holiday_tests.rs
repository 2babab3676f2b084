//! Which learners use holidays, what they make of them, and that a model keeps those that it was fitted with.

use jiff::civil::date;

use super::{
    tests::{self, USERS, mean_error},
    *,
};
use crate::{
    artifact::Bundle,
    evaluation::Backtest,
    examples::id,
    holidays::{HolidayCalendar, HolidayRegion},
    models::{Covered, Predict},
    series::{Frame, Series},
    spec::DatasetSpec,
};

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
    tests::fitted(backtest, dataset, &tests::small(name, 60))
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
fn an_artifact_keeps_the_holidays_that_a_model_was_fitted_with() {
    let backtest = backtest();
    for name in USERS {
        let bundle = fitted(&backtest, &dataset("holidays = 'US-NY'"), name);
        assert_eq!(Bundle::decode(&bundle.encode()).as_ref(), Ok(&bundle), "{name}");
    }
}

#[test]
fn a_model_forecasts_with_the_holidays_that_it_keeps() {
    let backtest = backtest();
    let (series, grid) = (&backtest.past.series[0], &backtest.past.grid);
    let bundle = fitted(&backtest, &dataset("holidays = 'US-NY'"), "boosted-trees");
    let Model::BoostedTrees(trees) = &bundle.primary else { panic!("are trees") };
    let mut without = trees.clone();
    let (first, last) = trees.features.holidays.as_ref().expect("has some").span();
    without.features.holidays = Some(HolidayCalendar::new(first, last, []).expect("is a calendar"));
    let forecast = |trees: &BoostedTrees| {
        trees.predict(Covered::alone(series), grid, series.end(grid), 14).expect("has history")
    };
    // The day of Martin Luther King, 2024-01-15, is among them.
    assert_ne!(forecast(&without), forecast(trees));
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
