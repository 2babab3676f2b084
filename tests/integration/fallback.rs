//! Too little history, too long a horizon, no incumbent: the fallback answers and says why.

use protocol::messages::{ForecastReply, ForecastRequest, Route, RouteReason, SeriesForecast, SeriesValues};
use workers::roles::Role;

use crate::stack::{Stack, at, in_time, promoted, request};

async fn only_answer(stack: &Stack, request: &ForecastRequest) -> SeriesForecast {
    match stack.forecast(request).await {
        ForecastReply::Answered { mut forecasts, refused, .. }
            if refused.is_empty() && forecasts.len() == 1 =>
        {
            forecasts.remove(0)
        }
        other => panic!("{other:?}"),
    }
}

fn one_observation(request: &ForecastRequest) -> ForecastRequest {
    let series = SeriesValues {
        id: "new-station".into(),
        start: at("2012-12-01T00:00:00-05:00"),
        frequency: "PT1H".into(),
        tz: "America/New_York".into(),
        values: vec![Some(12.0)],
    };
    ForecastRequest { history: vec![series], ..request.clone() }
}

#[tokio::test]
async fn the_fallback_answers_where_the_incumbent_cannot() {
    let (stack, model) = Stack::with_bikes(&[Role::Trainer, Role::Gatekeeper, Role::Forecaster]).await;
    let asked = request(&model);

    let before = only_answer(&stack, &asked).await;
    assert_eq!((before.route, before.reason), (Route::Fallback, Some(RouteReason::NoIncumbent)));
    assert_eq!((before.version, before.generation), (None, 0));

    promoted(stack.train(&model, "small-trees").await);
    in_time(async { while only_answer(&stack, &asked).await.version.is_none() {} }).await;

    let short = only_answer(&stack, &one_observation(&asked)).await;
    assert_eq!((short.route, short.reason), (Route::Fallback, Some(RouteReason::HistoryTooShort)));
    assert_eq!(short.points.values, vec![Some(12.0); 24], "all that is known");

    let long = only_answer(&stack, &ForecastRequest { horizon: Some(200), ..asked.clone() }).await;
    assert_eq!((long.route, long.reason), (Route::Fallback, Some(RouteReason::HorizonTooLong)));
    assert_eq!(long.points.values.len(), 200);
    stack.finish().await;
}
