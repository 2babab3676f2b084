//! Which learner to take: the one with the lowest average error on origins before the cut-off. The gate
//! judges it on origins after the cut-off, which nothing here sees.

use jiff::Timestamp;

use super::{
    learner::{FitError, fit},
    stop::Stopped,
    train::{TrainError, TrainingRequest, just_after, no_candidate},
};
use crate::{
    evaluation::{Errors, Forecasts, LossScales, RowSet, holdout_origins},
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
    let mut failures = Vec::new();
    for learner in request.learners {
        match fit(learner, &request.material(&held_out.past)) {
            Ok(model) => match held_out.errors(request, &model)? {
                Some(errors) => ranking.push((learner, held_out.competitor(learner, &errors))),
                None => failures.push(format!("{}: a forecast of it is no number", learner.name)),
            },
            Err(FitError::Stopped(stopped)) => return Err(stopped.into()),
            Err(error) => failures.push(format!("{}: {error}", learner.name)),
        }
    }
    // A stable sort: among equals the one that the specification names first wins.
    ranking.sort_by(|(_, one), (_, other)| one.average_error.total_cmp(&other.average_error));
    let Some(&(learner, _)) = ranking.first() else {
        let why =
            format!("without the newest part of the history none could compete ({})", failures.join("; "));
        return first_that_fits(request, frame, why);
    };
    let primary = fit(learner, &request.material(frame)).map_err(|error| no_candidate(learner, &error))?;
    let competed = ranking.into_iter().map(|(_, competitor)| competitor).collect();
    Ok(Chosen { learner: learner.name.clone(), primary, competed, uncontested: None })
}

/// Without a competition the order of the specification decides.
fn first_that_fits(request: &TrainingRequest<'_>, frame: &Frame, why: String) -> Result<Chosen, TrainError> {
    let mut failures = Vec::new();
    for learner in request.learners {
        match fit(learner, &request.material(frame)) {
            Ok(primary) => {
                let (learner, competed) = (learner.name.clone(), Vec::new());
                return Ok(Chosen { learner, primary, competed, uncontested: Some(why) });
            }
            Err(FitError::Stopped(stopped)) => return Err(stopped.into()),
            Err(error) => failures.push(format!("{}: {error}", learner.name)),
        }
    }
    if failures.is_empty() {
        failures.push("no learner is named".to_owned());
    }
    Err(TrainError::NoCandidate { reason: failures.join("; ") })
}

/// Who was chosen, and how.
pub(super) struct Chosen {
    pub(super) learner: LearnerName,
    /// Fitted on all of the history.
    pub(super) primary: Model,
    /// Best first; empty without a competition.
    pub(super) competed: Vec<Competitor>,
    /// Why several learners did not compete.
    pub(super) uncontested: Option<String>,
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

    /// The errors of what a forecaster would answer with this model; `None` if a forecast is no number.
    fn errors(&self, request: &TrainingRequest<'_>, model: &Model) -> Result<Option<Errors>, Stopped> {
        let forecasts: Forecasts = self.rows.forecast(|history, origin| {
            request.stop.check()?;
            let task = Task {
                dataset: &request.dataset.name,
                history,
                grid: &self.past.grid,
                origin,
                horizon_steps: request.model.horizon_steps,
            };
            Ok(routing::as_candidate(answer_with(model, self.fallback, &task)).map(|(values, _)| values))
        })?;
        Ok(self.rows.errors(&forecasts, &self.scales))
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
