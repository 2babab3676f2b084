//! Where `protocol` and `forecasting` meet: messages become questions and observations, answers and
//! decisions become messages.

mod acts;

use std::{collections::BTreeSet, sync::Arc};

use forecasting::{
    evaluation::Errors,
    gate::Verdict,
    intervals::{Band, Intervals},
    names::SeriesId,
    routing::{Answer, FallbackReason, Question, Refusal, Route, SeriesForecast, Serving},
    series::{Frame, Grid, Series},
    spec::DatasetSpec,
};
use history::{IssuedForecast, Observation};
use jiff::{SignedDuration, Timestamp};
use protocol::{
    MAX_BODY_BYTES,
    messages::{
        self as wire, ArtifactReference, CandidateRefused, ForecastReply, ForecastRequest, ForecastsIssued,
        GateDecision, GateErrors, Interval, ModelPromoted, ObservationBatch, RefusalReason, RefusingVerdict,
        RouteReason, SeriesRefusal, SeriesValues,
    },
};
use registry::{Decision, Incumbent};

pub use acts::{act_reply, check_statement, unknown_model, wanted_act};

use crate::import::{OUTSIDE_YEARS, is_within_years};

/// Longest horizon that may be asked for, in steps.
const MAX_HORIZON_STEPS: u32 = 10_000;
/// What a point and a series take in a reply, at the most, in bytes of JSON: a number with all its digits; the
/// names of a series' fields, and its id twice over for what must be escaped.
const POINT_BYTES: usize = 22;
const SERIES_BYTES: usize = 300;
/// The names of the fields of one interval.
const INTERVAL_BYTES: usize = 50;
/// Most levels of intervals in one request.
const MAX_LEVELS: usize = 10;
/// Most points of the history in one request or batch.
const MAX_HISTORY_POINTS: usize = 100_000;
/// Largest absolute value of an observation.
const MAX_ABSOLUTE: f64 = 1e15;

/// A field of a message that cannot be taken: names field and value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadField(String);

impl BadField {
    fn new(field: impl std::fmt::Display, problem: impl std::fmt::Display) -> Self {
        Self(format!("{field}: {problem}"))
    }
}

impl From<BadField> for ForecastReply {
    fn from(bad: BadField) -> Self {
        Self::Refused { reason: RefusalReason::BadRequest, message: bad.to_string() }
    }
}

/// What a request asks, and the history to answer it from: its own, or the recorded one.
///
/// # Errors
/// [`BadField`] names the field and its value.
pub fn question(
    request: &ForecastRequest,
    serving: &Serving,
    recorded: Option<Arc<Frame>>,
) -> Result<(Question, Arc<Frame>), BadField> {
    let horizon_steps = request.horizon.unwrap_or(serving.model.horizon_steps);
    if !(1..=MAX_HORIZON_STEPS).contains(&horizon_steps) {
        return Err(BadField::new("horizon", format!("{horizon_steps} is not in 1 to {MAX_HORIZON_STEPS}")));
    }
    let grid = serving.dataset.grid();
    let history = match (request.history.is_empty(), recorded) {
        (false, _) => Arc::new(inline_history(&request.history, &grid)?),
        (true, Some(recorded)) => recorded,
        (true, None) => Arc::new(Frame::new(grid, Vec::new()).expect("no series is no repeated series")),
    };
    let series = match request.series.as_slice() {
        [] => history.series.iter().map(|series| series.id.clone()).collect(),
        named => series_ids(named)?,
    };
    if series.is_empty() {
        return Err(BadField::new("series", "none named, and nothing was recorded for the model's dataset"));
    }
    let levels = levels(&request.levels)?;
    let question = Question { series, horizon_steps, origin: request.origin, levels };
    let reply_bytes = reply_bytes(&question);
    if reply_bytes > MAX_BODY_BYTES {
        let asked = format!("{} series × {horizon_steps} steps", question.series.len());
        let problem =
            format!("{asked} may take {reply_bytes} bytes in one reply, at most {MAX_BODY_BYTES} fit");
        return Err(BadField::new("horizon", problem));
    }
    Ok((question, history))
}

