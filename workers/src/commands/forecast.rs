//! `gatecast forecast`

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use forecasting::{names::SeriesId, series::Frame, spec::ModelSpec};
use history::Range;
use protocol::{
    Queue, decode,
    messages::{ForecastReply, ForecastRequest, Interval, RefusalReason, SeriesForecast, SeriesValues},
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
    terminal::{Table, complain, cut, narrowed, print, print_bytes, print_json, remark, spark, spinner},
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
        levels: arguments.level.clone(),
        history: Vec::new(),
    };
    let progress = spinner(format!("asking {}", model.name));
    let reply =
        with_roles(environment, &[Role::Forecaster, Role::Recorder], reply(environment, &request)).await?;
    progress.finish_and_clear();
    if json && !out.is_file() {
        print_json(&reply)?;
    }
    match reply {
        ForecastReply::Answered { forecasts, refused, .. } => {
            if !json || out.is_file() {
                out.put(environment, &model, &forecasts, json).await?;
                models::remark_on_act(environment, &model.name).await;
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
    /// Rows with the intervals of `levels`, in a file or on stdout.
    Rows { file: Option<PathBuf>, format: FileFormat, levels: Vec<u8> },
}

impl Out {
    fn of(arguments: &cli::Forecast) -> Result<Self, Failure> {
        let file = arguments.out.clone();
        let of_name = || file.as_deref().and_then(FileFormat::of_name);
        match (arguments.format.or_else(of_name), &file) {
            (Some(format), _) => Ok(Self::Rows { file, format, levels: arguments.level.clone() }),
            (None, None) => Ok(Self::Table),
            (None, Some(file)) => {
                let problem =
                    "the name must end in .csv, .jsonl or .parquet, or --format must say what it is";
                Err(Failure::say(ExitCode::Usage, format!("--out {}: {problem}", file.display())))
            }
        }
    }

    fn is_file(&self) -> bool {
        matches!(self, Self::Rows { file: Some(_), .. })
    }

    /// `json`: says as a document what was written into a file.
    async fn put(
        &self,
        environment: &Environment,
        model: &ModelSpec,
        forecasts: &[SeriesForecast],
        json: bool,
    ) -> CommandResult {
        let Self::Rows { file, format, levels } = self else {
            chart(environment, model, forecasts).await.print();
            return Ok(());
        };
        let columns = export::forecasts::columns(forecasts, levels)?;
        let Some(file) = file else {
            let mut bytes = Vec::new();
            export::write(&columns, *format, &mut bytes)?;
            print_bytes(&bytes);
            return Ok(());
        };
        export::write_file(&columns, *format, file).with_context(|| format!("--out {}", file.display()))?;
        let (rows, series) = (columns.rows(), forecasts.len());
        if json {
            print_json(&json!({ "file": file, "rows": rows, "series": series }))?;
        } else {
            print(format_args!("{rows} rows of {series} series in {}", file.display()));
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
        RefusalReason::BadRequest | RefusalReason::NothingToGoOn | RefusalReason::MissingCovariate => {
            ExitCode::Invalid
        }
    }
}

/// One line per series: a chart of its last steps and of those that are forecast, from 0 to the largest. The
/// answer is there already: where the past cannot be read, the chart is without it.
pub(super) async fn chart(
    environment: &Environment,
    model: &ModelSpec,
    forecasts: &[SeriesForecast],
) -> Table {
    let past = past(environment, model, forecasts).await.unwrap_or_else(|fault| {
        remark(format_args!("the steps before cannot be shown: {fault:#}"));
        None
    });
    table(forecasts, past.as_ref())
}

/// As many steps before the forecasts as they have; nothing where nothing is forecast.
async fn past(
    environment: &Environment,
    model: &ModelSpec,
    forecasts: &[SeriesForecast],
) -> anyhow::Result<Option<Frame>> {
    let dataset = environment.registry.dataset(&model.dataset).await?;
    let grid = dataset.map(|stored| stored.spec.grid());
    let first = forecasts.iter().map(|forecast| forecast.points.start).min();
    let (Some(grid), Some(first)) = (grid, first) else { return Ok(None) };
    let steps = forecasts.iter().map(|forecast| forecast.points.values.len()).max().unwrap_or(0);
    let from = Some(grid.advance(first, -i64::try_from(steps).unwrap_or(i64::MAX)));
    let ids = forecasts.iter().filter_map(|forecast| SeriesId::new(&*forecast.points.id).ok());
    let range = Range { series: Some(ids.collect()), from, ..Range::default() };
    Ok(Some(environment.history.read(&model.dataset, &grid, &range).await?))
}

/// As [`chart`], from the history that there is. Intervals need the room of the past.
pub(super) fn table(forecasts: &[SeriesForecast], past: Option<&Frame>) -> Table {
    let with_past = forecasts.iter().all(|forecast| forecast.intervals.is_empty());
    let (shown, widest_id) = if with_past { ("before │ forecast", 16) } else { ("forecast", 12) };
    let mut table = Table::new(["series", "from", shown, "largest", "answered by"]);
    for forecast in forecasts {
        let values: Vec<f64> = forecast.points.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let steps = narrowed(&values, CHART);
        let chart = if with_past {
            beside(&narrowed(&before(forecast, values.len(), past), CHART), &steps)
        } else {
            spark(&steps)
        };
        table.row([
            cut(&forecast.points.id, widest_id),
            local(&forecast.points),
            chart,
            largest(&values, &forecast.intervals),
            answered_by(forecast),
        ]);
    }
    table
}

/// One chart of both, with a bar between them.
fn beside(before: &[f64], steps: &[f64]) -> String {
    let chart: Vec<char> = spark(&[before, steps].concat()).chars().collect();
    let (left, right) = chart.split_at(before.len());
    format!("{}│{}", String::from_iter(left), String::from_iter(right))
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

/// The largest value, with the first of the intervals around it.
fn largest(values: &[f64], intervals: &[Interval]) -> String {
    let at = (0..values.len()).max_by(|&one, &other| values[one].total_cmp(&values[other]));
    let Some(at) = at else { return "-".to_owned() };
    let around = |interval: &Interval| {
        let Interval { level, lower, upper } = interval;
        format!(" ({level} %: {:.0}–{:.0})", lower[at], upper[at])
    };
    format!("{:.0}{}", values[at], intervals.first().map(around).unwrap_or_default())
}

/// The origin in the series' own time zone.
fn local(points: &SeriesValues) -> String {
    let zone = jiff::tz::TimeZone::get(&points.tz).unwrap_or(jiff::tz::TimeZone::UTC);
    points.start.to_zoned(zone).strftime("%m-%d %H:%M").to_string()
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

#[cfg(test)]
mod tests {
    use std::{slice, sync::Arc};

    use artifacts::ObjectArtifacts;
    use clock::ManualClock;
    use forecasting::spec::DatasetSpec;
    use history::{History as _, MemoryHistory, Observation};
    use jiff::{SignedDuration, Timestamp};
    use messaging::MemoryBroker;
    use protocol::messages::Route;
    use registry::{MemoryRegistry, Registry as _};

    use super::*;
    use crate::{config::Config, environment::Parts};

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn dataset(frequency: &str) -> DatasetSpec {
        let toml = format!("name = 'd'\nfrequency = '{frequency}'\ntime_zone = 'UTC'");
        toml::from_str(&toml).expect("a specification")
    }

    /// Of a daily dataset that was recorded by the hour, so that it cannot be read.
    async fn with_unreadable_history() -> Environment {
        let (registry, history) = (MemoryRegistry::new(), MemoryHistory::new());
        registry.apply_dataset(&dataset("P1D"), START).await.expect("is new");
        let observation = |hour| {
            let (series, ds) = ("a".parse().expect("an id"), START + SignedDuration::from_hours(hour));
            Observation { series, ds, y: 1.0 }
        };
        let hourly = dataset("PT1H");
        let recorded = history.record(&hourly.name, &hourly.grid(), &[0, 1].map(observation), START).await;
        assert_eq!(recorded.expect("is on its grid").new, 2);
        let clock = Arc::new(ManualClock::at(START));
        let parts = Parts {
            broker: Arc::new(MemoryBroker::new(clock.clone())),
            registry: Arc::new(registry),
            history: Arc::new(history),
            artifacts: Arc::new(ObjectArtifacts::memory()),
        };
        Environment::of(Config::default(), clock, parts)
    }

    #[tokio::test]
    async fn an_answer_is_shown_where_the_past_cannot_be_read() {
        let environment = with_unreadable_history().await;
        let model = "name = 'm'\ndataset = 'd'\nhorizon = 1\n[[learners]]\nlearner = 'weekly-mean'";
        let model: ModelSpec = toml::from_str(model).expect("a specification");
        let forecast = SeriesForecast {
            points: SeriesValues {
                id: "a".into(),
                start: START + SignedDuration::from_hours(24),
                frequency: "P1D".into(),
                tz: "UTC".into(),
                values: vec![Some(7.0)],
            },
            intervals: Vec::new(),
            version: None,
            generation: 0,
            route: Route::Fallback,
            reason: None,
        };
        let forecasts = slice::from_ref(&forecast);
        assert!(past(&environment, &model, forecasts).await.is_err());
        let lines = chart(&environment, &model, forecasts).await.lines();
        assert!(lines.iter().any(|line| line.starts_with("a ") && line.contains('7')), "{lines:#?}");
    }
}
