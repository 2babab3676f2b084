//! `weekly-mean`: the mean of the same time of the week. Also the fallback that always answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    learning::{FitError, Learner, Material},
    models::{Covered, InvalidModel, Past, Predict, PredictError, Requirement, Stored, mean},
    preprocessing::{DAY, WEEK},
    series::Grid,
    spec::{SpecError, check_range},
};

/// Settings of `weekly-mean`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeeklyMeanSpec {
    /// How many weeks are averaged: 1 to 52, default 4.
    pub weeks: u32,
}

impl Default for WeeklyMeanSpec {
    fn default() -> Self {
        Self { weeks: 4 }
    }
}

impl Learner for WeeklyMeanSpec {
    type Model = WeeklyMean;

    fn validate(&self) -> Result<(), SpecError> {
        check_weeks(self.weeks)
    }

    fn fit(&self, material: &Material<'_>) -> Result<WeeklyMean, FitError> {
        Ok(WeeklyMean::new(self.weeks, &material.frame.grid))
    }
}

/// The fallback averages weeks, too.
pub(crate) fn check_weeks(weeks: u32) -> Result<(), SpecError> {
    check_range("weeks", weeks, 1..=52)
}

/// Forecasts the mean of the same local time of the week over the newest weeks that are known before the
/// origin, however late values arrive.
///
/// With less history it makes do: where no such value is known, the mean of the same time of day over the
/// newest seven days; else the mean of everything known in the newest weeks; else the newest known value.
/// So a single observation is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyMean {
    weeks: u32,
    /// One local week.
    season_steps: u32,
}

/// A year of weeks: more would be a different model.
const MOST_WEEKS: u32 = 53;
/// A week of one-minute steps.
const MOST_SEASON_STEPS: u32 = 10_080;

impl WeeklyMean {
    /// The mean over `weeks` weeks (at least 1, at most 53) of series on `grid`.
    pub fn new(weeks: u32, grid: &Grid) -> Self {
        let season_steps = u32::try_from(grid.steps_per_season()).expect("a season is at most 10,080 steps");
        Self { weeks: weeks.clamp(1, MOST_WEEKS), season_steps }
    }
}

impl Stored for WeeklyMean {
    fn validate(&self) -> Result<(), InvalidModel> {
        let fine =
            (1..=MOST_WEEKS).contains(&self.weeks) && (1..=MOST_SEASON_STEPS).contains(&self.season_steps);
        let problem = || format!("a mean over {} weeks of {} steps", self.weeks, self.season_steps);
        if fine { Ok(()) } else { Err(InvalidModel { problem: problem() }) }
    }
}

