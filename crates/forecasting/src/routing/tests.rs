use std::{cell::Cell, collections::BTreeMap};

use super::*;
use crate::{
    examples::{dataset, history, id, level_times, long_mean, model, seasonal_naive, start, version},
    models::{BoostedTrees, Forest},
    names::CovariateName,
    series::Frequency,
};

fn serving(primary: Option<Model>) -> Serving {
    let artifact = ArtifactName::of(b"an artifact");
    let live = |primary| Live {
        version: 3,
        generation: 2,
        since: Timestamp::UNIX_EPOCH,
        artifact,
        bundle: Arc::new(version(primary, 30)),
    };
    Serving { model: model(), dataset: dataset(), incumbent: primary.map(live) }
}

fn question(horizon_steps: u32) -> Question {
    Question { series: vec![id("bridge")], horizon_steps, origin: None, levels: Vec::new() }
}

fn only_forecast(answer: Answer) -> SeriesForecast {
    let [forecast] = <[_; 1]>::try_from(answer.forecasts).expect("one series was asked for");
    assert_eq!(answer.refused, []);
    forecast
}

fn only_refusal(answer: &Answer) -> Refusal {
    assert_eq!(answer.forecasts, []);
    assert_eq!(answer.refused.len(), 1);
    answer.refused[0].1.clone()
}

#[test]
fn the_incumbent_answers_from_the_step_after_the_last_value() {
    let frame = history(60);
    let forecast = only_forecast(answer(&serving(Some(seasonal_naive())), &question(24), &frame));
    assert_eq!((forecast.route, forecast.version, forecast.generation), (Route::Primary, Some(3), 2));
    assert_eq!(forecast.origin, frame.series[1].end(&frame.grid));
    let last_week = frame.series[1].values.len() - 168;
    assert_eq!(forecast.values, frame.series[1].values[last_week..last_week + 24]);
}

#[test]
fn where_values_arrive_late_the_default_origin_is_as_late() {
    let (mut serving, frame) = (serving(Some(seasonal_naive())), history(60));
    serving.dataset.availability_delay = jiff::SignedDuration::from_mins(47 * 60 + 30);
    let forecast = only_forecast(answer(&serving, &question(24), &frame));
    assert_eq!(forecast.origin, frame.grid.advance(frame.series[1].end(&frame.grid), 48));
    let two_weeks_before = frame.series[1].values.len() - 168 + 48;
    assert_eq!(forecast.values, frame.series[1].values[two_weeks_before..two_weeks_before + 24]);
    assert_eq!(serving.liked_steps(), 5 * 168 + 48);
}

#[test]
fn without_an_incumbent_the_fallback_answers_and_says_so() {
    let forecast = only_forecast(answer(&serving(None), &question(24), &history(60)));
    assert_eq!((forecast.version, forecast.generation), (None, 0));
    assert_eq!(forecast.route.to_string(), "fallback: no version has been promoted yet");
    assert_eq!(forecast.values.len(), 24);
}

#[test]
fn a_single_observation_is_answered_by_the_fallback() {
    let mut frame = history(60);
    frame.series[1].values = vec![42.0];
    let forecast = only_forecast(answer(&serving(Some(level_times(1.0))), &question(24), &frame));
    assert_eq!(forecast.values, [42.0; 24]);
    let Route::Fallback(FallbackReason::HistoryTooShort { needed_steps, has_steps: 1 }) = forecast.route
    else {
        panic!("{}", forecast.route);
    };
    assert!(needed_steps > 1);
    assert_eq!((forecast.version, forecast.generation), (Some(3), 2), "the version's own fallback answered");
}

#[test]
fn a_longer_horizon_than_the_incumbents_is_answered_by_the_fallback() {
    let forecast = only_forecast(answer(&serving(Some(long_mean())), &question(25), &history(60)));
    let too_long = FallbackReason::HorizonTooLong { asked_steps: 25, most_steps: 24 };
    assert_eq!(forecast.route, Route::Fallback(too_long));
    assert_eq!(forecast.values.len(), 25);
}

#[test]
fn a_forecast_that_is_no_number_never_leaves() {
    let forecast = only_forecast(answer(&serving(Some(level_times(f64::MAX))), &question(24), &history(60)));
    assert_eq!(forecast.route, Route::Fallback(FallbackReason::NotFinite { step: 1 }));
    assert!(forecast.values.iter().all(|value| value.is_finite()));
}

#[test]
fn an_incumbent_that_was_trained_elsewhere_does_not_answer() {
    let mut frame = history(60);
    frame.grid = Grid::new(Frequency::Minutes(30), "Europe/Berlin").expect("Berlin is known");
    let forecast = only_forecast(answer(&serving(Some(long_mean())), &question(24), &frame));
    assert_eq!(forecast.route, Route::Fallback(FallbackReason::TrainedElsewhere));
}

