//! How far a forecast may be off: split conformal intervals.
//!
//! While learners compete, a model fitted on the past forecasts origins after it; what it was off there, divided
//! by the recent level of the series, says how far forecasts will be off (Vovk et al. 2005; Lei et al. 2018,
//! "Distribution-free predictive inference for regression"). A series with enough such errors has quantiles of
//! its own, the others share those of all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    bounded::at_most,
    evaluation::{Forecasts, RowSet},
    models::{Past, PredictError},
    names::SeriesId,
    preprocessing::MOST_SERIES,
    routing::Task,
    series::{Grid, Series},
};

/// What a version knows of its own errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    pooled: Quantiles,
    #[serde(deserialize_with = "at_most::<MOST_SERIES, _, _>")]
    own: Vec<(SeriesId, Quantiles)>,
    season_steps: u32,
    non_negative: bool,
}

/// The range that holds the actual with a probability of `level` percent.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// In percent.
    pub level: u8,
    /// One lower end per step.
    pub lower: Vec<f64>,
    /// One upper end per step.
    pub upper: Vec<f64>,
}

/// How many of the actuals the intervals of a level held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// In percent.
    pub level: u8,
    /// From 0 to 1; `level` / 100 where the intervals keep their promise.
    pub held: f64,
}

/// Levels whose quantiles are kept; others lie between two of them.
const LEVELS: [u8; 8] = [50, 60, 70, 80, 90, 95, 98, 99];
/// The conformal quantile of the 99 % level needs as many.
const LEAST_ERRORS: usize = 200;
/// Of one series: several times what the outermost quantile rests on.
const LEAST_OWN_ERRORS: usize = 600;
/// A week of one-minute steps.
const MOST_SEASON_STEPS: u32 = 10_080;

/// Errors (actual − forecast) in levels, one per kept level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Quantiles {
    lower: [f32; LEVELS.len()],
    upper: [f32; LEVELS.len()],
}

impl Intervals {
    /// The levels that may be asked for, in percent.
    pub const LEVELS: std::ops::RangeInclusive<u8> = LEVELS[0]..=LEVELS[LEVELS.len() - 1];

    /// From forecasts that were made without having seen the rows; `None` if there are too few.
    pub(crate) fn calibrate(rows: &RowSet<'_>, forecasts: &Forecasts) -> Option<Self> {
        let frame = rows.frame();
        let season_steps = u32::try_from(frame.grid.steps_per_season()).ok()?;
        let levels = levels_of_rows(rows, season_steps);
        let mut pooled = Vec::new();
        let mut own = Vec::new();
        let scored: Vec<(&crate::evaluation::Row, f64, f64)> = rows
            .rows()
            .iter()
            .zip(&forecasts.values)
            .zip(&levels)
            .map(|((row, &forecast), &level)| (row, forecast, level))
            .collect();
        for series in scored.chunk_by(|one, next| one.0.series == next.0.series) {
            let errors = series.iter().map(|(row, forecast, level)| (row.actual - forecast) / level);
            let errors: Vec<f64> = errors.filter(|error| error.is_finite()).collect();
            if errors.len() >= LEAST_OWN_ERRORS && own.len() < MOST_SERIES {
                own.push((frame.series[series[0].0.series].id.clone(), Quantiles::of(errors.clone())));
            }
            pooled.extend(errors);
        }
        if pooled.len() < LEAST_ERRORS {
            return None;
        }
        let values = frame.series.iter().flat_map(|series| &series.values);
        let non_negative = values.filter(|value| !value.is_nan()).all(|&value| value >= 0.0);
        Some(Self { pooled: Quantiles::of(pooled), own, season_steps, non_negative })
    }