impl Predict for WeeklyMean {
    fn requirement(&self) -> Requirement {
        // One more week for targets more than a week ahead, whose same time is then further back.
        let liked_steps = (self.weeks as usize + 1) * self.season_steps as usize;
        Requirement { required_steps: 1, liked_steps }
    }

    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        let past = Past::before(series.history, grid, origin, self.requirement().liked_steps)?;
        let calendar = past.calendar(grid, horizon_steps);
        let weeks = self.weeks as usize;
        let anything = past.anything()?;
        Ok((past.origin..past.origin + horizon_steps)
            .map(|target| {
                mean(past.same_time(&calendar, target, WEEK, weeks))
                    .or_else(|| mean(past.same_time(&calendar, target, DAY, 7)))
                    .unwrap_or(anything)
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        examples::{grid, id, start},
        series::Series,
    };

    fn history(values: Vec<f64>) -> Series {
        Series { id: id("a"), start: start(), values }
    }

    /// The forecast of the first step after the values.
    fn next(weeks: u32, values: Vec<f64>) -> Result<f64, PredictError> {
        let series = history(values);
        let origin = series.end(&grid());
        WeeklyMean::new(weeks, &grid())
            .predict(Covered::alone(&series), &grid(), origin, 1)
            .map(|forecast| forecast[0])
    }

    /// `weeks` weeks of hours, each hour of week w being w + 1.
    fn weeks(weeks: usize) -> Vec<f64> {
        (0..weeks * 168).map(|hour| (hour / 168 + 1) as f64).collect()
    }

    #[test]
    fn the_newest_weeks_are_averaged() {
        assert_eq!(next(4, weeks(6)), Ok(4.5));
        assert_eq!(next(1, weeks(6)), Ok(6.0));
        assert_eq!(next(52, weeks(6)), Ok(3.5));
    }

    #[test]
    fn with_less_history_it_makes_do() {
        assert_eq!(next(4, weeks(2)), Ok(1.5), "fewer weeks");
        let mut gap = weeks(4);
        gap[3 * 168] = f64::NAN;
        assert_eq!(next(4, gap), Ok(2.0), "the mean of the weeks that are there");
        let three_days: Vec<f64> = (0..72).map(f64::from).collect();
        assert_eq!(next(4, three_days), Ok(24.0), "the same hour of the days that are there");
        assert_eq!(next(4, vec![2.0, 4.0, f64::NAN]), Ok(3.0), "whatever is there");
        assert_eq!(next(4, vec![7.0]), Ok(7.0), "a single observation");
        assert_eq!(next(4, vec![f64::NAN; 30]), Err(PredictError::NothingKnown));
        assert_eq!(next(4, Vec::new()), Err(PredictError::NothingKnown));
    }

    #[test]
    fn weeks_are_counted_back_from_the_newest_known_value() {
        let series = history(weeks(6));
        let forecast = |weeks, late_steps| {
            let origin = grid().advance(series.end(&grid()), late_steps);
            WeeklyMean::new(weeks, &grid())
                .predict(Covered::alone(&series), &grid(), origin, 168)
                .expect("has history")
        };
        for late_days in [0, 1, 8, 30] {
            assert_eq!(forecast(4, 24 * late_days), [4.5; 168], "{late_days} days");
            assert_eq!(forecast(1, 24 * late_days), [6.0; 168], "{late_days} days");
        }
    }

    #[test]
    fn of_a_history_that_ended_years_ago_the_newest_value_is_left() {
        let series = history(vec![3.0, 8.0]);
        let model = WeeklyMean::new(4, &grid());
        let origin = grid().advance(start(), 60 * 168);
        assert_eq!(model.predict(Covered::alone(&series), &grid(), origin, 2), Ok(vec![8.0, 8.0]));
        let origin = "9990-01-01T00:00:00Z".parse().expect("is a time");
        assert_eq!(model.predict(Covered::alone(&series), &grid(), origin, 2), Ok(vec![8.0, 8.0]));
    }

    #[test]
    fn weeks_are_weeks_of_the_wall_clock() {
        // Every value is its local hour. Clocks go forward on 2025-03-30.
        let hours = (0..24 * 90).map(|step| f64::from(grid().local(grid().advance(start(), step)).hour()));
        let series = history(hours.collect());
        let origin = "2025-03-31T00:00:00+02:00".parse().expect("is a time");
        let forecast = WeeklyMean::new(4, &grid())
            .predict(Covered::alone(&series), &grid(), origin, 24)
            .expect("has history");
        assert_eq!(forecast, (0..24).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn targets_more_than_a_week_ahead_use_the_newest_known_week() {
        let series = history(weeks(3));
        let origin = series.end(&grid());
        let forecast = WeeklyMean::new(1, &grid())
            .predict(Covered::alone(&series), &grid(), origin, 400)
            .expect("has history");
        assert_eq!(forecast, [3.0; 400]);
    }

    #[test]
    fn values_at_and_after_the_origin_are_not_looked_at() {
        let mut series = history(weeks(5));
        let origin = grid().advance(start(), 4 * 168);
        let model = WeeklyMean::new(4, &grid());
        let before = model.predict(Covered::alone(&series), &grid(), origin, 48);
        series.values[4 * 168..].fill(1e9);
        assert_eq!(model.predict(Covered::alone(&series), &grid(), origin, 48), before);
    }

    #[test]
    fn an_origin_off_the_grid_or_before_the_history_is_refused() {
        let (series, model) = (history(weeks(1)), WeeklyMean::new(4, &grid()));
        let half_past = "2025-01-08T00:30:00+01:00".parse().expect("is a time");
        assert!(matches!(
            model.predict(Covered::alone(&series), &grid(), half_past, 1),
            Err(PredictError::OffGrid(_))
        ));
        for too_early in [0, -1] {
            let origin = grid().advance(start(), too_early);
            assert_eq!(
                model.predict(Covered::alone(&series), &grid(), origin, 1),
                Err(PredictError::NothingKnown)
            );
        }
    }
}
