//! `mstl`: each series alone is taken apart into seasons and the rest (MSTL: Bandara, Hyndman & Bergmeir 2021,
//! arXiv:2107.13462, of repeated STL: Cleveland et al. 1990); the rest is smoothed exponentially and the newest
//! seasons are repeated. Decomposed anew at every origin, so it knows the newest hours: strong on load.
//!
//! The decomposition is that of the crate stlrs, which augurs wraps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stlrs::Mstl as Decomposition;

use crate::{
    bounded::at_most,
    learning::{FitError, Learner, Material},
    models::{Covered, InvalidModel, Past, Predict, PredictError, Requirement, Stored, finite},
    preprocessing::{Calendar, DAY},
    series::{Frequency, Grid},
    spec::{SpecError, check_range},
};

/// Settings of `mstl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MstlSpec {
    /// Which seasons are taken out. Default `day-and-week`.
    pub seasons: Seasons,
    /// How many weeks it looks back, 3 to 520, as far as they are 100,000 steps. Default: 8, or 156 where a
    /// step is a day or longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weeks: Option<u32>,
}

/// Which seasons are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seasons {
    /// The week.
    Week,
    /// The day and the week; where a step is a day or longer, the week.
    #[default]
    DayAndWeek,
}

impl Default for MstlSpec {
    fn default() -> Self {
        Self { seasons: Seasons::DayAndWeek, weeks: None }
    }
}

/// With fewer seasons their loess sees two values of each time at the most.
const LEAST_SEASONS: u32 = 3;
const MOST_STEPS: u32 = 100_000;

impl Learner for MstlSpec {
    type Model = Mstl;

    fn validate(&self) -> Result<(), SpecError> {
        self.weeks.map_or(Ok(()), |weeks| check_range("weeks", weeks, LEAST_SEASONS..=520))
    }

    fn fit(&self, material: &Material<'_>) -> Result<Mstl, FitError> {
        let grid = &material.frame.grid;
        let week = u32::try_from(grid.steps_per_season()).expect("a season is at most 10,080 steps");
        if week < 2 {
            let problem = format!("steps of {} have no season within a week", grid.frequency());
            return Err(FitError::Unsuitable { problem });
        }
        let within_days = matches!(grid.frequency(), Frequency::Minutes(_));
        let weeks = self.weeks.unwrap_or(if within_days { 8 } else { 156 });
        let memory_steps = (weeks * week).min(MOST_STEPS).max(LEAST_SEASONS * week);
        let day = grid.frequency().steps_per_day().filter(|&day| day > 1);
        let day = day.and_then(|day| u32::try_from(day).ok());
        let periods = match (self.seasons, day) {
            (Seasons::DayAndWeek, Some(day)) => vec![day, week],
            (Seasons::Week, _) | (Seasons::DayAndWeek, None) => vec![week],
        };
        let model = Mstl { periods, memory_steps };
        material.check_length(model.requirement().required_steps)?;
        Ok(model)
    }
}

/// Takes the newest values apart at every origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mstl {
    /// Steps of each season, in ascending order.
    #[serde(deserialize_with = "at_most::<2, _, _>")]
    periods: Vec<u32>,
    memory_steps: u32,
}

impl Mstl {
    fn longest_period(&self) -> u32 {
        self.periods.iter().copied().max().unwrap_or(0)
    }

    /// The `ahead` values after `values`.
    fn extend(&self, values: &[f64], ahead: usize) -> Option<Vec<f64>> {
        let periods: Vec<usize> = self.periods.iter().map(|&period| period as usize).collect();
        // Divided by the level: loess is linear, but sums of enormous values would be no numbers.
        let level = values.iter().map(|value| value.abs() / values.len() as f64).sum::<f64>();
        if level <= 0.0 || !level.is_finite() {
            return Some(vec![0.0; ahead]).filter(|_| level == 0.0);
        }
        let relative: Vec<f64> = values.iter().map(|value| value / level).collect();
        let (seasons, trend, rest) = Decomposition::fit(&relative, &periods).ok()?.into_parts();
        let deseasonalised: Vec<f64> = trend.iter().zip(&rest).map(|(trend, rest)| trend + rest).collect();
        let base = smoothed(&deseasonalised);
        let value = |step: usize| {
            let newest =
                |(season, period): (&Vec<f64>, &usize)| season[season.len() - period + step % period];
            (base + seasons.iter().zip(&periods).map(newest).sum::<f64>()) * level
        };
        Some((0..ahead).map(value).collect())
    }
}