    /// The ranges around the forecasts that answer a task; none where the series has no recent value.
    pub(crate) fn around(&self, values: &[f64], task: &Task<'_>, levels: &[u8]) -> Vec<Band> {
        let Ok(recent) = recent_level(task.history, task.grid, task.origin, self.season_steps) else {
            return Vec::new();
        };
        let quantiles = self.quantiles(&task.history.id);
        let band = |&level: &u8| {
            let (below, above) = quantiles.at(level);
            let limit = |value: f64| if self.non_negative { value.max(0.0) } else { value };
            let moved = |by: f64| values.iter().map(|value| limit(value + by * recent)).collect();
            Band { level, lower: moved(below), upper: moved(above) }
        };
        let is_finite = |band: &Band| band.lower.iter().chain(&band.upper).all(|end| end.is_finite());
        levels.iter().map(band).filter(is_finite).collect()
    }

    /// How many of the actuals of `rows` the intervals around `forecasts` hold; empty without any.
    pub(crate) fn coverage(&self, rows: &RowSet<'_>, forecasts: &Forecasts, levels: &[u8]) -> Vec<Coverage> {
        let coverage = |&level: &u8| {
            let known: Vec<bool> = self.held(rows, forecasts, level).into_iter().flatten().collect();
            let held = known.iter().filter(|held| **held).count() as f64;
            (!known.is_empty()).then(|| Coverage { level, held: held / known.len() as f64 })
        };
        levels.iter().filter_map(coverage).collect()
    }

    /// Whether the interval around each forecast holds the actual; `None` in rows without an interval.
    pub(crate) fn held(&self, rows: &RowSet<'_>, forecasts: &Forecasts, level: u8) -> Vec<Option<bool>> {
        let recent = levels_of_rows(rows, self.season_steps);
        let ends = |series: &Series| self.quantiles(&series.id).at(level);
        let ends: Vec<(f64, f64)> = rows.frame().series.iter().map(ends).collect();
        let all = rows.rows().iter().zip(&forecasts.values).zip(&recent);
        let held = all.map(|((row, forecast), recent)| {
            let (below, above) = ends[row.series];
            let (lower, upper) = (forecast + below * recent, forecast + above * recent);
            let upper = if self.non_negative { upper.max(0.0) } else { upper };
            (lower.is_finite() && upper.is_finite()).then(|| (lower..=upper).contains(&row.actual))
        });
        held.collect()
    }

    fn quantiles(&self, series: &SeriesId) -> &Quantiles {
        let own = self.own.binary_search_by(|(id, _)| id.cmp(series));
        own.map_or(&self.pooled, |at| &self.own[at].1)
    }

    /// Checks what answering relies on.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let all = || self.own.iter().map(|(_, quantiles)| quantiles).chain([&self.pooled]);
        if !all().all(Quantiles::is_valid) {
            return Err("quantiles of errors that are no ascending numbers".to_owned());
        }
        if self.own.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("series with intervals must be in ascending order, each once".to_owned());
        }
        if !(1..=MOST_SEASON_STEPS).contains(&self.season_steps) {
            return Err(format!("intervals over a level of {} steps", self.season_steps));
        }
        Ok(())
    }
}

impl Quantiles {
    /// At least [`LEAST_ERRORS`] errors, each finite.
    fn of(mut errors: Vec<f64>) -> Self {
        errors.sort_unstable_by(f64::total_cmp);
        let ends = LEVELS.map(|level| {
            let outside = (1.0 - f64::from(level) / 100.0) / 2.0;
            // Among n errors and the next one all ranks are equally likely: n + 1 of them. Half of what may lie
            // outside lies on each side, so the interval need not be as wide above as below.
            let below = rank(errors.len(), outside);
            (single(errors[below]), single(errors[errors.len() - 1 - below]))
        });
        Self { lower: ends.map(|(lower, _)| lower), upper: ends.map(|(_, upper)| upper) }
    }

    /// Both ends for a level, between the kept ones in proportion.
    fn at(&self, level: u8) -> (f64, f64) {
        let above = LEVELS.iter().position(|&kept| kept >= level).unwrap_or(LEVELS.len() - 1);
        let below = if LEVELS[above] == level { above } else { above.saturating_sub(1) };
        let gap = f64::from(LEVELS[above] - LEVELS[below]);
        let share = if gap > 0.0 { f64::from(level.saturating_sub(LEVELS[below])) / gap } else { 0.0 };
        let between = |ends: &[f32]| {
            let (from, to) = (f64::from(ends[below]), f64::from(ends[above]));
            from + share * (to - from)
        };
        (between(&self.lower), between(&self.upper))
    }

