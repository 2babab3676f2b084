//! From a train job to a candidate.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    data_hash::data_hash,
    learner::{FitError, Material, fit},
    stop::{StopFlag, Stopped},
};
use crate::{
    artifact::Bundle,
    models::WeeklyMean,
    names::{LearnerName, SeriesId},
    series::{Frame, Series},
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
    let [learner] = request.learners else { todo!() };
    let material = Material {
        frame: &frame,
        horizon_steps: request.model.horizon_steps as usize,
        delay_steps: request.delay_steps(),
        seed: request.model.train.seed,
        stop: request.stop,
    };
    let primary = fit(learner, &material).map_err(|error| match error {
        FitError::Stopped(stopped) => TrainError::Stopped(stopped),
        other => TrainError::NoCandidate {
            reason: format!("{}: {other}", learner.name),
        },
    })?;
    let bundle = Bundle {
        model: request.model.name.clone(),
        dataset: request.dataset.name.clone(),
        spec_hash: request.spec_hash.to_owned(),
        data_hash: data_hash(&frame),
        seed: request.model.train.seed,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        learner: learner.name.clone(),
        grid: frame.grid.clone(),
        horizon_steps: request.model.horizon_steps,
        cut_off: request.cut_off,
        as_of: request.as_of,
        primary,
        fallback: WeeklyMean::new(request.model.fallback.weeks, &frame.grid),
        loss_scales: loss_scales(&frame),
    };
    Ok(Trained {
        bundle,
        competed: Vec::new(),
    })
}

impl TrainingRequest<'_> {
    /// What training may see: up to the cut-off, and as far back as the model's memory goes.
    fn training_frame(&self) -> Frame {
        let from = match self.model.train.memory_days {
            Some(days) => self.frame.grid.start_of_day(self.cut_off, -i64::from(days)),
            None => Timestamp::MIN,
        };
        self.frame
            .window(from, self.cut_off + SignedDuration::from_nanos(1))
    }

    /// How many of the newest steps before an origin are not known then.
    fn delay_steps(&self) -> u32 {
        let step = self.dataset.frequency.nominal().as_secs();
        let steps = (self.dataset.availability_delay.as_secs() + step - 1) / step;
        u32::try_from(steps).expect("a delay is at most 366 days")
    }
}

/// The mean absolute error of the seasonal naive forecast, for every series where it is above 0.
fn loss_scales(frame: &Frame) -> BTreeMap<SeriesId, f64> {
    let season = frame.grid.steps_per_season();
    let scale = |series: &Series| {
        let pairs = series.values.iter().zip(series.values.iter().skip(season));
        let errors: Vec<f64> = pairs
            .map(|(before, value)| (value - before).abs())
            .filter(|e| !e.is_nan())
            .collect();
        errors.iter().sum::<f64>() / errors.len() as f64
    };
    let scales = frame
        .series
        .iter()
        .map(|series| (series.id.clone(), scale(series)));
    scales.filter(|(_, scale)| *scale > 0.0).collect()
}
