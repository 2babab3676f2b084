//! `seasonal-naive`: the same time of the week, once more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::WeeklyMean;
use crate::{
    learning::{FitError, Learner, Material},
    models::{Covered, InvalidModel, Predict, PredictError, Requirement, Stored},
    series::Grid,
    spec::SpecError,
};

/// `seasonal-naive` has no settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeasonalNaiveSpec {}

impl Learner for SeasonalNaiveSpec {
    type Model = SeasonalNaive;

    fn validate(&self) -> Result<(), SpecError> {
        Ok(())
    }

    fn fit(&self, material: &Material<'_>) -> Result<SeasonalNaive, FitError> {
        Ok(SeasonalNaive::new(&material.frame.grid))
    }
}

/// Forecasts the newest known value at the same local time of the week: a [`WeeklyMean`] of one week, which
/// makes do with less history in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeasonalNaive(WeeklyMean);

impl SeasonalNaive {
    /// For series on `grid`.
    pub fn new(grid: &Grid) -> Self {
        Self(WeeklyMean::new(1, grid))
    }
}

impl Stored for SeasonalNaive {
    fn validate(&self) -> Result<(), InvalidModel> {
        self.0.validate()
    }
}

impl Predict for SeasonalNaive {
    fn requirement(&self) -> Requirement {
        self.0.requirement()
    }

    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        self.0.predict(series, grid, origin, horizon_steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{grid, history};

    #[test]
    fn last_week_repeats_itself() {
        let series = &history(30).series[0];
        let values = &series.values;
        let origin = series.end(&grid());
        let forecast = SeasonalNaive::new(&grid())
            .predict(Covered::alone(series), &grid(), origin, 200)
            .expect("has history");
        let last_week = &values[values.len() - 168..];
        assert_eq!(forecast[..168], *last_week);
        assert_eq!(forecast[168..], last_week[..32], "the newest known week, also beyond a week");
    }

    #[test]
    fn with_values_eight_days_late_the_newest_known_week_repeats_itself() {
        let series = &history(30).series[0];
        let origin = grid().start_of_day(series.end(&grid()), 8);
        let forecast = SeasonalNaive::new(&grid())
            .predict(Covered::alone(series), &grid(), origin, 144)
            .expect("has history");
        // Eight days and six are two weeks.
        assert_eq!(forecast, series.values[series.values.len() - 144..]);
    }
}
