//! `gatecast forecast`

use std::time::Duration;

use protocol::{
    Queue, decode,
    messages::{ForecastReply, ForecastRequest, Interval, RefusalReason, SeriesForecast, SeriesValues},
};

use super::{models, with_roles};
use crate::{
    asker::answer,
    cli,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    handlers::convert::wire_name,
    roles::Role,
    terminal::{Table, cut, print, print_json, spark, spinner},
};

/// How long a reply may take; a process that starts its forecaster first reads its history.
const PATIENCE: Duration = Duration::from_mins(1);
/// Widest chart.
const CHART: usize = 24;

/// Publishes a forecast request and prints the reply.
pub(super) async fn forecast(
    environment: &Environment,
    arguments: &cli::Forecast,
    json: bool,
) -> CommandResult {
    let model = models::find(environment, &arguments.model).await?.spec;
    let request = ForecastRequest {
        model: model.name.to_string(),
        series: arguments.series.clone(),
        horizon: arguments.horizon,
        origin: arguments.origin,
        levels: arguments.level.clone(),
        history: Vec::new(),
    };
    let progress = spinner(format!("asking {}", model.name));
    let reply =
        with_roles(environment, &[Role::Forecaster, Role::Recorder], reply(environment, &request)).await?;
    progress.finish_and_clear();
    if json {
        print_json(&reply)?;
    }
    match reply {
        ForecastReply::Answered { forecasts, refused, .. } => {
            if !json {
                table(&forecasts).print();
                for refusal in &refused {
                    print(&refusal.message);
                }
            }
            match refused.first() {
                None => Ok(()),
                Some(refusal) => Err(Failure::silent(refusal_code(refusal.reason))),
            }
        }
        ForecastReply::Refused { reason, .. } if json => Err(Failure::silent(refusal_code(reason))),
        ForecastReply::Refused { reason, message } => Err(Failure::say(refusal_code(reason), message)),
    }
}

/// Publishes a forecast request onto the queue and waits for the reply.
pub(super) async fn reply(
    environment: &Environment,
    request: &ForecastRequest,
) -> Result<ForecastReply, Failure> {
    let (broker, expires) = (&*environment.broker, Some(&*environment.clock));
    let reply = answer(broker, Queue::ForecastRequests, request, PATIENCE, expires).await;
    Ok(decode(&reply.or_exit(ExitCode::Unreachable)?)?)
}

fn refusal_code(reason: RefusalReason) -> ExitCode {
    match reason {
        RefusalReason::UnknownModel | RefusalReason::UnknownSeries => ExitCode::NotFound,
        RefusalReason::BadRequest | RefusalReason::NothingToGoOn => ExitCode::Invalid,
    }
}

/// One line per series: a chart of the steps, from 0 to the largest.
pub(super) fn table(forecasts: &[SeriesForecast]) -> Table {
    let mut table = Table::new(["series", "from", "steps", "largest", "answered by"]);
    for forecast in forecasts {
        let values: Vec<f64> = forecast.points.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        table.row([
            cut(&forecast.points.id, 18),
            local(&forecast.points),
            spark(&narrowed(&values)),
            largest(&values, &forecast.intervals),
            answered_by(forecast),
        ]);
    }
    table
}

/// The largest value, with the first of the intervals around it.
fn largest(values: &[f64], intervals: &[Interval]) -> String {
    let at = (0..values.len()).max_by(|&one, &other| values[one].total_cmp(&values[other]));
    let Some(at) = at else { return "-".to_owned() };
    let around = |interval: &Interval| {
        let Interval { level, lower, upper } = interval;
        format!(" ({level} %: {:.0} to {:.0})", lower[at], upper[at])
    };
    format!("{:.0}{}", values[at], intervals.first().map(around).unwrap_or_default())
}

/// The origin in the series' own time zone.
fn local(points: &SeriesValues) -> String {
    let zone = jiff::tz::TimeZone::get(&points.tz).unwrap_or(jiff::tz::TimeZone::UTC);
    points.start.to_zoned(zone).strftime("%m-%d %H:%M").to_string()
}

/// Means of neighbours, where there are more values than a chart is wide.
fn narrowed(values: &[f64]) -> Vec<f64> {
    let together = values.len().div_ceil(CHART).max(1);
    values.chunks(together).map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64).collect()
}

fn answered_by(forecast: &SeriesForecast) -> String {
    let version = forecast.version.map_or_else(|| "-".to_owned(), |version| format!("v{version}"));
    let route = wire_name(&forecast.route);
    let reason =
        forecast.reason.as_ref().map(|reason| format!(" ({})", wire_name(reason))).unwrap_or_default();
    format!("{version} g{} {route}{reason}", forecast.generation)
}