    /// Wider levels have wider intervals.
    fn is_valid(&self) -> bool {
        let is_finite = self.lower.iter().chain(&self.upper).all(|end| end.is_finite());
        is_finite
            && self.lower.is_sorted_by(|one, next| one >= next)
            && self.upper.is_sorted()
            && self.lower[0] <= self.upper[0]
    }
}

/// Index of the largest error (counted from either end) that leaves at most the share `outside` beyond it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
fn rank(errors: usize, outside: f64) -> usize {
    (((errors + 1) as f64 * outside + 1e-9).floor() as usize).saturating_sub(1)
}

/// Errors beyond a million levels are of a broken meter; single precision keeps seven digits of the others.
#[expect(clippy::cast_possible_truncation, reason = "single precision is what is wanted")]
fn single(error: f64) -> f32 {
    error.clamp(-1e6, 1e6) as f32
}

/// The recent level at the origin of each row; `NaN` where there is none.
fn levels_of_rows(rows: &RowSet<'_>, season_steps: u32) -> Vec<f64> {
    let grid = &rows.frame().grid;
    let levels = rows.forecast(|history, origin| -> Result<_, std::convert::Infallible> {
        let level = recent_level(history, grid, origin, season_steps);
        Ok(level.map(|level| vec![level; rows.horizon_steps()]))
    });
    levels.unwrap_or_else(|never| match never {}).values
}

