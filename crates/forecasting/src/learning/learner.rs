//! What a learner is.

use super::stop::{StopFlag, Stopped};
use crate::{
    models::Model,
    series::Frame,
    spec::{Algorithm, LearnerSpec},
};

/// An algorithm with its settings. It makes models from history; the same material gives the same model,
/// bit for bit.
pub(super) trait Learner {
    /// Fits a model on one thread. Looks at the stop flag every few tenths of a second.
    fn fit(&self, material: &Material<'_>) -> Result<Model, FitError>;
}

/// What a learner learns from.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// The history, up to the cut-off and no further.
    pub frame: &'a Frame,
    /// How many steps the model will forecast.
    pub horizon_steps: usize,
    /// How many of the newest steps before an origin are not known yet when it forecasts.
    pub delay_steps: u32,
    /// What every random choice starts from.
    pub seed: u64,
    /// Asks to stop.
    pub stop: &'a StopFlag,
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// The history does not suffice.
    #[error("{known_rows} training rows, at least {needed_rows} are needed")]
    TooLittleHistory {
        /// Rows of (series, origin, step) that could be made of the history.
        known_rows: usize,
        /// How many the learner needs.
        needed_rows: usize,
    },
    /// Asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Fits a model with the learner that a specification describes.
pub fn fit(spec: &LearnerSpec, material: &Material<'_>) -> Result<Model, FitError> {
    let learner: &dyn Learner = match &spec.algorithm {
        Algorithm::SeasonalNaive => &super::seasonal_naive::SeasonalNaiveLearner,
        Algorithm::WeeklyMean(settings) => settings,
        Algorithm::BoostedTrees(settings) => settings,
    };
    learner.fit(material)
}