#[test]
fn only_what_nothing_can_answer_is_refused() {
    let (serving, mut frame) = (serving(Some(long_mean())), history(60));
    frame.series[1].values.fill(f64::NAN);
    assert_eq!(only_refusal(&answer(&serving, &question(24), &frame)), Refusal::NothingToGoOn);
    for asked_steps in [0, 10_001, u32::MAX] {
        let refusal = Refusal::HorizonOutOfRange { asked_steps, most_steps: 10_000 };
        assert_eq!(only_refusal(&answer(&serving, &question(asked_steps), &frame)), refusal);
    }
    let nobody = Question { series: vec![id("nobody")], ..question(24) };
    assert_eq!(only_refusal(&answer(&serving, &nobody, &frame)), Refusal::UnknownSeries);
}

#[test]
fn an_origin_may_be_any_step_after_the_first_value() {
    let (serving, frame) = (serving(Some(long_mean())), history(60));
    let from = |origin| answer(&serving, &Question { origin: Some(origin), ..question(24) }, &frame);
    let steps_after = |steps| frame.grid.advance(start(), steps);
    assert_eq!(only_forecast(from(steps_after(1000))).route, Route::Primary);
    assert_eq!(only_refusal(&from(start())), Refusal::NothingToGoOn);
    assert_eq!(only_refusal(&from(steps_after(-1000))), Refusal::NothingToGoOn);
    let between = start() + jiff::SignedDuration::from_secs(3601);
    assert_eq!(only_refusal(&from(between)), Refusal::OffGrid { origin: between });
}

#[test]
fn a_question_without_series_means_all_of_them() {
    let all = Question { series: Vec::new(), ..question(24) };
    let answer = answer(&serving(Some(long_mean())), &all, &history(60));
    let ids: Vec<_> = answer.forecasts.iter().map(|forecast| forecast.id.as_str()).collect();
    assert_eq!(ids, ["arcade", "bridge", "court"]);
}

#[test]
fn an_answer_that_is_wanted_no_more_ends_before_the_next_series() {
    let all = Question { series: Vec::new(), ..question(24) };
    let asked = Cell::new(0);
    let answered = |wanted_times: u32| {
        asked.set(0);
        let (serving, frame) = (serving(Some(long_mean())), history(60));
        let at_hand = AtHand { history: &frame, covariates: None };
        answer_while(&serving, &all, at_hand, || {
            asked.set(asked.get() + 1);
            asked.get() <= wanted_times
        })
    };
    assert_eq!((answered(1), asked.get()), (None, 2), "the first of three series was forecast");
    assert!(answered(3).is_some());
}

/// What the bridge knows of its tolls, for that many hours from the begin of its history.
fn tolls(hours: usize) -> Covariates {
    let name = CovariateName::new("toll").expect("is a name");
    let known = BTreeMap::from([(name, vec![2.0; hours])]);
    Covariates::new(BTreeMap::from([(
        id("bridge"),
        SeriesCovariates { known, ..SeriesCovariates::none(start()) },
    )]))
}

/// The recent level, from a model that was fitted with tolls.
fn level_by_tolls() -> Model {
    let Model::BoostedTrees(without) = level_times(1.0) else { panic!("makes trees") };
    let features = without.features.with_covariates(&tolls(1));
    let forest = Forest::new(1.0, &[], features.width()).expect("has no trees");
    Model::BoostedTrees(BoostedTrees { features, forests: vec![forest], non_negative: true })
}

#[test]
fn what_is_known_in_advance_must_reach_over_the_horizon_of_a_question() {
    let (serving, frame) = (serving(Some(level_by_tolls())), history(60));
    let end = frame.series[1].values.len();
    let ask = |covariates: Option<&Covariates>| {
        answer_while(&serving, &question(24), AtHand { history: &frame, covariates }, || true)
            .expect("is wanted")
    };
    assert_eq!(only_forecast(ask(Some(&tolls(end + 24)))).route, Route::Primary);
    let Refusal::MissingCovariate(missing) = only_refusal(&ask(Some(&tolls(end + 5)))) else {
        panic!("is forecast without its tolls")
    };
    let at = frame.grid.advance(frame.series[1].end(&frame.grid), 5);
    assert_eq!((missing.covariate.as_str(), missing.series, missing.at), ("toll", id("bridge"), at));
    assert_eq!(only_refusal(&ask(None)), Refusal::NeedsCovariates);
    let further = question(25);
    let at_hand = AtHand { history: &frame, covariates: None };
    let too_far = answer_while(&serving, &further, at_hand, || true).expect("is wanted");
    let route = only_forecast(too_far).route;
    assert!(
        matches!(route, Route::Fallback(FallbackReason::HorizonTooLong { .. })),
        "the fallback needs no tolls"
    );
}
