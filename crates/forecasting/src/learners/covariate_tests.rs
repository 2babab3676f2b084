//! Which learners use covariates, what they make of them, and what can never reach them.

use std::collections::BTreeMap;

use super::{
    tests::{self, USERS},
    *,
};
use crate::{
    artifact::Bundle,
    evaluation::Backtest,
    examples::{dataset, grid, history, id, start},
    learning::StopFlag,
    models::{Covered, Predict, PredictError},
    names::CovariateName,
    series::{Covariates, Frame, SeriesCovariates},
    spec::LearnerSpec,
};

fn learner(name: &str) -> LearnerSpec {
    tests::small(name, 40)
}

fn name(text: &str) -> CovariateName {
    CovariateName::new(text).expect("is a name")
}

/// The squares modulo a prime, which have no rhythm: what covariates say of a day, the calendar and the past
/// do not.
fn is_busy(day: usize) -> bool {
    (1..71).any(|root| root * root % 71 == (day + 1) % 71)
}

/// Sixty days, the busy ones of which are twice as busy.
fn busy_days() -> Frame {
    let mut frame = history(60);
    for series in &mut frame.series {
        for (hour, value) in series.values.iter_mut().enumerate() {
            *value *= if is_busy(hour / 24) { 2.0 } else { 1.0 };
        }
    }
    frame
}

/// Numbers of 60 days of hours, the same for every series.
fn numbers(of_day: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..60 * 24).map(|hour| of_day(hour / 24)).collect()
}

fn everywhere(covariates: &SeriesCovariates) -> Covariates {
    let all = ["arcade", "bridge", "court"].map(|series| (id(series), covariates.clone()));
    Covariates::new(BTreeMap::from(all))
}

/// The event of a day, known in advance.
fn known_events() -> SeriesCovariates {
    let events = numbers(|day| f64::from(u8::from(is_busy(day))));
    SeriesCovariates { known: [(name("event"), events)].into(), ..SeriesCovariates::none(start()) }
}

/// Visits of a web page, many on the day before a busy one; known afterwards.
fn past_visits() -> SeriesCovariates {
    let visits = numbers(|day| if is_busy(day + 1) { 500.0 } else { 100.0 });
    SeriesCovariates { past: [(name("visits"), visits)].into(), ..SeriesCovariates::none(start()) }
}

fn backtest(covariates: Covariates) -> Backtest {
    let backtest = Backtest::new(&busy_days(), 24, 8).expect("is long enough");
    backtest.with_covariates(covariates).expect("reach over every horizon")
}

fn fitted(backtest: &Backtest, name: &str) -> Bundle {
    tests::fitted(backtest, &dataset(), &learner(name))
}

fn forecasts(backtest: &Backtest, name: &str) -> Vec<f64> {
    tests::forecasts(backtest, &fitted(backtest, name))
}

fn mean_error(backtest: &Backtest, name: &str) -> f64 {
    tests::mean_error(backtest, &fitted(backtest, name))
}

#[test]
fn learners_with_features_forecast_better_with_a_covariate_that_tells() {
    let nothing = backtest(Covariates::default());
    for (kind, covariates) in [("known", known_events()), ("past", past_visits())] {
        let beside = backtest(everywhere(&covariates));
        for name in USERS {
            let (without, with) = (mean_error(&nothing, name), mean_error(&beside, name));
            assert!(with < 0.85 * without, "{kind}, {name}: {with} against {without}");
        }
    }
}

#[test]
fn learners_of_values_alone_ignore_covariates() {
    let (nothing, beside) = (backtest(Covariates::default()), backtest(everywhere(&known_events())));
    for name in Algorithm::NAMES.iter().filter(|name| !USERS.contains(name)) {
        assert_eq!(fitted(&beside, name).primary, fitted(&nothing, name).primary, "{name}");
        assert_eq!(forecasts(&beside, name), forecasts(&nothing, name), "{name}");
    }
}