/// How many points a question asks for.
pub fn points_asked(question: &Question) -> usize {
    question.series.len() * question.horizon_steps as usize
}

/// Whether the reply to a question is small enough for a message.
pub fn fits_into_a_reply(question: &Question) -> bool {
    reply_bytes(question) <= MAX_BODY_BYTES
}

/// The size that a reply has at the most: a request that is refused beats a reply that cannot be sent.
fn reply_bytes(question: &Question) -> usize {
    let ids: usize = question.series.iter().map(|id| 2 * id.as_str().len()).sum();
    let numbers = points_asked(question) * (1 + 2 * question.levels.len());
    let series_bytes = SERIES_BYTES + question.levels.len() * INTERVAL_BYTES;
    ids + question.series.len() * series_bytes + numbers * POINT_BYTES
}

/// The levels of intervals asked for: each one possible, and once.
fn levels(asked: &[u8]) -> Result<Vec<u8>, BadField> {
    if asked.len() > MAX_LEVELS {
        return Err(BadField::new("levels", format!("{} levels, at most {MAX_LEVELS}", asked.len())));
    }
    for (at, level) in asked.iter().enumerate() {
        let possible = Intervals::LEVELS;
        if !possible.contains(level) {
            let problem = format!("{level} is not in {} to {} (percent)", possible.start(), possible.end());
            return Err(BadField::new(format_args!("levels[{at}]"), problem));
        }
        if asked[..at].contains(level) {
            return Err(BadField::new(format_args!("levels[{at}]"), format!("{level} is named twice")));
        }
    }
    Ok(asked.to_vec())
}

fn series_ids(named: &[String]) -> Result<Vec<SeriesId>, BadField> {
    let checked = named.iter().enumerate().map(|(at, id)| {
        SeriesId::new(id.as_str()).map_err(|invalid| BadField::new(format_args!("series[{at}]"), invalid))
    });
    let ids: Vec<SeriesId> = checked.collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    match ids.iter().find(|id| !seen.insert(*id)) {
        Some(twice) => Err(BadField::new("series", format!("{:?} is named twice", twice.as_str()))),
        None => Ok(ids),
    }
}

fn inline_history(history: &[SeriesValues], grid: &Grid) -> Result<Frame, BadField> {
    let points: usize = history.iter().map(|series| series.values.len()).sum();
    if points > MAX_HISTORY_POINTS {
        return Err(BadField::new(
            "history",
            format!("{points} values, at most {MAX_HISTORY_POINTS} are allowed"),
        ));
    }
    let series =
        history.iter().enumerate().map(|(at, values)| series(values, grid, &format!("history[{at}]")));
    let frame = Frame::new(grid.clone(), series.collect::<Result<_, _>>()?);
    frame.map_err(|repeated| BadField::new("history", repeated))
}

/// A series as it travels, on the grid of its dataset.
fn series(values: &SeriesValues, grid: &Grid, field: &str) -> Result<Series, BadField> {
    let id = SeriesId::new(values.id.as_str())
        .map_err(|invalid| BadField::new(format_args!("{field}.id"), invalid))?;
    if values.frequency != grid.frequency().to_string() {
        let problem = format!("{:?}, but the dataset has {}", values.frequency, grid.frequency());
        return Err(BadField::new(format_args!("{field}.frequency"), problem));
    }
    if values.tz != grid.time_zone_name() {
        let problem = format!("{:?}, but the dataset has {:?}", values.tz, grid.time_zone_name());
        return Err(BadField::new(format_args!("{field}.tz"), problem));
    }
    let unusable = |value: &Option<f64>| value.is_some_and(|y| !y.is_finite() || y.abs() > MAX_ABSOLUTE);
    if let Some(at) = values.values.iter().position(unusable) {
        let problem = format!("{:?} is not a finite number of at most {MAX_ABSOLUTE:e}", values.values[at]);
        return Err(BadField::new(format_args!("{field}.values[{at}]"), problem));
    }
    let values_or_nan = values.values.iter().map(|value| value.unwrap_or(f64::NAN));
    Ok(Series { id, start: values.start, values: values_or_nan.collect() })
}

