//! What whoever is judged, or replayed, is asked: the same for both sides, as a forecaster asks it.

use jiff::Timestamp;

use crate::{
    models::WeeklyMean,
    routing::Task,
    series::{Covariates, Grid, Series},
    spec::{DatasetSpec, ModelSpec},
};

/// What forecasts are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) model: &'a ModelSpec,
    pub(super) dataset: &'a DatasetSpec,
    pub(super) grid: &'a Grid,
    pub(super) covariates: &'a Covariates,
}

impl<'a> Asking<'a> {
    /// A forecast of a series over the model's horizon, from what is known of it at the origin.
    pub(super) fn task(self, history: &'a Series, origin: Timestamp) -> Task<'a> {
        Task {
            dataset: &self.dataset.name,
            history,
            covariates: self.covariates.of(&history.id),
            grid: self.grid,
            origin,
            horizon_steps: self.model.horizon_steps,
        }
    }

    /// What answers before any version does.
    pub(super) fn fallback(self) -> WeeklyMean {
        WeeklyMean::new(self.model.fallback.weeks, self.grid)
    }
}
