//! How learners are compared on a file: origins at its end, one fit before them, the same rows for all.

use jiff::{SignedDuration, Timestamp};

use super::{Forecasts, LossScales, RowSet};
use crate::{
    artifact::Bundle,
    learning::{StopFlag, Stopped},
    models::PredictError,
    names::DatasetName,
    routing::{Route, Task, as_candidate, forecast},
    series::{Covariates, Frame, Frequency, Grid, MissingCovariate, Series},
};

/// Where learners are compared: what they are fitted on, and the series and origins that are scored.
///
/// The origins lie a horizon apart on the grid through the last time stamp, so that the last horizon ends
/// there. A series is scored if its first value lies at least 4 weeks (of days: 8 weeks) before the first
/// origin; all series are learned from.
#[derive(Debug)]
pub struct Backtest {
    /// Everything before the first target.
    pub past: Frame,
    /// The start of the last step of the past.
    pub cut_off: Timestamp,
    /// What errors are divided by, from the past alone.
    pub scales: LossScales,
    covariates: Covariates,
    scored: Frame,
    origins: Vec<Timestamp>,
    horizon_steps: u32,
}

/// Why a file is too short to compare learners on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotBacktest {
    /// There is nothing.
    #[error("there is no value")]
    NoValue,
    /// No series begins early enough.
    #[error(
        "{origins} origins {horizon_steps} steps apart begin at {first_origin}; no series has a value \
         {needed_steps} steps before that, the earliest is at {first_target}"
    )]
    TooShort {
        /// Origins asked for.
        origins: u32,
        /// Steps between them.
        horizon_steps: u32,
        /// The first of them.
        first_origin: Timestamp,
        /// Steps that a series needs before it.
        needed_steps: i64,
        /// The first value of any series.
        first_target: Timestamp,
    },
}

impl Backtest {
    /// Lays the origins. `origins` and `horizon_steps` are at least 1.
    pub fn new(frame: &Frame, horizon_steps: u32, origins: u32) -> Result<Self, CannotBacktest> {
        let grid = &frame.grid;
        let (Some(first_target), Some(last_target)) = (frame.first_target(), frame.last_target()) else {
            return Err(CannotBacktest::NoValue);
        };
        let back = |origin: u32| 1 - i64::from(horizon_steps) * i64::from(origin);
        let laid: Vec<Timestamp> =
            (1..=origins).rev().map(|origin| grid.advance(last_target, back(origin))).collect();
        let first_origin = laid[0];
        let needed_steps = history_steps(grid);
        let latest_start = grid.advance(first_origin, -needed_steps);
        let is_long = |series: &&Series| series.first_target(grid).is_some_and(|first| first <= latest_start);
        let scored: Vec<Series> = frame.series.iter().filter(is_long).cloned().collect();
        if scored.is_empty() {
            return Err(CannotBacktest::TooShort {
                origins,
                horizon_steps,
                first_origin,
                needed_steps,
                first_target,
            });
        }
        let cut_off = grid.advance(first_origin, -1);
        Ok(Self {
            past: frame.window(Timestamp::MIN, first_origin),
            cut_off,
            scales: LossScales::in_sample(frame, cut_off),
            covariates: Covariates::default(),
            scored: Frame { grid: grid.clone(), series: scored },
            origins: laid,
            horizon_steps,
        })
    }

    /// The same, with covariates for the learners that use them.
    ///
    /// # Errors
    /// [`MissingCovariate`] if one that is known in advance is missing anywhere in the horizon of a forecast.
    pub fn with_covariates(self, covariates: Covariates) -> Result<Self, MissingCovariate> {
        {
            let rows = self.rows();
            covariates.check_horizons(rows.asked(), &self.scored.grid, rows.horizon_steps())?;
        }
        Ok(Self { covariates, ..self })
    }

    /// What is known besides the values, to fit with.
    pub fn covariates(&self) -> &Covariates {
        &self.covariates
    }