/// Where simple exponential smoothing ends, with the smoothing that would have forecast each step from those
/// before it with the least squared error.
fn smoothed(values: &[f64]) -> f64 {
    let with = |smoothing: f64| {
        let (mut level, mut squares) = (values[0], 0.0);
        for value in &values[1..] {
            let error = value - level;
            squares += error * error;
            level += smoothing * error;
        }
        (squares, level)
    };
    let smoothings = (1..=20).map(|twentieths| with(f64::from(twentieths) / 20.0));
    let best = smoothings.min_by(|(one, _), (other, _)| one.total_cmp(other));
    best.map_or(values[0], |(_, level)| level)
}

impl Stored for Mstl {
    fn validate(&self) -> Result<(), InvalidModel> {
        let longest = self.longest_period();
        let are_periods = !self.periods.is_empty() && self.periods.iter().all(|&period| period >= 2);
        let is_bounded = (2 * u64::from(longest)..=u64::from(MOST_STEPS)).contains(&self.memory_steps.into());
        if are_periods && is_bounded {
            return Ok(());
        }
        let problem = format!("seasons of {:?} steps within {}", self.periods, self.memory_steps);
        Err(InvalidModel::new(problem))
    }
}

impl Predict for Mstl {
    fn requirement(&self) -> Requirement {
        let required_steps = (LEAST_SEASONS * self.longest_period()).min(self.memory_steps) as usize;
        Requirement { required_steps, liked_steps: self.memory_steps as usize }
    }

    fn fits_at_origin(&self) -> bool {
        true
    }

    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        let Requirement { required_steps: needed_steps, liked_steps } = self.requirement();
        let past = Past::before(series.history, grid, origin, liked_steps)?;
        let calendar = past.calendar(grid, horizon_steps);
        let known = WallClock::of(&past, &calendar, self.longest_period() as usize);
        // A long gap before the newest values leaves less than the series.history is long.
        let Some(known) = known.filter(|known| known.values.len() >= needed_steps) else {
            return Err(PredictError::HistoryTooShort {
                needed_steps,
                has_steps: past.known_steps.min(needed_steps - 1),
            });
        };
        let targets: Vec<usize> =
            (past.origin..past.origin + horizon_steps).map(|step| known.place(&calendar, step)).collect();
        let ahead = targets.iter().max().map_or(0, |last| last + 1);
        let values = self.extend(&known.values, ahead).ok_or(PredictError::NotFinite { step: 1 })?;
        let is_demand = past.values.iter().all(|value| value.is_nan() || *value >= 0.0);
        let limit = |value: f64| if is_demand && value < 0.0 { 0.0 } else { value };
        finite(targets.into_iter().map(|target| limit(values[target])).collect())
    }
}

/// Values by what the wall clock showed, without gaps: an hour that the clock skipped has a value here, and one
/// that it repeated has one only. So a season keeps its length when clocks change.
struct WallClock {
    /// From the first known value to the newest.
    values: Vec<f64>,
    /// Steps of the wall clock from the epoch to the one after the newest value.
    end: i64,
    step_minutes: i64,
}

impl WallClock {
    /// `None` if nothing is known.
    fn of(past: &Past<'_>, calendar: &Calendar, season: usize) -> Option<Self> {
        let step_minutes = calendar.step_minutes();
        let first = past.values.iter().position(|value| !value.is_nan())?;
        let last = past.values.iter().rposition(|value| !value.is_nan())?;
        let slot = |step: usize| minutes(calendar, step).div_euclid(step_minutes);
        let (start, end) = (slot(first), slot(last) + 1);
        let mut values = vec![f64::NAN; usize::try_from(end - start).ok()?];
        for (step, &value) in past.values.iter().enumerate().take(last + 1).skip(first) {
            let place = usize::try_from(slot(step) - start).ok();
            // Where the clock went back the newest value may stand before an earlier one's place.
            if let Some(slot) = place.and_then(|place| values.get_mut(place)).filter(|_| !value.is_nan()) {
                *slot = value;
            }
        }
        fill(&mut values, season);
        Some(Self { values, end, step_minutes })
    }

    /// How many steps of the wall clock a target lies after the newest value; 0 is the first after it.
    fn place(&self, calendar: &Calendar, step: usize) -> usize {
        let ahead = minutes(calendar, step).div_euclid(self.step_minutes) - self.end;
        usize::try_from(ahead).unwrap_or(0)
    }
}

