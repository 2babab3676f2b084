//! Which learner to take: the one with the lowest average error on origins before the cut-off. The gate
//! judges it on origins after the cut-off, which nothing here sees.

use std::fmt;

use jiff::Timestamp;

use super::{
    learner::{FitError, fit},
    stop::Stopped,
    train::{TrainError, TrainingRequest, just_after, no_candidate},
};
use crate::{
    evaluation::{Errors, Forecasts, LossScales, RowSet, holdout_origins},
    intervals::Intervals,
    models::{Model, WeeklyMean},
    names::LearnerName,
    routing::{self, Task, answer_with},
    series::Frame,
    spec::LearnerSpec,
};

/// Origins that the learners compete on, where the history has as many.
const ORIGINS: u32 = 28;
/// At most this part of the history is kept from the learners while they compete.
const LARGEST_PART: i64 = 3;

/// Fits the best learner on all of the history.
pub(super) fn compete(request: &TrainingRequest<'_>, frame: &Frame) -> Result<Chosen, TrainError> {
    let held_out = CompetitionRows::new(request, frame);
    if held_out.rows.rows().is_empty() {
        let why = "the history has no origin to compete on".to_owned();
        return first_that_fits(request, frame, why);
    }
    let mut ranking = Vec::new();
    let mut left_out = Vec::new();
    for learner in request.learners {
        match held_out.enter(request, learner)? {
            Ok(entry) => ranking.push((learner, entry)),
            Err(reason) => left_out.push(LeftOut { learner: learner.name.clone(), reason }),
        }
    }
    // A stable sort: among equals the one that the specification names first wins.
    ranking.sort_by(|(_, one), (_, other)| {
        one.competitor.average_error.total_cmp(&other.competitor.average_error)
    });
    let Some((learner, best)) = ranking.first() else {
        let failures: Vec<String> = left_out.iter().map(ToString::to_string).collect();
        let why =
            format!("without the newest part of the history none could compete ({})", failures.join("; "));
        return first_that_fits(request, frame, why);
    };
    let primary = fit(learner, &request.material(frame)).map_err(|error| no_candidate(learner, &error))?;
    let intervals = Intervals::calibrate(&held_out.rows, &best.forecasts);
    let competition = Competition {
        competed: ranking.iter().map(|(_, entry)| entry.competitor.clone()).collect(),
        left_out,
        uncontested: None,
    };
    Ok(Chosen { learner: learner.name.clone(), primary, intervals, competition })
}

/// Fits the only learner there is: once on the past, to see how far off it is, and once on all of it.
pub(super) fn alone(
    request: &TrainingRequest<'_>,
    learner: &LearnerSpec,
    frame: &Frame,
) -> Result<Chosen, TrainError> {
    let primary = fit(learner, &request.material(frame)).map_err(|error| no_candidate(learner, &error))?;
    let held_out = CompetitionRows::new(request, frame);
    let entry = if held_out.rows.rows().is_empty() { None } else { held_out.enter(request, learner)?.ok() };
    let intervals = entry.and_then(|entry| Intervals::calibrate(&held_out.rows, &entry.forecasts));
    Ok(Chosen { learner: learner.name.clone(), primary, intervals, competition: Competition::default() })
}

/// Without a competition the order of the specification decides.
fn first_that_fits(request: &TrainingRequest<'_>, frame: &Frame, why: String) -> Result<Chosen, TrainError> {
    let mut left_out = Vec::new();
    for learner in request.learners {
        match fit(learner, &request.material(frame)) {
            Ok(primary) => {
                let competition = Competition { competed: Vec::new(), left_out, uncontested: Some(why) };
                let learner = learner.name.clone();
                return Ok(Chosen { learner, primary, intervals: None, competition });
            }
            Err(FitError::Stopped(stopped)) => return Err(stopped.into()),
            Err(error) => {
                left_out.push(LeftOut { learner: learner.name.clone(), reason: error.to_string() });
            }
        }
    }
    let failures: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    let reason = if failures.is_empty() { "no learner is named".to_owned() } else { failures.join("; ") };
    Err(TrainError::NoCandidate { reason })
}

/// Who was chosen, and how.
pub(super) struct Chosen {
    pub(super) learner: LearnerName,
    /// Fitted on all of the history.
    pub(super) primary: Model,
    /// How far off it was where it had not seen the history.
    pub(super) intervals: Option<Intervals>,
    pub(super) competition: Competition,
}

/// How a candidate was chosen among the learners of its model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Competition {
    /// Who competed, best first; empty where there was only one learner, or no competition.
    pub competed: Vec<Competitor>,
    /// Who could not.
    pub left_out: Vec<LeftOut>,
    /// Why several learners did not compete and the first that could be fitted was taken, for people.
    pub uncontested: Option<String>,
}

