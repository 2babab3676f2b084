//! What a learner is.

use super::stop::{StopFlag, Stopped};
use crate::{
    holidays::HolidayCalendar,
    models::Model,
    series::{Covariates, Frame, Series},
    spec::{LearnerSpec, SpecError},
};

/// The settings of an algorithm. It makes models from history; the same material gives the same model, bit
/// for bit.
pub(crate) trait Learner {
    /// What it makes.
    type Model;

    /// Refuses settings that cannot be.
    fn validate(&self) -> Result<(), SpecError>;

    /// Fits a model on one thread. Looks at the stop flag every few tenths of a second.
    fn fit(&self, material: &Material<'_>) -> Result<Self::Model, FitError>;
}

/// What a learner learns from.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// The history, up to the cut-off and no further.
    pub frame: &'a Frame,
    /// What is known of its series besides; learners of values alone do not look at it.
    pub covariates: &'a Covariates,
    /// The holidays of the place, if it has one; learners of values alone do not look at them either.
    pub holidays: Option<&'a HolidayCalendar>,
    /// How many steps the model will forecast.
    pub horizon_steps: usize,
    /// How many of the newest steps before an origin are not known yet when it forecasts.
    pub delay_steps: u32,
    /// What every random choice starts from.
    pub seed: u64,
    /// Asks to stop.
    pub stop: &'a StopFlag,
}

impl Material<'_> {
    /// Refuses a history in which no series has `needed_steps` steps.
    pub(crate) fn check_length(&self, needed_steps: usize) -> Result<(), FitError> {
        let has_steps = self.frame.series.iter().map(known_span).max().unwrap_or(0);
        if has_steps < needed_steps { Err(FitError::TooShort { has_steps, needed_steps }) } else { Ok(()) }
    }
}

/// Steps from the first known value to the end.
pub(super) fn known_span(series: &Series) -> usize {
    let first = series.values.iter().position(|value| !value.is_nan());
    first.map_or(0, |first| series.values.len() - first)
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
    /// No series is long enough to ever be forecast.
    #[error("the longest series has {has_steps} steps, at least {needed_steps} are needed")]
    TooShort {
        /// Steps of the longest series, from its first known value to the end.
        has_steps: usize,
        /// How many the learner needs.
        needed_steps: usize,
    },
    /// The data are not of a kind that the learner knows.
    #[error("{problem}")]
    Unsuitable {
        /// What about them.
        problem: String,
    },
    /// Asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Fits a model with the learner that a specification describes.
pub fn fit(spec: &LearnerSpec, material: &Material<'_>) -> Result<Model, FitError> {
    spec.algorithm.fit(material)
}