/// The mean size of the values of the newest season, no less than a twentieth of that of four.
fn recent_level(
    history: &Series,
    grid: &Grid,
    origin: Timestamp,
    season_steps: u32,
) -> Result<f64, PredictError> {
    let past = Past::before(history, grid, origin, 4 * season_steps as usize)?;
    let known = &past.values[..past.known_end.min(past.values.len())];
    let size = |steps: usize| {
        let newest = &known[known.len().saturating_sub(steps)..];
        crate::models::mean(newest.iter().filter(|value| !value.is_nan()).map(|value| value.abs()))
    };
    let longer = size(4 * season_steps as usize).ok_or(PredictError::NothingKnown)?;
    Ok(size(season_steps as usize).map_or(longer, |recent| recent.max(longer / 20.0)))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        examples::{dataset, grid, history, id},
        series::{Frame, SeriesCovariates},
    };

    /// Rows of the last `days` days of a history, and forecasts that are off by up to `off` either way.
    fn with_errors<T>(
        frame: &Frame,
        days: i64,
        off: f64,
        use_them: impl Fn(&RowSet<'_>, &Forecasts) -> T,
    ) -> T {
        let last = frame.grid.start_of_day(frame.series[0].end(&frame.grid), 0);
        let origins = (1..=days).rev().map(|day| frame.grid.start_of_day(last, -day)).collect();
        let rows = RowSet::new(frame, origins, 24, SignedDuration::ZERO);
        let mut noise = 7_u64;
        let mut forecasts =
            rows.forecast(|_, _| -> Result<_, Infallible> { Ok(Ok(vec![0.0; 24])) }).expect("never stops");
        for (value, row) in forecasts.values.iter_mut().zip(rows.rows()) {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let share = (noise >> 40) as f64 / f64::from(1_u32 << 24);
            *value = row.actual + off * (2.0 * share - 1.0);
        }
        use_them(&rows, &forecasts)
    }

    fn around(intervals: &Intervals, value: f64, series: &Series, levels: &[u8]) -> Vec<Band> {
        let (grid, dataset) = (grid(), dataset().name);
        let origin = series.end(&grid);
        let covariates = SeriesCovariates::nothing();
        let task =
            Task { dataset: &dataset, history: series, covariates, grid: &grid, origin, horizon_steps: 1 };
        intervals.around(&[value], &task, levels)
    }

    #[test]
    fn intervals_hold_what_they_promise_on_errors_like_those_they_were_made_of() {
        let frame = history(150);
        let intervals = with_errors(&frame, 60, 20.0, Intervals::calibrate).expect("is enough");
        assert_eq!(intervals.own.len(), 3);
        let coverage = with_errors(&frame, 30, 20.0, |rows, forecasts| {
            intervals.coverage(rows, forecasts, &[80, 87, 95])
        });
        for Coverage { level, held } in coverage {
            assert!((held - f64::from(level) / 100.0).abs() < 0.03, "{level} %: {held}");
        }
        let worse =
            with_errors(&frame, 30, 40.0, |rows, forecasts| intervals.coverage(rows, forecasts, &[80]));
        assert!(worse[0].held < 0.5, "errors twice as large are not held");
    }

    #[test]
    fn a_series_twice_as_large_has_intervals_twice_as_wide() {
        let frame = history(150);
        let intervals = with_errors(&frame, 60, 20.0, Intervals::calibrate).expect("is enough");
        let mut large = frame.series[1].clone();
        large.values.iter_mut().for_each(|value| *value *= 2.0);
        let width = |series: &Series| {
            let bands = around(&intervals, 500.0, series, &[80]);
            bands[0].upper[0] - bands[0].lower[0]
        };
        assert!((width(&large) - 2.0 * width(&frame.series[1])).abs() < 1e-9);
    }

    #[test]
    fn a_series_with_few_errors_shares_those_of_all() {
        let frame = history(60);
        let intervals = with_errors(&frame, 9, 20.0, Intervals::calibrate).expect("is enough");
        assert_eq!(intervals.own, [], "216 errors each");
        assert_eq!(with_errors(&frame, 2, 20.0, Intervals::calibrate), None, "144 errors in all");
        let unseen = Series { id: id("unseen"), ..frame.series[0].clone() };
        assert_eq!(around(&intervals, 100.0, &unseen, &[50, 99]).len(), 2);
    }

    #[test]
    fn wider_levels_hold_narrower_ones_and_nothing_falls_below_zero() {
        let frame = history(150);
        let intervals = with_errors(&frame, 60, 90.0, Intervals::calibrate).expect("is enough");
        let series = &frame.series[0];
        let levels: Vec<u8> = Intervals::LEVELS.collect();
        let bands = around(&intervals, 30.0, series, &levels);
        for pair in bands.windows(2) {
            assert!(pair[1].lower[0] <= pair[0].lower[0] && pair[0].upper[0] <= pair[1].upper[0], "{pair:?}");
        }
        assert_eq!(bands.last().expect("has levels").lower, [0.0]);
    }

    #[test]
    fn the_conformal_rank_counts_the_next_error_too() {
        // Of 199 errors the 1st leaves 0.5 % of 200 ranks below it; of 198 there is none that does.
        let errors = |count: u32| Quantiles::of((1..=count).map(f64::from).collect());
        assert_eq!(errors(199).at(99), (1.0, 199.0));
        assert_eq!(errors(199).at(80), (20.0, 180.0));
        assert_eq!(errors(199).at(85), (15.0, 185.0), "half way to 90 %: 10 and 190");
    }

    #[test]
    fn intervals_from_outside_are_checked() {
        let frame = history(150);
        let fine = with_errors(&frame, 60, 20.0, Intervals::calibrate).expect("is enough");
        assert_eq!(fine.validate(), Ok(()));
        let mut turned = fine.clone();
        turned.pooled.lower.reverse();
        let mut no_number = fine.clone();
        no_number.own[1].1.upper[3] = f32::NAN;
        let mut unsorted = fine.clone();
        unsorted.own.swap(0, 1);
        let mut endless = fine;
        endless.season_steps = u32::MAX;
        for broken in [turned, no_number, unsorted, endless] {
            assert!(broken.validate().is_err(), "{broken:?}");
        }
    }
}