#[test]
fn past_only_numbers_after_an_origin_reach_no_forecast_from_it() {
    let first_origin = (60 - 8) * 24;
    let scrambled = |hours: std::ops::Range<usize>| {
        let mut covariates = past_visits();
        for visits in covariates.past.values_mut() {
            visits[hours.clone()]
                .iter_mut()
                .rev()
                .enumerate()
                .for_each(|(at, number)| *number = -7.0 * at as f64);
        }
        backtest(everywhere(&covariates))
    };
    let from_first = |backtest: &Backtest, name| {
        let rows = backtest.rows();
        let all = rows.rows().iter().zip(forecasts(backtest, name));
        all.filter(|(row, _)| row.origin == 0).map(|(_, value)| value).collect::<Vec<f64>>()
    };
    let (as_it_was, after) = (backtest(everywhere(&past_visits())), scrambled(first_origin..60 * 24));
    let before = scrambled(first_origin - 24..first_origin);
    for name in USERS {
        assert_eq!(fitted(&after, name).primary, fitted(&as_it_was, name).primary, "{name}");
        assert_eq!(from_first(&after, name), from_first(&as_it_was, name), "{name}");
        assert_ne!(from_first(&before, name), from_first(&as_it_was, name), "{name} sees the day before");
    }
}

#[test]
fn what_is_known_in_advance_only_for_a_while_is_refused_before_anything_is_fitted() {
    let mut covariates = known_events();
    for events in covariates.known.values_mut() {
        events.truncate(59 * 24 + 3);
    }
    let backtest = Backtest::new(&busy_days(), 24, 8).expect("is long enough");
    let missing =
        backtest.with_covariates(everywhere(&covariates)).expect_err("ends before the last horizon");
    let at = grid().advance(start(), 59 * 24 + 3);
    assert_eq!((missing.covariate, missing.series, missing.at), (name("event"), id("arcade"), at));
}

#[test]
fn a_model_that_was_fitted_with_a_covariate_does_not_forecast_without_it() {
    let backtest = backtest(everywhere(&known_events()));
    for learner in USERS {
        let bundle = fitted(&backtest, learner);
        assert_eq!(Bundle::decode(&bundle.encode()).as_ref(), Ok(&bundle), "{learner}");
        let series = &backtest.past.series[1];
        let origin = series.end(&grid());
        let Err(PredictError::MissingCovariate(missing)) =
            bundle.primary.predict(Covered::alone(series), &grid(), origin, 24)
        else {
            panic!("{learner} forecasts");
        };
        assert_eq!((missing.series, missing.at), (id("bridge"), origin), "{learner}");
    }
}

#[test]
fn covariates_that_nobody_recorded_while_training_break_no_learner() {
    let mut covariates = known_events();
    for events in covariates.known.values_mut() {
        events[..(60 - 8) * 24].fill(f64::NAN);
    }
    covariates.past.insert(name("visits"), numbers(|_| f64::NAN));
    let beside = backtest(everywhere(&covariates));
    for name in USERS {
        let (rows, forecasts) = (beside.rows(), forecasts(&beside, name));
        let highest = rows.rows().iter().map(|row| row.actual).fold(0.0, f64::max);
        assert!(forecasts.iter().all(|forecast| (0.0..2.0 * highest).contains(forecast)), "{name}");
    }
}

#[test]
fn more_features_than_a_model_may_have_are_refused() {
    let many = (0..120).map(|column| (name(&format!("column-{column}")), numbers(|_| 1.0))).collect();
    let covariates = SeriesCovariates { known: many, ..SeriesCovariates::none(start()) };
    let (frame, covariates, stop) = (busy_days(), everywhere(&covariates), StopFlag::default());
    let material = Material {
        frame: &frame,
        covariates: &covariates,
        holidays: None,
        horizon_steps: 24,
        delay_steps: 0,
        seed: 7,
        stop: &stop,
    };
    for name in USERS {
        let problem = learner(name).algorithm.fit(&material).expect_err("too many").to_string();
        assert!(problem.ends_with("at most 256 are possible"), "{name}: {problem}");
    }
}
