//! Which learner to take: the one with the lowest average error on origins before the cut-off. The gate
//! judges it on origins after the cut-off, which nothing here sees.

use jiff::Timestamp;

use super::{
    learner::{FitError, fit},
    stop::Stopped,
    train::{TrainError, TrainingRequest, just_after},
};
use crate::{
    evaluation::{Errors, Forecasts, LossScales, RowSet, holdout_origins},
    models::{Model, Predict, PredictError, WeeklyMean},
    names::LearnerName,
    series::Frame,
    spec::LearnerSpec,
};

/// Origins that the learners compete on, where the history has as many.
const ORIGINS: u32 = 28;
/// At most this part of the history is kept from the learners while they compete.
const LARGEST_PART: i64 = 3;

/// The best learner, and how all of them did, best first.
pub(super) fn compete<'a>(
    request: &TrainingRequest<'a>,
    frame: &Frame,
    learners: &'a [LearnerSpec],
) -> Result<(&'a LearnerSpec, Vec<Competitor>), TrainError> {
    let arena = Arena::new(request, frame);
    let mut ranking = Vec::new();
    let mut failures = Vec::new();
    for learner in learners {
        match fit(learner, &request.material(&arena.past)) {
            Ok(model) => match arena.errors(request, &model)? {
                Some(errors) => ranking.push((learner, arena.competitor(learner, &errors))),
                None => failures.push(format!("{}: nothing to compare it on", learner.name)),
            },
            Err(FitError::Stopped(stopped)) => return Err(stopped.into()),
            Err(error) => failures.push(format!("{}: {error}", learner.name)),
        }
    }
    // A stable sort: among equals the one that the specification names first wins.
    ranking.sort_by(|(_, one), (_, other)| one.average_error.total_cmp(&other.average_error));
    match ranking.first() {
        Some(&(best, _)) => Ok((best, ranking.into_iter().map(|(_, competitor)| competitor).collect())),
        None if failures.is_empty() => {
            Err(TrainError::NoCandidate { reason: "no learner is named".to_owned() })
        }
        None => Err(TrainError::NoCandidate { reason: failures.join("; ") }),
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

/// Where learners compete: a past to fit on, and rows after it.
struct Arena<'a> {
    past: Frame,
    rows: RowSet<'a>,
    scales: LossScales,
    fallback: WeeklyMean,
}

impl<'a> Arena<'a> {
    fn new(request: &TrainingRequest<'_>, frame: &'a Frame) -> Self {
        let last_known = split(request, frame);
        let (delay, horizon_steps) = (request.dataset.availability_delay, request.model.horizon_steps);
        let origins = holdout_origins(&frame.grid, last_known, delay, request.cut_off, horizon_steps);
        Self {
            past: frame.window(Timestamp::MIN, just_after(last_known)),
            rows: RowSet::new(frame, origins, horizon_steps, delay),
            scales: LossScales::in_sample(frame, last_known),
            fallback: WeeklyMean::new(request.model.fallback.weeks, &frame.grid),
        }
    }

    /// The errors of what a forecaster would answer with this model; `None` without a row to score.
    fn errors(&self, request: &TrainingRequest<'_>, model: &Model) -> Result<Option<Errors>, Stopped> {
        let grid = &self.past.grid;
        let steps = request.model.horizon_steps as usize;
        let forecasts: Forecasts = self.rows.forecast(|history, origin| {
            request.stop.check()?;
            Ok(match model.predict(history, grid, origin, steps) {
                Err(PredictError::HistoryTooShort { .. }) => {
                    self.fallback.predict(history, grid, origin, steps)
                }
                answer => answer,
            })
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
fn split(request: &TrainingRequest<'_>, frame: &Frame) -> Timestamp {
    let grid = &frame.grid;
    let stride = i64::try_from(grid.steps_per_stride()).expect("a day has at most 1,440 steps");
    // All but a step of one more stride, because the last origin may lie that much before its latest place.
    let wanted = stride * i64::from(ORIGINS) - 1 + i64::from(request.model.horizon_steps);
    let first = frame.first_target().unwrap_or(request.cut_off);
    let last = grid.floor(first, request.cut_off);
    let most = grid.steps_up_to(first, last) / LARGEST_PART;
    grid.advance(last, -wanted.min(most))
}
