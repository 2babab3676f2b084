//! `tsb`: for intermittent demand that may end, the smoothed probability of a demand times its smoothed size
//! (Teunter, Syntetos & Babai 2011, "Intermittent demand: linking forecasting to inventory obsolescence").
//! Unlike `croston` it learns from every step without a demand, so its forecast falls while there is none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    learning::{FitError, Learner, Material},
    models::{
        Covered, InvalidModel, Predict, PredictError, Requirement, Stored, flat, intermittent_requirement,
    },
    series::Grid,
    spec::{SpecError, check_range},
};

/// Settings of `tsb`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TsbSpec {
    /// How much the newest demand counts for the size: 0.01 to 1, default 0.1.
    pub size_smoothing: f64,
    /// How much the newest step counts for the probability: 0.01 to 1, default 0.1.
    pub probability_smoothing: f64,
}

impl Default for TsbSpec {
    fn default() -> Self {
        Self { size_smoothing: 0.1, probability_smoothing: 0.1 }
    }
}

impl Learner for TsbSpec {
    type Model = Tsb;

    fn validate(&self) -> Result<(), SpecError> {
        check_range("size_smoothing", self.size_smoothing, 0.01..=1.0)?;
        check_range("probability_smoothing", self.probability_smoothing, 0.01..=1.0)
    }

    fn fit(&self, material: &Material<'_>) -> Result<Tsb, FitError> {
        let season_steps = season_steps(&material.frame.grid);
        material.check_length(season_steps as usize)?;
        let (size_smoothing, probability_smoothing) = (self.size_smoothing, self.probability_smoothing);
        Ok(Tsb { size_smoothing, probability_smoothing, season_steps })
    }
}

/// Smooths size and probability of demand up to an origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tsb {
    size_smoothing: f64,
    probability_smoothing: f64,
    season_steps: u32,
}

impl Tsb {
    /// Demand per step.
    fn rate(&self, known: &[f64]) -> f64 {
        let demands = known.iter().filter(|&&value| value != 0.0);
        let count = demands.clone().count();
        if count == 0 {
            return 0.0;
        }
        let mut size = demands.sum::<f64>() / count as f64;
        let mut probability = count as f64 / known.len() as f64;
        for &value in known {
            let is_demand = f64::from(u8::from(value != 0.0));
            probability += self.probability_smoothing * (is_demand - probability);
            if value != 0.0 {
                size += self.size_smoothing * (value - size);
            }
        }
        probability * size
    }
}

impl Stored for Tsb {
    fn validate(&self) -> Result<(), InvalidModel> {
        check_smoothing(self.size_smoothing)?;
        check_smoothing(self.probability_smoothing)?;
        check_season(self.season_steps)
    }
}

impl Predict for Tsb {
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

/// A week of one-minute steps.
const MOST_SEASON_STEPS: u32 = 10_080;

pub(super) fn season_steps(grid: &Grid) -> u32 {
    u32::try_from(grid.steps_per_season()).expect("a season is at most 10,080 steps")
}

pub(super) fn check_season(steps: u32) -> Result<(), InvalidModel> {
    if (1..=MOST_SEASON_STEPS).contains(&steps) {
        return Ok(());
    }
    Err(InvalidModel::new(format!("a season of {steps} steps")))
}

pub(super) fn check_smoothing(smoothing: f64) -> Result<(), InvalidModel> {
    if (0.0..=1.0).contains(&smoothing) {
        return Ok(());
    }
    Err(InvalidModel::new(format!("a smoothing of {smoothing}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(known: &[f64]) -> f64 {
        Tsb { size_smoothing: 0.5, probability_smoothing: 0.5, season_steps: 7 }.rate(known)
    }

    #[test]
    fn probability_is_smoothed_at_every_step_and_size_at_demands() {
        // Begins at probability 1/2 and size 6: 3/4 after the first demand, then halved twice, then up again.
        let probability = f64::midpoint(0.75 / 4.0, 1.0);
        let size = f64::midpoint(f64::midpoint(6.0, 4.0), 8.0);
        assert!((rate(&[4.0, 0.0, 0.0, 8.0]) - probability * size).abs() < 1e-12);
    }

    #[test]
    fn the_forecast_falls_while_there_is_no_demand() {
        let mut known = vec![5.0; 20];
        let before = rate(&known);
        known.extend([0.0; 10]);
        assert!(rate(&known) < before / 500.0);
        assert_eq!(rate(&[0.0; 10]), 0.0);
    }
}