    /// The rows that are scored.
    pub fn rows(&self) -> RowSet<'_> {
        // Whatever the delay of a dataset, a file says what was known at each origin: everything before it.
        RowSet::new(&self.scored, self.origins.clone(), self.horizon_steps, SignedDuration::ZERO)
    }

    /// What a version answers for `rows`, as a forecaster would serve it, and how many of its forecasts its
    /// fallback made. `each` is called after every forecast.
    pub fn forecast(
        &self,
        rows: &RowSet<'_>,
        bundle: &Bundle,
        stop: &StopFlag,
        mut each: impl FnMut(),
    ) -> Result<(Forecasts, u64), Stopped> {
        let mut fallbacks = 0;
        let forecasts = rows.forecast(|history, origin| {
            stop.check()?;
            let answer = self.ask(bundle, &bundle.dataset, history, origin);
            each();
            Ok(answer.map(|(values, route)| {
                fallbacks += u64::from(route != Route::Primary);
                values
            }))
        })?;
        Ok((forecasts, fallbacks))
    }

    fn ask(
        &self,
        bundle: &Bundle,
        dataset: &DatasetName,
        history: &Series,
        origin: Timestamp,
    ) -> Result<(Vec<f64>, Route), PredictError> {
        let (grid, horizon_steps) = (&self.scored.grid, self.horizon_steps);
        let covariates = self.covariates.of(&history.id);
        as_candidate(forecast(bundle, &Task { dataset, history, covariates, grid, origin, horizon_steps }))
    }
}

/// Steps from the first value of a series to the first origin, below which it is not scored.
fn history_steps(grid: &Grid) -> i64 {
    let days = match grid.frequency() {
        Frequency::Minutes(_) => 28,
        Frequency::Days(_) => 56,
    };
    let step = grid.frequency().nominal().as_secs();
    (days * 24 * 3600 + step - 1) / step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        examples::{history, id, seasonal_naive, version},
        names::SeriesId,
        series::Grid,
    };

    fn days(values: &[(&str, i64, usize)]) -> Frame {
        let grid = Grid::new(Frequency::Days(1), "Europe/Berlin").expect("Berlin is known");
        let start = grid.start_of_day("2025-01-06T12:00:00Z".parse().expect("is a time"), 0);
        let series = values.iter().map(|&(name, after, len)| Series {
            id: id(name),
            start: grid.advance(start, after),
            values: vec![5.0; len],
        });
        let series = series.collect();
        Frame::new(grid, series).expect("the ids differ")
    }

    #[test]
    fn the_last_horizon_ends_at_the_last_time_stamp() {
        let frame = history(60);
        let backtest = Backtest::new(&frame, 24, 10).expect("is long enough");
        let last = frame.last_target().expect("has values");
        assert_eq!(backtest.origins.len(), 10);
        assert_eq!(frame.grid.advance(backtest.origins[9], 23), last);
        assert!(backtest.origins.windows(2).all(|pair| frame.grid.steps_between(pair[0], pair[1]) == Ok(24)));
        assert_eq!(backtest.past.last_target(), Some(backtest.cut_off));
        assert_eq!(backtest.rows().rows().len(), 10 * 24 * 3);
    }

    #[test]
    fn a_young_series_is_learned_from_and_not_scored() {
        // 70 days, 2 origins of 7: the first origin is day 56.
        let frame = days(&[("old", 0, 70), ("young", 1, 69), ("younger", 60, 10)]);
        let backtest = Backtest::new(&frame, 7, 2).expect("one is long enough");
        assert_eq!(backtest.rows().scored_series().map(SeriesId::as_str).collect::<Vec<_>>(), ["old"]);
        assert_eq!(backtest.past.series.len(), 3);
    }

    #[test]
    fn a_file_that_is_too_short_says_what_is_missing() {
        let problem = Backtest::new(&days(&[("a", 0, 70)]), 7, 3).expect_err("is short").to_string();
        let text = "3 origins 7 steps apart begin at 2025-02-23T23:00:00Z; no series has a value 56 steps \
                    before that, the earliest is at 2025-01-05T23:00:00Z";
        assert_eq!(problem, text);
        assert_eq!(
            Backtest::new(&days(&[("a", 0, 0)]), 7, 3).expect_err("is empty"),
            CannotBacktest::NoValue
        );
    }

    #[test]
    fn what_comes_after_an_origin_changes_no_forecast_from_it() {
        let frame = history(60);
        let forecasts = |frame: &Frame| {
            let backtest = Backtest::new(frame, 24, 2).expect("is long enough");
            let rows = backtest.rows();
            let bundle = version(seasonal_naive(), 58);
            let answer = backtest.forecast(&rows, &bundle, &StopFlag::default(), || ());
            let (forecasts, fallbacks) = answer.expect("nobody stops it");
            assert_eq!((forecasts.faults.len(), fallbacks), (0, 0));
            let first = rows.rows().iter().zip(forecasts.values).filter(|(row, _)| row.origin == 0);
            first.map(|(_, value)| value).collect::<Vec<f64>>()
        };
        let mut other = frame.clone();
        for series in &mut other.series {
            let end = series.values.len();
            series.values[end - 48..].fill(1e9);
        }
        assert_eq!(forecasts(&frame), forecasts(&other));
    }
}
