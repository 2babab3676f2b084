//! `gatecast forecast`

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use forecasting::{names::SeriesId, series::Frame, spec::ModelSpec};
use history::Range;
use protocol::{
    Queue, decode,
    messages::{ForecastReply, ForecastRequest, RefusalReason, SeriesForecast, SeriesValues},
};
use serde_json::json;

use super::{models, with_roles};
use crate::{
    asker::answer,
    cli,
    environment::Environment,
    export,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    file_format::FileFormat,
    handlers::convert::wire_name,
    roles::Role,
    terminal::{Table, complain, cut, print, print_bytes, print_json, spark, spinner},
};

/// How long a reply may take; a process that starts its forecaster first reads its history.
const PATIENCE: Duration = Duration::from_mins(1);
/// Widest half of a chart.
const CHART: usize = 11;

/// Publishes a forecast request and prints the reply.
pub(super) async fn forecast(
    environment: &Environment,
    arguments: &cli::Forecast,
    json: bool,
) -> CommandResult {
    let out = Out::of(arguments)?;
    let model = models::find(environment, &arguments.model).await?.spec;
    let request = ForecastRequest {
        model: model.name.to_string(),
        series: arguments.series.clone(),
        horizon: arguments.horizon,
        origin: arguments.origin,
        history: Vec::new(),
    };
    let progress = spinner(format!("asking {}", model.name));
    let reply =
        with_roles(environment, &[Role::Forecaster, Role::Recorder], reply(environment, &request)).await?;
    progress.finish_and_clear();
    if json && !matches!(out, Out::File(..)) {
        print_json(&reply)?;
    }
    match reply {
        ForecastReply::Answered { forecasts, refused, .. } => {
            if !json || matches!(out, Out::File(..)) {
                out.put(environment, &model, &forecasts, json).await?;
                for refusal in &refused {
                    complain(&refusal.message);
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

/// Where forecasts go.
enum Out {
    /// A table for people.
    Table,
    /// Rows on stdout.
    Stdout(FileFormat),
    /// Rows in a file.
    File(PathBuf, FileFormat),
}

impl Out {
    fn of(arguments: &cli::Forecast) -> Result<Self, Failure> {
        let Some(file) = &arguments.out else {
            return Ok(arguments.format.map_or(Self::Table, Self::Stdout));
        };
        let unclear = || {
            let file = file.display();
            format!(
                "--out {file}: the name must end in .csv, .jsonl or .parquet, or --format must say what it is"
            )
        };
        let format = arguments.format.or_else(|| FileFormat::of_name(file));
        let format = format.ok_or_else(|| Failure::say(ExitCode::Usage, unclear()))?;
        Ok(Self::File(file.clone(), format))
    }

    async fn put(
        &self,
        environment: &Environment,
        model: &ModelSpec,
        forecasts: &[SeriesForecast],
        json: bool,
    ) -> CommandResult {
        let (file, format) = match self {
            Self::Table => {
                chart(environment, model, forecasts).await?.print();
                return Ok(());
            }
            Self::Stdout(format) => {
                let mut bytes = Vec::new();
                export::write(&export::forecasts::columns(forecasts)?, *format, &mut bytes)?;
                print_bytes(&bytes);
                return Ok(());
            }
            Self::File(file, format) => (file, *format),
        };
        let columns = export::forecasts::columns(forecasts)?;
        export::write_file(&columns, format, file).with_context(|| format!("--out {}", file.display()))?;
        if json {
            print_json(&json!({ "file": file, "rows": columns.rows(), "series": forecasts.len() }))?;
        } else {
            print(format_args!(
                "{} rows of {} series in {}",
                columns.rows(),
                forecasts.len(),
                file.display()
            ));
        }
        Ok(())
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

/// One line per series: a chart of its last steps and of those that are forecast, from 0 to the largest.
pub(super) async fn chart(
    environment: &Environment,
    model: &ModelSpec,
    forecasts: &[SeriesForecast],
) -> Result<Table, Failure> {
    let dataset = environment.registry.dataset(&model.dataset).await?;
    let grid = dataset.map(|stored| stored.spec.grid());
    let past = match (grid, forecasts.iter().map(|forecast| forecast.points.start).min()) {
        (Some(grid), Some(first)) => {
            let steps = forecasts.iter().map(|forecast| forecast.points.values.len()).max().unwrap_or(0);
            let from = Some(grid.advance(first, -i64::try_from(steps).unwrap_or(i64::MAX)));
            let ids = forecasts.iter().filter_map(|forecast| SeriesId::new(&*forecast.points.id).ok());
            let range = Range { series: Some(ids.collect()), from, ..Range::default() };
            Some(environment.history.read(&model.dataset, &grid, &range).await?)
        }
        _ => None,
    };
    Ok(table(forecasts, past.as_ref()))
}

/// As [`chart`], from the history that there is.
pub(super) fn table(forecasts: &[SeriesForecast], past: Option<&Frame>) -> Table {
    let mut table = Table::new(["series", "from", "before │ forecast", "largest", "answered by"]);
    for forecast in forecasts {
        let values: Vec<f64> = forecast.points.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let before = before(forecast, values.len(), past);
        let both = [&narrowed(&before)[..], &narrowed(&values)[..]].concat();
        let chart: Vec<char> = spark(&both).chars().collect();
        let (left, right) = chart.split_at(narrowed(&before).len());
        table.row([
            cut(&forecast.points.id, 16),
            local(&forecast.points),
            format!("{}│{}", String::from_iter(left), String::from_iter(right)),
            format!("{:.0}", values.iter().copied().fold(f64::MIN, f64::max)),
            answered_by(forecast),
        ]);
    }
    table
}

/// As many steps before the origin as are forecast; NaN where nothing is known.
fn before(forecast: &SeriesForecast, steps: usize, past: Option<&Frame>) -> Vec<f64> {
    let known = SeriesId::new(&*forecast.points.id).ok().zip(past);
    let Some((grid, series)) = known.and_then(|(id, past)| Some((&past.grid, past.series(&id)?))) else {
        return vec![f64::NAN; steps.min(CHART)];
    };
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    (-steps..0).map(|step| series.value(grid, grid.advance(forecast.points.start, step))).collect()
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
    let reason = forecast
        .reason
        .as_ref()
        .map(|reason| format!(" ({})", wire_name(reason).replace('_', " ")))
        .unwrap_or_default();
    format!("{version} g{} {route}{reason}", forecast.generation)
}
