//! `croston`: for intermittent demand, the mean size of a demand over the mean interval between two, both
//! smoothed (Croston 1972, "Forecasting and stock control for intermittent demands"). The ratio of two means
//! is too large on average; by default it is corrected as Syntetos & Boylan (2005, "The accuracy of
//! intermittent demand estimates") showed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tsb::{check_season, check_smoothing, season_steps};
use crate::{
    learning::{FitError, Learner, Material},
    models::{
        Covered, InvalidModel, Predict, PredictError, Requirement, Stored, flat, intermittent_requirement,
    },
    series::Grid,
    spec::{SpecError, check_range},
};

/// Settings of `croston`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrostonSpec {
    /// How much the newest demand and interval count: 0.01 to 1, default 0.1.
    pub smoothing: f64,
    /// Whether the bias is corrected. Default yes.
    pub correct_bias: bool,
}

impl Default for CrostonSpec {
    fn default() -> Self {
        Self { smoothing: 0.1, correct_bias: true }
    }
}

impl Learner for CrostonSpec {
    type Model = Croston;

    fn validate(&self) -> Result<(), SpecError> {
        check_range("smoothing", self.smoothing, 0.01..=1.0)
    }

    fn fit(&self, material: &Material<'_>) -> Result<Croston, FitError> {
        let season_steps = season_steps(&material.frame.grid);
        material.check_length(season_steps as usize)?;
        Ok(Croston { smoothing: self.smoothing, correct_bias: self.correct_bias, season_steps })
    }
}

/// Smooths size and interval of the demands up to an origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Croston {
    smoothing: f64,
    correct_bias: bool,
    season_steps: u32,
}

impl Croston {
    /// Demand per step.
    fn rate(&self, known: &[f64]) -> f64 {
        let demands = known.iter().filter(|&&value| value != 0.0);
        let count = demands.clone().count();
        if count == 0 {
            return 0.0;
        }
        // The means of all that is remembered are where smoothing begins: no first value counts for more.
        let mut size = demands.sum::<f64>() / count as f64;
        let mut interval = known.len() as f64 / count as f64;
        let mut since = 0.0;
        for &value in known {
            since += 1.0;
            if value != 0.0 {
                size += self.smoothing * (value - size);
                interval += self.smoothing * (since - interval);
                since = 0.0;
            }
        }
        let correction = if self.correct_bias { 1.0 - self.smoothing / 2.0 } else { 1.0 };
        correction * size / interval
    }
}

impl Stored for Croston {
    fn validate(&self) -> Result<(), InvalidModel> {
        check_smoothing(self.smoothing)?;
        check_season(self.season_steps)
    }
}

impl Predict for Croston {
    fn requirement(&self) -> Requirement {
        intermittent_requirement(self.season_steps)
    }

    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        flat(self.requirement(), series.history, grid, (origin, horizon_steps), |known| self.rate(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(smoothing: f64, correct_bias: bool, known: &[f64]) -> f64 {
        Croston { smoothing, correct_bias, season_steps: 7 }.rate(known)
    }

    #[test]
    fn regular_demand_is_size_over_interval() {
        let every_fourth: Vec<f64> = (1..=400).map(|step| if step % 4 == 0 { 6.0 } else { 0.0 }).collect();
        assert!((rate(0.1, false, &every_fourth) - 1.5).abs() < 1e-12);
        assert!((rate(0.1, true, &every_fourth) - 0.95 * 1.5).abs() < 1e-12);
    }

    #[test]
    fn size_and_interval_are_smoothed_at_demands_alone() {
        // Begins at size (4 + 8) / 2 and interval 6 / 2; demands after 2 and 3 steps; the last zero is not seen.
        let size = f64::midpoint(f64::midpoint(6.0, 4.0), 8.0);
        let interval = f64::midpoint(f64::midpoint(3.0, 2.0), 3.0);
        let known = [0.0, 4.0, 0.0, 0.0, 8.0, 0.0];
        assert!((rate(0.5, false, &known) - size / interval).abs() < 1e-12);
    }

    #[test]
    fn without_demand_there_is_none_to_come() {
        assert_eq!(rate(0.1, true, &[0.0; 50]), 0.0);
    }
}
