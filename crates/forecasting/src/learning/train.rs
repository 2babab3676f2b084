//! From a train job to a candidate.

use jiff::{SignedDuration, Timestamp};

use super::{
    competition::{Chosen, Competition, alone, compete},
    data_hash::data_hash,
    learner::{FitError, Material, fit},
    stop::{StopFlag, Stopped},
};
use crate::{
    artifact::Bundle,
    holidays::HolidayRegion,
    models::{Model, WeeklyMean},
    names::LearnerName,
    series::{Covariates, Frame},
    spec::{DatasetSpec, LearnerSpec, ModelSpec},
};

/// A train job with its data.
#[derive(Debug, Clone, Copy)]
pub struct TrainingRequest<'a> {
    /// The dataset of the series.
    pub dataset: &'a DatasetSpec,
    /// What to train.
    pub model: &'a ModelSpec,
    /// Hash of the model specification.
    pub spec_hash: &'a str,
    /// The history as recorded by `as_of`; what lies after the cut-off is not looked at.
    pub frame: &'a Frame,
    /// What is known of its series besides, likewise.
    pub covariates: &'a Covariates,
    /// Training sees what was recorded by then.
    pub as_of: Timestamp,
    /// Start of the last step that training may see.
    pub cut_off: Timestamp,
    /// Who competes.
    pub learners: &'a [LearnerSpec],
    /// Asks to stop.
    pub stop: &'a StopFlag,
}

/// What came of a train job.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The candidate.
    pub bundle: Bundle,
    /// How it was chosen.
    pub competition: Competition,
}

/// Why there is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// No learner could be fitted.
    #[error("no candidate: {reason}")]
    NoCandidate {
        /// Why, for people.
        reason: String,
    },
    /// Asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Fits the learners, lets them compete on origins before the cut-off if there are several, and returns
/// the best, fitted on everything up to the cut-off; the first that fits if there is no such origin. What the
/// winner was off on those origins makes its intervals. The same request gives the same bundle, byte for byte.
pub fn train(request: &TrainingRequest<'_>) -> Result<Trained, TrainError> {
    let frame = request.training_frame();
    if frame.last_target().is_none() {
        let reason = format!("{} has no value up to {}", request.dataset.name, request.cut_off);
        return Err(TrainError::NoCandidate { reason });
    }
    let chosen = match request.learners {
        [only] => alone(request, only, &frame)?,
        _ => compete(request, &frame)?,
    };
    let Chosen { learner, primary, intervals, competition } = chosen;
    let bundle = Bundle { intervals, ..request.bundle(&frame, learner, primary) };
    Ok(Trained { bundle, competition })
}

/// Fits one learner on everything up to the cut-off, without a competition and without intervals.
pub fn fit_alone(request: &TrainingRequest<'_>, learner: &LearnerSpec) -> Result<Bundle, FitError> {
    let frame = request.training_frame();
    let primary = fit(learner, &request.material(&frame))?;
    Ok(request.bundle(&frame, learner.name.clone(), primary))
}

pub(super) fn no_candidate(learner: &LearnerSpec, error: &FitError) -> TrainError {
    match error {
        FitError::Stopped(stopped) => TrainError::Stopped(*stopped),
        FitError::TooLittleHistory { .. } | FitError::TooShort { .. } | FitError::Unsuitable { .. } => {
            TrainError::NoCandidate { reason: format!("{}: {error}", learner.name) }
        }
    }
}

impl TrainingRequest<'_> {
    /// What training may see: up to the cut-off, and as far back as the model's memory goes.
    fn training_frame(&self) -> Frame {
        let grid = &self.frame.grid;
        let from = match self.model.train.memory_days {
            Some(days) => grid.start_of_day(self.cut_off, -i64::from(days)),
            None => Timestamp::MIN,
        };
        self.frame.window(from, just_after(self.cut_off))
    }

    pub(super) fn material<'a>(&'a self, frame: &'a Frame) -> Material<'a> {
        Material {
            frame,
            covariates: self.covariates,
            holidays: self.dataset.holidays.as_ref().map(HolidayRegion::calendar),
            horizon_steps: self.model.horizon_steps as usize,
            delay_steps: self.dataset.delay_steps(),
            seed: self.model.train.seed,
            stop: self.stop,
        }
    }

    fn bundle(&self, frame: &Frame, learner: LearnerName, primary: Model) -> Bundle {
        Bundle {
            model: self.model.name.clone(),
            dataset: self.dataset.name.clone(),
            spec_hash: self.spec_hash.to_owned(),
            data_hash: data_hash(frame, self.covariates),
            seed: self.model.train.seed,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            learner,
            grid: frame.grid.clone(),
            horizon_steps: self.model.horizon_steps,
            cut_off: self.cut_off,
            as_of: self.as_of,
            primary,
            fallback: WeeklyMean::new(self.model.fallback.weeks, &frame.grid),
            intervals: None,
        }
    }
}

/// A window's end does not belong to it.
pub(super) fn just_after(last_step: Timestamp) -> Timestamp {
    last_step.checked_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