/// The observations of a batch: all of them, or the first thing that is wrong.
///
/// # Errors
/// [`BadField`] names the field and its value.
pub fn observations(
    batch: &ObservationBatch,
    dataset: &DatasetSpec,
    now: Timestamp,
) -> Result<Vec<Observation>, BadField> {
    let grid = dataset.grid();
    let mut observations = Vec::new();
    for (at, values) in batch.series.iter().enumerate() {
        let field = format!("series[{at}]");
        let series = series(values, &grid, &field)?;
        check_start(&series, &grid, &field)?;
        check_not_in_the_future(&series, &grid, &field, now)?;
        if let Some(step) = series.values.iter().position(|&y| !dataset.negative.allows(y)) {
            let problem = format!("{} is negative, which the dataset refuses", series.values[step]);
            return Err(BadField::new(format_args!("{field}.values[{step}]"), problem));
        }
        let known = series.values.iter().enumerate().filter(|(_, y)| !y.is_nan());
        observations.extend(known.map(|(step, &y)| Observation {
            series: series.id.clone(),
            ds: series.timestamp(&grid, step),
            y,
        }));
        if observations.len() > MAX_HISTORY_POINTS {
            return Err(BadField::new(
                "series",
                format!("more than {MAX_HISTORY_POINTS} values in one batch"),
            ));
        }
    }
    Ok(observations)
}

fn check_start(series: &Series, grid: &Grid, field: &str) -> Result<(), BadField> {
    let refused = |problem| Err(BadField::new(format_args!("{field}.start"), problem));
    if !is_within_years(series.start) {
        return refused(format!("{} {OUTSIDE_YEARS}", series.start));
    }
    // The steps that follow are counted from the local day, which would move the first value silently.
    match grid.steps_between(series.start, series.start) {
        Ok(_) => Ok(()),
        Err(_) => refused(format!("{} is not the start of a day in {}", series.start, grid.time_zone_name())),
    }
}

fn check_not_in_the_future(
    series: &Series,
    grid: &Grid,
    field: &str,
    now: Timestamp,
) -> Result<(), BadField> {
    let latest = now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
    match series.last_target(grid) {
        Some(last) if last > latest => {
            let problem = format!("the last value is of {last}, more than a day ahead of the clock ({now})");
            Err(BadField::new(format_args!("{field}.values"), problem))
        }
        _ => Ok(()),
    }
}

/// The reply to a request.
pub fn reply(answer: &Answer, serving: &Serving, stale_since: Option<Timestamp>) -> ForecastReply {
    let grid = serving.dataset.grid();
    let refused: Vec<SeriesRefusal> =
        answer.refused.iter().map(|(id, why)| refusal(id, why, serving)).collect();
    if answer.forecasts.is_empty()
        && let [only] = refused.as_slice()
    {
        return ForecastReply::Refused { reason: only.reason, message: only.message.clone() };
    }
    let forecast = |forecast: &SeriesForecast| {
        let (route, reason) = route(forecast.route);
        let (version, generation) = (forecast.version, forecast.generation);
        let (points, intervals) = (points(forecast, &grid), forecast.bands.iter().map(interval).collect());
        wire::SeriesForecast { points, intervals, version, generation, route, reason }
    };
    ForecastReply::Answered {
        model: serving.model.name.to_string(),
        forecasts: answer.forecasts.iter().map(forecast).collect(),
        refused,
        stale_since,
    }
}

