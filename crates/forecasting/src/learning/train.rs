//! From a train job to a candidate.

use jiff::{SignedDuration, Timestamp};

use super::{
    competition::compete,
    data_hash::data_hash,
    learner::{FitError, Material, fit},
    stop::{StopFlag, Stopped},
};
use crate::{
    artifact::Bundle,
    evaluation::LossScales,
    models::{Model, WeeklyMean},
    names::LearnerName,
    series::Frame,
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
    /// Who competed, best first; empty where there was only one learner.
    pub competed: Vec<Competitor>,
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
/// the best, fitted on everything up to the cut-off. The same request gives the same bundle, byte for byte.
pub fn train(request: &TrainingRequest<'_>) -> Result<Trained, TrainError> {
    let frame = request.training_frame();
    if frame.last_target().is_none() {
        let reason = format!("{} has no value up to {}", request.dataset.name, request.cut_off);
        return Err(TrainError::NoCandidate { reason });
    }
    let (learner, competed) = match request.learners {
        [only] => (only, Vec::new()),
        several => compete(request, &frame, several)?,
    };
    let primary = fit(learner, &request.material(&frame)).map_err(|error| no_candidate(learner, &error))?;
    Ok(Trained {
        bundle: request.bundle(&frame, learner, primary),
        competed,
    })
}

fn no_candidate(learner: &LearnerSpec, error: &FitError) -> TrainError {
    match error {
        FitError::Stopped(stopped) => TrainError::Stopped(*stopped),
        FitError::TooLittleHistory { .. } => TrainError::NoCandidate {
            reason: format!("{}: {error}", learner.name),
        },
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
            horizon_steps: self.model.horizon_steps as usize,
            delay_steps: self.delay_steps(),
            seed: self.model.train.seed,
            stop: self.stop,
        }
    }

    /// How many of the newest steps before an origin are not known then.
    fn delay_steps(&self) -> u32 {
        let step = self.dataset.frequency.nominal().as_secs();
        let steps = (self.dataset.availability_delay.as_secs() + step - 1) / step;
        u32::try_from(steps).expect("a delay is at most 366 days")
    }

    fn bundle(&self, frame: &Frame, learner: &LearnerSpec, primary: Model) -> Bundle {
        let scales = LossScales::in_sample(self.frame, self.cut_off);
        Bundle {
            model: self.model.name.clone(),
            dataset: self.dataset.name.clone(),
            spec_hash: self.spec_hash.to_owned(),
            data_hash: data_hash(frame),
            seed: self.model.train.seed,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            learner: learner.name.clone(),
            grid: frame.grid.clone(),
            horizon_steps: self.model.horizon_steps,
            cut_off: self.cut_off,
            as_of: self.as_of,
            primary,
            fallback: WeeklyMean::new(self.model.fallback.weeks, &frame.grid),
            loss_scales: scales
                .own()
                .map(|(series, scale)| (series.clone(), scale))
                .collect(),
        }
    }
}

/// A window's end does not belong to it.
pub(super) fn just_after(last_step: Timestamp) -> Timestamp {
    last_step
        .checked_add(SignedDuration::from_nanos(1))
        .unwrap_or(Timestamp::MAX)
}