/// A learner that could not compete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Who.
    pub learner: LearnerName,
    /// Why, for people.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.learner, self.reason)
    }
}

/// A learner in the competition before the cut-off.
#[derive(Debug, Clone, PartialEq)]
pub struct Competitor {
    /// Who.
    pub learner: LearnerName,
    /// Mean of the scaled absolute errors.
    pub average_error: f64,
    /// Mean of the worst hundredth of the scaled absolute errors.
    pub worst_case_error: f64,
    /// How many forecasts were scored.
    pub rows: u64,
    /// Of how many series.
    pub series: u32,
}

/// What a learner did in the competition.
struct Entry {
    competitor: Competitor,
    forecasts: Forecasts,
}

/// Where learners compete: a past to fit on, and rows after it.
struct CompetitionRows<'a> {
    past: Frame,
    rows: RowSet<'a>,
    scales: LossScales,
    fallback: WeeklyMean,
}

impl<'a> CompetitionRows<'a> {
    fn new(request: &TrainingRequest<'_>, frame: &'a Frame) -> Self {
        // The cut-off of a job need not be a step of the data.
        let last_target = frame.last_target().unwrap_or(request.cut_off);
        let last_known = split(request, frame, last_target);
        let (delay, horizon_steps) = (request.dataset.availability_delay, request.model.horizon_steps);
        let origins = holdout_origins(&frame.grid, last_known, delay, last_target, horizon_steps);
        Self {
            past: frame.window(Timestamp::MIN, just_after(last_known)),
            rows: RowSet::new(frame, origins, horizon_steps, delay),
            scales: LossScales::in_sample(frame, last_known),
            fallback: WeeklyMean::new(request.model.fallback.weeks, &frame.grid),
        }
    }

    /// Fits a learner on the past and lets it forecast the rows; the inner error says why it cannot compete.
    fn enter(
        &self,
        request: &TrainingRequest<'_>,
        learner: &LearnerSpec,
    ) -> Result<Result<Entry, String>, Stopped> {
        let model = match fit(learner, &request.material(&self.past)) {
            Ok(model) => model,
            Err(FitError::Stopped(stopped)) => return Err(stopped),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let forecasts = self.forecast(request, &model)?;
        let Some(errors) = self.rows.errors(&forecasts, &self.scales) else {
            return Ok(Err(problem(&forecasts)));
        };
        Ok(Ok(Entry { competitor: self.competitor(learner, &errors), forecasts }))
    }

    /// What a forecaster would answer with this model.
    fn forecast(&self, request: &TrainingRequest<'_>, model: &Model) -> Result<Forecasts, Stopped> {
        self.rows.forecast(|history, origin| {
            request.stop.check()?;
            let task = Task {
                dataset: &request.dataset.name,
                history,
                covariates: request.covariates.of(&history.id),
                grid: &self.past.grid,
                origin,
                horizon_steps: request.model.horizon_steps,
            };
            Ok(routing::as_candidate(answer_with(model, self.fallback, &task)).map(|(values, _)| values))
        })
    }

    fn competitor(&self, learner: &LearnerSpec, errors: &Errors) -> Competitor {
        let series = self.rows.scored_series().count();
        Competitor {
            learner: learner.name.clone(),
            average_error: errors.average,
            worst_case_error: errors.worst_case,
            rows: self.rows.rows().len() as u64,
            series: u32::try_from(series).expect("a frame has fewer than 2^32 series"),
        }
    }
}

/// Why forecasts cannot be scored, for people.
fn problem(forecasts: &Forecasts) -> String {
    let fault = forecasts.faults.first();
    fault.map_or_else(
        || "its errors are no numbers".to_owned(),
        |fault| format!("its forecast of {} from {} {}", fault.series, fault.origin, fault.problem),
    )
}

/// The last step that learners see while they compete.
fn split(request: &TrainingRequest<'_>, frame: &Frame, last_target: Timestamp) -> Timestamp {
    let grid = &frame.grid;
    let stride = i64::try_from(grid.steps_per_stride()).expect("a day has at most 1,440 steps");
    // All but a step of one more stride, because the last origin may lie that much before its latest place;
    // and the first waits until the last step that learners see is known.
    let wanted = stride * i64::from(ORIGINS) - 1
        + i64::from(request.model.horizon_steps)
        + i64::from(request.dataset.delay_steps());
    let first = frame.first_target().unwrap_or(last_target);
    let most = grid.steps_up_to(first, last_target) / LARGEST_PART;
    grid.advance(last_target, -wanted.min(most))
}