fn interval(band: &Band) -> Interval {
    Interval { level: band.level, lower: band.lower.clone(), upper: band.upper.clone() }
}

fn points(forecast: &SeriesForecast, grid: &Grid) -> SeriesValues {
    SeriesValues {
        id: forecast.id.to_string(),
        start: forecast.origin,
        frequency: grid.frequency().to_string(),
        tz: grid.time_zone_name().to_owned(),
        values: forecast.values.iter().copied().map(Some).collect(),
    }
}

fn route(route: Route) -> (wire::Route, Option<RouteReason>) {
    match route {
        Route::Primary => (wire::Route::Primary, None),
        Route::Fallback(reason) => {
            let reason = match reason {
                FallbackReason::NoIncumbent => RouteReason::NoIncumbent,
                FallbackReason::HistoryTooShort { .. } => RouteReason::HistoryTooShort,
                FallbackReason::HorizonTooLong { .. } => RouteReason::HorizonTooLong,
                FallbackReason::TrainedElsewhere => RouteReason::TrainedElsewhere,
                FallbackReason::NotFinite { .. } => RouteReason::NotFinite,
            };
            (wire::Route::Fallback, Some(reason))
        }
    }
}

fn refusal(id: &SeriesId, why: &Refusal, serving: &Serving) -> SeriesRefusal {
    let reason = match why {
        Refusal::UnknownSeries => RefusalReason::UnknownSeries,
        Refusal::NothingToGoOn | Refusal::NotFinite => RefusalReason::NothingToGoOn,
        Refusal::OffGrid { .. } | Refusal::HorizonOutOfRange { .. } => RefusalReason::BadRequest,
        Refusal::MissingCovariate(_) | Refusal::NeedsCovariates => RefusalReason::MissingCovariate,
    };
    let message = format!("series {:?} of dataset {}: {why}", id.as_str(), serving.dataset.name);
    SeriesRefusal { id: id.to_string(), reason, message }
}

/// The forecasts of an answer as they go into the history.
pub fn issued(
    answer: &Answer,
    serving: &Serving,
    request_id: &str,
    issued_at: Timestamp,
) -> Vec<wire::IssuedForecast> {
    let grid = serving.dataset.grid();
    let issue = |forecast: &SeriesForecast| {
        let (route, reason) = route(forecast.route);
        wire::IssuedForecast {
            request_id: request_id.to_owned(),
            model: serving.model.name.to_string(),
            issued_at,
            points: points(forecast, &grid),
            version: forecast.version,
            generation: forecast.generation,
            route,
            reason,
        }
    };
    answer.forecasts.iter().map(issue).collect()
}

/// Forecasts that were given out, for the history.
///
/// # Errors
/// [`BadField`] names the field and its value.
pub fn issued_forecasts(batch: ForecastsIssued) -> Result<Vec<IssuedForecast>, BadField> {
    let convert = |(at, forecast): (usize, wire::IssuedForecast)| {
        let field = |name: &str| format!("forecasts[{at}].{name}");
        let values: Option<Vec<f64>> = forecast.points.values.iter().copied().collect();
        Ok(IssuedForecast {
            request_id: forecast.request_id,
            model: forecast.model.parse().map_err(|invalid| BadField::new(field("model"), invalid))?,
            series: forecast
                .points
                .id
                .parse()
                .map_err(|invalid| BadField::new(field("points.id"), invalid))?,
            origin: forecast.points.start,
            issued_at: forecast.issued_at,
            version: forecast.version,
            generation: forecast.generation,
            route: wire_name(&forecast.route),
            reason: forecast.reason.as_ref().map(wire_name),
            values: values
                .ok_or_else(|| BadField::new(field("points.values"), "a forecast has no missing values"))?,
        })
    };
    batch.forecasts.into_iter().enumerate().map(convert).collect()
}

/// The name that an enum without fields has on the wire.
pub fn wire_name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("an enum without fields is a text on the wire, not {other:?}"),
    }
}

