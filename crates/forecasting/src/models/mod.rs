//! What learners produce: models that forecast one series from its history. A closed set, because they
//! are stored in artifacts and read by other versions of this code.

mod boosted_trees;
mod forest;
mod past;
mod seasonal_naive;
mod weekly_mean;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::series::{Grid, OffGrid, Series};

pub use boosted_trees::BoostedTrees;
pub use forest::{Forest, InvalidForest, Node};
pub use seasonal_naive::SeasonalNaive;
pub use weekly_mean::WeeklyMean;

/// Forecasts a series.
pub trait Predict {
    /// The history that the model needs, and the history that it makes use of.
    fn requirement(&self) -> Requirement;

    /// Forecasts the `horizon_steps` steps from `origin` on, the first of them at `origin` itself.
    ///
    /// Uses only values of `history` before `origin`; `history` may go on after it. All values of the
    /// answer are finite. The work grows with `horizon_steps`, which the caller bounds.
    fn predict(
        &self,
        history: &Series,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError>;
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
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Model {
    /// See [`SeasonalNaive`].
    SeasonalNaive(SeasonalNaive),
    /// See [`WeeklyMean`].
    WeeklyMean(WeeklyMean),
    /// See [`BoostedTrees`].
    BoostedTrees(BoostedTrees),
}

/// A model from outside holds something that its forecasts could not rely on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model: {problem}")]
pub struct InvalidModel {
    /// What is wrong.
    pub(crate) problem: String,
}

impl Model {
    fn predictor(&self) -> &dyn Predict {
        match self {
            Model::SeasonalNaive(model) => model,
            Model::WeeklyMean(model) => model,
            Model::BoostedTrees(model) => model,
        }
    }

    /// Checks what forecasting relies on; needed once for a model that came from outside.
    pub(crate) fn validate(&self) -> Result<(), InvalidModel> {
        match self {
            Model::SeasonalNaive(model) => model.validate(),
            Model::WeeklyMean(model) => model.validate(),
            Model::BoostedTrees(model) => model.validate(),
        }
    }
}

impl Predict for Model {
    fn requirement(&self) -> Requirement {
        self.predictor().requirement()
    }

    fn predict(
        &self,
        history: &Series,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        self.predictor().predict(history, grid, origin, horizon_steps)
    }
}
