//! The mean of the same time of the week: the fallback that always answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    InvalidModel, Predict, PredictError, Requirement,
    past::{Past, mean},
};
use crate::{
    preprocessing::{DAY, WEEK},
    series::{Grid, Series},
};

/// Forecasts the mean of the same local time of the week over the newest weeks before the origin.
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
        Self {
            weeks: weeks.clamp(1, MOST_WEEKS),
            season_steps,
        }
    }

    pub(crate) fn validate(self) -> Result<(), InvalidModel> {
        let fine =
            (1..=MOST_WEEKS).contains(&self.weeks) && (1..=MOST_SEASON_STEPS).contains(&self.season_steps);
        let problem = || format!("a mean over {} weeks of {} steps", self.weeks, self.season_steps);
        if fine {
            Ok(())
        } else {
            Err(InvalidModel { problem: problem() })
        }
    }
}

impl Predict for WeeklyMean {
    fn requirement(&self) -> Requirement {
        // One more week for targets more than a week ahead, whose same time is then further back.
        let liked_steps = (self.weeks as usize + 1) * self.season_steps as usize;
        Requirement {
            required_steps: 1,
            liked_steps,
        }
    }

    fn predict(
        &self,
        history: &Series,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        let past = Past::before(history, grid, origin, self.requirement().liked_steps)?;
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
