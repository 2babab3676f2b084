//! Boosted regression trees over the features of a [`FeatureSpec`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Forest, InvalidModel, Predict, PredictError, Requirement, past::Past};
use crate::{
    bounded::at_most,
    preprocessing::{FeatureSpec, View},
    series::{Grid, Series},
};

/// The mean of one or more forests. What they forecast is the value divided by the recent level of the
/// series, so one model serves large and small series, and follows a change of level without a new fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostedTrees {
    /// What the forests see.
    pub features: FeatureSpec,
    /// The forests, 1 to 16; their forecasts are averaged.
    #[serde(deserialize_with = "at_most::<MOST_FORESTS, _, _>")]
    pub forests: Vec<Forest>,
    /// Forecasts below 0 become 0: no value that training saw was negative.
    pub non_negative: bool,
}

const MOST_FORESTS: usize = 16;

impl BoostedTrees {
    /// Checks what forecasting relies on.
    pub(super) fn validate(&self) -> Result<(), InvalidModel> {
        let refuse = |problem: String| Err(InvalidModel { problem });
        if let Err(invalid) = self.features.validate() {
            return refuse(invalid.to_string());
        }
        if !(1..=MOST_FORESTS).contains(&self.forests.len()) {
            return refuse(format!("{} forests, 1 to {MOST_FORESTS} are allowed", self.forests.len()));
        }
        for forest in &self.forests {
            if let Err(invalid) = forest.validate(self.features.width()) {
                return refuse(invalid.to_string());
            }
        }
        Ok(())
    }

    /// The forecasts for rows of features, in the unit of the values.
    fn values(&self, rows: &[f32], level: f64) -> Vec<f64> {
        let width = self.features.width();
        let mut sums = vec![0.0; rows.len() / width];
        for forest in &self.forests {
            for (sum, ratio) in sums.iter_mut().zip(forest.predict(rows, width)) {
                *sum += ratio;
            }
        }
        let forests = self.forests.len() as f64;
        let lowest = if self.non_negative { 0.0 } else { f64::NEG_INFINITY };
        // `max` would turn a NaN into the lowest value; a NaN must be seen.
        let limit = |value: f64| if value < lowest { lowest } else { value };
        sums.into_iter().map(|sum| limit(sum / forests * level)).collect()
    }
}

impl Predict for BoostedTrees {
    fn requirement(&self) -> Requirement {
        Requirement {
            required_steps: self.features.required_steps(),
            liked_steps: self.features.liked_steps(),
        }
    }

    fn predict(
        &self,
        history: &Series,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        let Requirement { required_steps, liked_steps } = self.requirement();
        let past = Past::before(history, grid, origin, liked_steps)?;
        let too_short = |has_steps| PredictError::HistoryTooShort { needed_steps: required_steps, has_steps };
        if past.known_steps < required_steps {
            return Err(too_short(past.known_steps));
        }
        let calendar = past.calendar(grid, horizon_steps);
        let place = self.features.place(&history.id);
        let view = View { spec: &self.features, calendar: &calendar, values: past.values, place };
        let at_origin = view.at_origin(past.origin).ok_or(too_short(0))?;
        let mut rows = vec![0.0; horizon_steps * self.features.width()];
        for (step, row) in rows.chunks_exact_mut(self.features.width()).enumerate() {
            at_origin.fill_row(step, row);
        }
        let values = self.values(&rows, at_origin.level());
        match values.iter().position(|value| !value.is_finite()) {
            Some(step) => Err(PredictError::NotFinite { step: step + 1 }),
            None => Ok(values),
        }
    }
}
