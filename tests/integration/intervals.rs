//! A forecast says how far it may be off, as far as the version knows, and the verdict how often that held.

use protocol::messages::{ForecastReply, ForecastRequest, RefusalReason, SeriesForecast};
use workers::roles::Role;

use crate::stack::{Stack, in_time, promoted, request};

/// The forecast of the one series, once the promoted version answers.
async fn forecast_of_version(stack: &Stack, request: &ForecastRequest) -> SeriesForecast {
    let answered = async {
        loop {
            if let ForecastReply::Answered { mut forecasts, .. } = stack.forecast(request).await
                && forecasts.iter().any(|forecast| forecast.version.is_some())
            {
                return forecasts.remove(0);
            }
        }
    };
    in_time(answered).await
}

#[tokio::test]
async fn a_reply_has_the_intervals_that_were_asked_for() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper, Role::Forecaster]).await;
    let asked = ForecastRequest { levels: vec![80, 95], ..request(&model) };
    let ForecastReply::Answered { forecasts, .. } = stack.forecast(&asked).await else { panic!("refused") };
    assert_eq!(forecasts[0].intervals, [], "nobody knows how far off the fallback is alone");

    let event = promoted(stack.train(&model, "small-trees").await);
    let coverage = event.reasons.iter().find(|reason| reason.starts_with("its 80 % intervals held "));
    assert!(coverage.is_some(), "{:?}", event.reasons);

    let forecast = forecast_of_version(&stack, &asked).await;
    let [narrow, wide] = &forecast.intervals[..] else { panic!("{forecast:?}") };
    assert_eq!((narrow.level, wide.level), (80, 95));
    for step in 0..forecast.points.values.len() {
        let ends = [wide.lower[step], narrow.lower[step], narrow.upper[step], wide.upper[step]];
        assert!(ends.is_sorted() && narrow.lower[step] < narrow.upper[step], "step {step}: {ends:?}");
    }
    let without = forecast_of_version(&stack, &request(&model)).await;
    assert_eq!((without.points, without.intervals), (forecast.points, Vec::new()));
    stack.finish().await;
}

#[tokio::test]
async fn a_level_that_cannot_be_is_refused_with_its_place() {
    let (stack, model) = Stack::with_bikes(&[Role::Forecaster]).await;
    for (levels, problem) in [
        (vec![80, 49], "levels[1]: 49 is not in 50 to 99 (percent)"),
        (vec![100], "levels[0]: 100 is not in 50 to 99 (percent)"),
        (vec![90, 90], "levels[1]: 90 is named twice"),
        ((50..61).collect(), "levels: 11 levels, at most 10"),
    ] {
        let reply = stack.forecast(&ForecastRequest { levels, ..request(&model) }).await;
        let ForecastReply::Refused { reason, message } = reply else { panic!("{reply:?}") };
        assert_eq!((reason, message.as_str()), (RefusalReason::BadRequest, problem));
    }
    stack.finish().await;
}
