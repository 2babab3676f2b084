//! What learners produce: models that forecast one series from its history. Which there are is said in
//! [`learners`](crate::learners).

mod forest;
mod past;
mod relative;
mod smoothing;

use jiff::Timestamp;

use crate::series::{Grid, MissingCovariate, OffGrid, Series, SeriesCovariates};

pub use crate::learners::{
    Blend, BoostedTrees, Croston, ElasticNet, Model, Mstl, SeasonalNaive, Tsb, WeeklyMean,
};
pub use forest::{Forest, InvalidForest, Node};
pub(crate) use past::{Past, mean};
pub(crate) use relative::{Regression, Relative};
pub(crate) use smoothing::{flat, intermittent_requirement};

/// Forecasts a series.
pub trait Predict {
    /// The history that the model needs, and the history that it makes use of.
    fn requirement(&self) -> Requirement;

    /// Whether it is fitted anew to the history at each origin: a forecast takes milliseconds then, however short
    /// it is, and else microseconds.
    fn fits_at_origin(&self) -> bool {
        false
    }

    /// Whether it was fitted with covariates, and forecasts worse, or not at all, without them.
    fn needs_covariates(&self) -> bool {
        false
    }

    /// Forecasts the `horizon_steps` steps from `origin` on, the first of them at `origin` itself.
    ///
    /// Uses only values of the series before `origin`, though its history may go on after it, and past-only numbers
    /// likewise; needs what is known in advance over the horizon. A model of values alone does not look at covariates.
    /// All values of the answer are finite. The work grows with `horizon_steps`, which the caller bounds.
    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError>;
}

/// A series with its covariates.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    /// Its values.
    pub history: &'a Series,
    /// What is known besides.
    pub covariates: &'a SeriesCovariates,
}

impl<'a> Covered<'a> {
    /// A series of which nothing but the values is known.
    pub fn alone(history: &'a Series) -> Self {
        Self { history, covariates: SeriesCovariates::nothing() }
    }
}

/// What an artifact can hold.
pub(crate) trait Stored: Predict {
    /// Checks what forecasting relies on: whatever passes never panics and does bounded work.
    fn validate(&self) -> Result<(), InvalidModel>;

    /// The model as a function of features, if it is one.
    fn regression(&self) -> Option<&dyn Regression> {
        None
    }
}

/// How much history a model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// Fewer steps from the first known value to the origin, and the model does not forecast.
    pub required_steps: usize,
    /// Values further back than this before the newest known step change nothing; with fewer the forecast
    /// is worse.
    pub liked_steps: usize,
}

/// Why a model does not forecast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The fallback may still forecast.
    #[error("the history before the origin has {has_steps} steps, {needed_steps} are needed")]
    HistoryTooShort {
        /// [`Requirement::required_steps`] of the model.
        needed_steps: usize,
        /// Steps from the first known value to the origin; 0 if no recent value is known.
        has_steps: usize,
    },
    /// Not one value before the origin is known.
    #[error("no value before the origin is known")]
    NothingKnown,
    /// The model computed a number that is infinite or not a number: a fault of the model.
    #[error("the forecast of step {step} is not a finite number")]
    NotFinite {
        /// 1 is the step at the origin.
        step: usize,
    },
    /// The origin is not a step of the history's grid.
    #[error("origin off the grid of the history")]
    OffGrid(#[from] OffGrid),
    /// The model was fitted with a covariate that it is not given.
    #[error(transparent)]
    MissingCovariate(#[from] MissingCovariate),
}

/// A model from outside holds something that its forecasts could not rely on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model: {problem}")]
pub struct InvalidModel {
    /// What is wrong.
    pub(crate) problem: String,
}

impl InvalidModel {
    #[expect(clippy::needless_pass_by_value, reason = "takes what `map_err` hands over")]
    pub(crate) fn new(problem: impl ToString) -> Self {
        Self { problem: problem.to_string() }
    }
}

impl Predict for Model {
    fn requirement(&self) -> Requirement {
        self.stored().requirement()
    }

    fn fits_at_origin(&self) -> bool {
        self.stored().fits_at_origin()
    }

    fn needs_covariates(&self) -> bool {
        self.stored().needs_covariates()
    }

    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        self.stored().predict(series, grid, origin, horizon_steps)
    }
}

/// The values, if all are finite.
pub(crate) fn finite(values: Vec<f64>) -> Result<Vec<f64>, PredictError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(step) => Err(PredictError::NotFinite { step: step + 1 }),
        None => Ok(values),
    }
}
