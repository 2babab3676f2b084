//! Observations and forecasts issued end in the history, once however often they are delivered.

use jiff::Timestamp;
use protocol::{
    Queue, decode,
    messages::{ForecastReply, ObservationBatch, ObservationsRecorded, SeriesValues},
};
use workers::roles::Role;

use crate::stack::{Stack, at, in_time, request};

fn batch(start: Timestamp, values: &[Option<f64>]) -> ObservationBatch {
    let series = SeriesValues {
        id: "washington-dc".into(),
        start,
        frequency: "PT1H".into(),
        tz: "America/New_York".into(),
        values: values.to_vec(),
    };
    ObservationBatch { dataset: "washington-bikes".into(), series: vec![series] }
}

#[tokio::test]
async fn observations_are_recorded_and_reach_the_forecaster() {
    let (stack, model) = Stack::with_bikes(&[Role::Recorder, Role::Forecaster]).await;
    let start = at("2013-01-01T00:00:00-05:00");
    let recorded = async |message_id: &str, values: &[Option<f64>]| -> (u64, u64, u64) {
        let reply = stack.ask_as(message_id, Queue::Observations, &batch(start, values)).await;
        let recorded: ObservationsRecorded = decode(&reply).expect("observations-recorded");
        (recorded.new, recorded.corrected, recorded.unchanged)
    };
    assert_eq!(recorded("b-1", &[Some(40.0), None, Some(20.0)]).await, (2, 0, 0));
    assert_eq!(recorded("b-2", &[Some(41.0)]).await, (0, 1, 0), "a correction");
    // A message that comes again repeats its reply and takes back no correction; the same values in another
    // message are what is known, or correct it.
    assert_eq!(recorded("b-1", &[Some(40.0), None, Some(20.0)]).await, (2, 0, 0), "the same message again");
    assert_eq!(recorded("b-3", &[Some(41.0), None, Some(20.0)]).await, (0, 0, 2), "the same values again");

    // The forecast follows the newest value, as soon as the forecaster has heard of it.
    let heard = async {
        loop {
            let ForecastReply::Answered { forecasts, .. } = stack.forecast(&request(&model)).await else {
                panic!("refused")
            };
            if forecasts[0].points.start == at("2013-01-01T03:00:00-05:00") {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(heard).await;
    stack.finish().await;
}

#[tokio::test]
async fn forecasts_issued_are_recorded() {
    let (stack, model) = Stack::with_bikes(&[Role::Recorder, Role::Forecaster]).await;
    let ForecastReply::Answered { forecasts, .. } = stack.forecast(&request(&model)).await else {
        panic!("refused")
    };
    let history = &stack.environment.history;
    let recorded = async {
        loop {
            let issued = history.forecasts_issued(&model.name, 10).await.expect("reads");
            if !issued.is_empty() {
                break issued;
            }
            tokio::task::yield_now().await;
        }
    };
    let issued = in_time(recorded).await;
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0].origin, forecasts[0].points.start);
    assert_eq!((issued[0].route.as_str(), issued[0].reason.as_deref()), ("fallback", Some("no_incumbent")));
    let values: Vec<Option<f64>> = issued[0].values.iter().copied().map(Some).collect();
    assert_eq!(values, forecasts[0].points.values);
    stack.finish().await;
}