/// The event that announces a recorded decision; the same every time. `incumbents` are all that the model
/// ever had.
pub fn gate_decision(decision: &Decision, incumbents: &[Incumbent]) -> GateDecision {
    let judgement = &decision.judgement;
    let errors = |errors: &Errors| GateErrors { average: errors.average, worst_case: errors.worst_case };
    let (candidate, incumbent) =
        (judgement.candidate.as_ref().map(errors), judgement.incumbent.as_ref().map(errors));
    let model = decision.model.to_string();
    let opponent = incumbents.iter().find(|one| Some(one.generation) == decision.judged_against);
    let (reasons, decided_at) = (reasons(decision, opponent), decision.decided_at);
    match (&decision.promoted, candidate, incumbent) {
        (Some(promoted), Some(candidate), Some(incumbent)) => GateDecision::Promoted(ModelPromoted {
            model,
            version: promoted.version,
            generation: promoted.generation,
            artifact: reference(promoted),
            candidate,
            incumbent,
            reasons,
            previous_version: promoted.previous_version,
            decided_at,
        }),
        _ => GateDecision::Refused(CandidateRefused {
            model,
            version: decision.version,
            verdict: refusing_verdict(&judgement.verdict),
            reasons,
            candidate,
            incumbent,
            incumbent_version: opponent.map(|opponent| opponent.version),
            decided_at,
        }),
    }
}

/// Why it was decided so, with the acts of people that had a part in it.
fn reasons(decision: &Decision, opponent: Option<&Incumbent>) -> Vec<String> {
    let mut reasons = match &decision.barred_by {
        Some(act) => vec![acts::barred(act)],
        None if decision.judgement.verdict == Verdict::Promote && decision.promoted.is_none() => {
            let stays = "it is better on both errors, but a person put it into use before this verdict: what is in \
                         use stays";
            vec![stays.to_owned()]
        }
        None => decision.judgement.reasons(),
    };
    if let Some(opponent) = opponent
        && let Some(act) = opponent.act()
    {
        reasons.push(format!("version {}, which it was judged against, was {act}", opponent.version));
    }
    reasons
}

fn reference(incumbent: &Incumbent) -> ArtifactReference {
    ArtifactReference { sha256: incumbent.artifact.to_string(), size_bytes: incumbent.size_bytes }
}

fn refusing_verdict(verdict: &Verdict) -> RefusingVerdict {
    match verdict {
        // A promotion without the errors that it rests on is none.
        Verdict::Promote | Verdict::KeepIncumbent(_) => RefusingVerdict::KeepIncumbent,
        Verdict::NotEnoughEvidence(_) => RefusingVerdict::NotEnoughEvidence,
        Verdict::NoCandidate(_) => RefusingVerdict::NoCandidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_observation_is_named_where_the_dataset_refuses_it() {
        let dataset = |more: &str| -> DatasetSpec {
            toml::from_str(&format!("name = 'd'\nfrequency = 'P1D'\ntime_zone = 'UTC'\n{more}"))
                .expect("is one")
        };
        let start: Timestamp = "2025-01-01T00:00:00Z".parse().expect("is a time stamp");
        let values = vec![Some(1.0), None, Some(-2.0)];
        let series = SeriesValues {
            id: "a".to_owned(),
            start,
            frequency: "P1D".to_owned(),
            tz: "UTC".to_owned(),
            values,
        };
        let batch = ObservationBatch { dataset: "d".to_owned(), series: vec![series] };
        let now = start + SignedDuration::from_hours(72);
        assert_eq!(observations(&batch, &dataset(""), now).map(|all| all.len()).ok(), Some(2));
        let refused = observations(&batch, &dataset("negative = 'refuse'"), now).expect_err("is negative");
        assert_eq!(refused.to_string(), "series[0].values[2]: -2 is negative, which the dataset refuses");
    }
}
