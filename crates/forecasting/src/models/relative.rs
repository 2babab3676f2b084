//! Forecasts relative to the recent level of a series: one model serves large and small series, and follows
//! a change of level without a new fit.

use jiff::Timestamp;

use super::{Covered, PredictError, Requirement, finite, past::Past};
use crate::{
    preprocessing::{CovariateColumns, FeatureSpec, View},
    series::{Grid, MissingCovariate},
};

/// A model whose forecast of a step follows from the features of that step.
pub(crate) trait Regression {
    /// What it looks at, and how its ratios become values.
    fn relative(&self) -> Relative<'_>;

    /// The forecasts for rows of features, divided by the level; `cells` holds the rows one after the other.
    fn ratios(&self, cells: &[f32]) -> Vec<f64>;

    /// What one more unit of a feature adds to the ratio; `None` where that is not the same everywhere.
    fn coefficient(&self, _column: usize) -> Option<f64> {
        None
    }

    /// [`Predict::predict`](super::Predict::predict) of such a model.
    fn forecast(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        let rows = self.relative().rows(series, grid, origin, horizon_steps)?;
        rows.values(self.ratios(&rows.cells))
    }
}

/// What such a model looks at, and how its ratios become values.
pub(crate) struct Relative<'a> {
    pub(crate) features: &'a FeatureSpec,
    /// Forecasts below 0 become 0.
    pub(crate) non_negative: bool,
}

impl Relative<'_> {
    pub(crate) fn requirement(&self) -> Requirement {
        Requirement {
            required_steps: self.features.required_steps(),
            liked_steps: self.features.liked_steps(),
        }
    }

    /// Whether any feature is made of a covariate.
    pub(crate) fn needs_covariates(&self) -> bool {
        self.features.needs_covariates()
    }

    /// What the model is asked: the features of every step of a horizon.
    pub(crate) fn rows(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<RelativeRows, PredictError> {
        let Covered { history, covariates } = series;
        let Requirement { required_steps, liked_steps } = self.requirement();
        let past = Past::before(history, grid, origin, liked_steps)?;
        let too_short = |has_steps| PredictError::HistoryTooShort { needed_steps: required_steps, has_steps };
        if past.known_steps < required_steps {
            return Err(too_short(past.known_steps));
        }
        let calendar = past.calendar(grid, horizon_steps);
        let columns = CovariateColumns::of(self.features, covariates, grid, past.start);
        let horizon = past.origin..past.origin + horizon_steps;
        if let Some((covariate, step)) = columns.first_missing(self.features, horizon) {
            let ahead = i64::try_from(step - past.origin).expect("a horizon is short");
            let (covariate, at) = (covariate.clone(), grid.advance(origin, ahead));
            return Err(MissingCovariate { covariate, series: history.id.clone(), at }.into());
        }
        let view = View {
            spec: self.features,
            calendar: &calendar,
            values: past.values,
            covariates: &columns,
            place: self.features.place(&history.id),
        };
        let at_origin = view.at_origin(past.origin).ok_or(too_short(0))?;
        let mut cells = vec![0.0; horizon_steps * self.features.width()];
        for (step, row) in cells.chunks_exact_mut(self.features.width()).enumerate() {
            at_origin.fill_row(step, row);
        }
        Ok(RelativeRows { cells, level: at_origin.level(), non_negative: self.non_negative })
    }
}

/// The features of every step of a horizon, one row after the other.
pub(crate) struct RelativeRows {
    pub(crate) cells: Vec<f32>,
    level: f64,
    non_negative: bool,
}

impl RelativeRows {
    /// The values, from one ratio to the level per row.
    pub(crate) fn values(&self, ratios: Vec<f64>) -> Result<Vec<f64>, PredictError> {
        finite(ratios.into_iter().map(|ratio| self.limit(ratio * self.level)).collect())
    }

    /// `max` would turn a NaN into the lowest value; a NaN must be seen.
    fn limit(&self, value: f64) -> f64 {
        if self.non_negative && value < 0.0 { 0.0 } else { value }
    }
}