fn minutes(calendar: &Calendar, step: usize) -> i64 {
    calendar.day(step) * DAY + calendar.minute_of_day(step)
}

/// A missing value becomes the one a season before it, where that is known; else it lies on the line between
/// its neighbours. The first and the last value are known.
fn fill(values: &mut [f64], season: usize) {
    for at in season..values.len() {
        if values[at].is_nan() {
            values[at] = values[at - season];
        }
    }
    let mut before = 0;
    for at in 1..values.len() {
        if values[at].is_nan() {
            continue;
        }
        let (from, to, steps) = (values[before], values[at], (at - before) as f64);
        for (step, value) in values[before + 1..at].iter_mut().enumerate() {
            *value = from + (to - from) * (step + 1) as f64 / steps;
        }
        before = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        examples::{grid, id, start},
        series::Series,
    };

    fn hourly() -> Mstl {
        Mstl { periods: vec![24, 168], memory_steps: 8 * 168 }
    }

    /// Every value is its local hour, more at weekends.
    fn by_the_clock(days: i64) -> Series {
        let value = |step| {
            let local = grid().local(grid().advance(start(), step));
            let weekend = if local.weekday().to_monday_zero_offset() >= 5 { 40.0 } else { 0.0 };
            10.0 + f64::from(local.hour()) + weekend
        };
        let end = grid().start_of_day(start(), days);
        let steps = grid().steps_between(start(), end).expect("days begin on the grid");
        Series { id: id("a"), start: start(), values: (0..steps).map(value).collect() }
    }

    #[test]
    fn both_seasons_are_repeated_across_a_clock_change() {
        let all = by_the_clock(100);
        // Clocks go forward on 2025-03-30: from the day before and from two days after it.
        for origin in ["2025-03-29T00:00:00+01:00", "2025-04-01T00:00:00+02:00"] {
            let origin = origin.parse().expect("is a time");
            let forecast = hourly().predict(Covered::alone(&all), &grid(), origin, 72).expect("has history");
            let actual = &all.values[all.index_of(&grid(), origin)..];
            for (step, (forecast, actual)) in forecast.iter().zip(actual).enumerate() {
                assert!((forecast - actual).abs() < 1.0, "{origin} step {step}: {forecast} not {actual}");
            }
        }
    }

    #[test]
    fn gaps_are_filled_from_the_week_before() {
        let mut gappy = by_the_clock(60);
        for value in gappy.values.iter_mut().skip(1100).take(30) {
            *value = f64::NAN;
        }
        let end = gappy.end(&grid());
        let forecasts = [&gappy, &by_the_clock(60)]
            .map(|series| hourly().predict(Covered::alone(series), &grid(), end, 24));
        let [with, without] = forecasts.map(|forecast| forecast.expect("has history"));
        assert!(with.iter().zip(&without).all(|(one, other)| (one - other).abs() < 0.5));
    }

    #[test]
    fn late_values_move_the_season_along() {
        let all = by_the_clock(70);
        let origin = grid().start_of_day(start(), 68);
        let mut late = all.clone();
        late.values.truncate(all.index_of(&grid(), origin) - 30);
        let forecast = hourly().predict(Covered::alone(&late), &grid(), origin, 24).expect("has history");
        let actual = &all.values[all.index_of(&grid(), origin)..];
        assert!(forecast.iter().zip(actual).all(|(one, other)| (one - other).abs() < 1.0), "{forecast:?}");
    }

    #[test]
    fn a_missing_value_lies_between_its_neighbours_without_a_season_before_it() {
        let mut values = [1.0, f64::NAN, 3.0, f64::NAN, f64::NAN, 9.0];
        fill(&mut values, 100);
        assert_eq!(values, [1.0, 2.0, 3.0, 5.0, 7.0, 9.0]);
    }

    #[test]
    fn smoothing_follows_steps_and_averages_noise() {
        let step: Vec<f64> = (0..60).map(|at| if at < 30 { 1.0 } else { 5.0 }).collect();
        assert!((smoothed(&step) - 5.0).abs() < 1e-6);
        let noise: Vec<f64> = (0..200).map(|at| f64::from((at * 7919) % 101)).collect();
        assert!((smoothed(&noise) - 50.0).abs() < 25.0);
    }
}
