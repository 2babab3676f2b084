//! The table that a learner fits: one row per (series, origin, step).

use super::{FitError, Material};
use crate::{
    preprocessing::{Calendar, CovariateColumns, DAY, FeatureSpec, View},
    series::Series,
};

/// Features and targets, column by column.
pub(crate) struct TrainingRows {
    /// One column per feature, `NaN` where missing.
    pub(crate) columns: Vec<Vec<f32>>,
    /// What was observed, in the unit of the series.
    pub(crate) values: Vec<f64>,
    /// The recent level of the series as known at the origin; above 0.
    pub(crate) levels: Vec<f64>,
}

/// Above this many rows, origins are thinned out: more rows cost memory (about 300 bytes each while
/// fitting) and time, and say little new.
const MOST_ROWS: usize = 220_000;

impl TrainingRows {
    /// A row for every known value of the material that lies within the horizon of a training origin.
    pub(crate) fn collect(material: &Material<'_>, spec: &FeatureSpec) -> Result<Self, FitError> {
        let origins_of_series = material
            .frame
            .series
            .iter()
            .map(|series| Origins::of(series, material, spec))
            .collect::<Vec<_>>();
        let all: usize = origins_of_series.iter().map(|origins| origins.indices.len()).sum();
        let every = (all * material.horizon_steps).div_ceil(MOST_ROWS).max(1);
        let mut rows = Self::with_capacity(spec.width(), all.div_ceil(every) * material.horizon_steps);
        let mut row = vec![0.0; spec.width()];
        for (number, (series, origins)) in material.frame.series.iter().zip(&origins_of_series).enumerate() {
            material.stop.check()?;
            let covariates = material.covariates.of(&series.id);
            let view = View {
                spec,
                calendar: &origins.calendar,
                values: &series.values,
                covariates: &CovariateColumns::of(spec, covariates, &material.frame.grid, series.start),
                place: spec.place(&series.id),
            };
            // Series start at different origins, so that together they see every day.
            for &origin in origins.indices.iter().skip(number % every).step_by(every) {
                rows.push_origin(view, origin, material.horizon_steps, &mut row);
            }
        }
        Ok(rows)
    }

    fn with_capacity(width: usize, rows: usize) -> Self {
        Self {
            columns: (0..width).map(|_| Vec::with_capacity(rows)).collect(),
            values: Vec::with_capacity(rows),
            levels: Vec::with_capacity(rows),
        }
    }

    fn push_origin(&mut self, view: View<'_>, origin: usize, horizon_steps: usize, row: &mut [f32]) {
        // A level of 0 means that every recent value is 0; nothing can be learned relative to that.
        let Some(at_origin) = view.at_origin(origin).filter(|at_origin| at_origin.level() > 0.0) else {
            return;
        };
        for (step, &value) in view.values[origin..].iter().take(horizon_steps).enumerate() {
            if value.is_nan() {
                continue;
            }
            at_origin.fill_row(step, row);
            for (column, &cell) in self.columns.iter_mut().zip(row.iter()) {
                column.push(cell);
            }
            self.values.push(value);
            self.levels.push(at_origin.level());
        }
    }
}

/// Where training pretends to forecast one series from.
struct Origins {
    calendar: Calendar,
    indices: Vec<usize>,
}

impl Origins {
    /// For sub-daily series the first step of every local day, the origin of most forecasts, and one other
    /// step a day that moves through the clock, so that a forecast from any time is no stranger; else every
    /// step.
    fn of(series: &Series, material: &Material<'_>, spec: &FeatureSpec) -> Self {
        let grid = &material.frame.grid;
        let calendar = Calendar::new(grid, series.start, series.values.len());
        let first_known = series.values.iter().position(|value| !value.is_nan());
        let first = first_known.map_or(usize::MAX, |first| first.saturating_add(spec.required_steps()));
        let step_minutes = grid.frequency().nominal().as_mins();
        let indices = (first..series.values.len())
            .filter(|&index| begins_day(&calendar, index) || is_moving(&calendar, index, step_minutes))
            .collect();
        Self { calendar, indices }
    }
}

/// Whether a step is the first of its local day; its clock need not show midnight.
fn begins_day(calendar: &Calendar, index: usize) -> bool {
    let before = index.checked_sub(1);
    before.map_or(calendar.minute_of_day(index) == 0, |before| calendar.day(before) != calendar.day(index))
}

/// Whether a step holds the moving hour of its day, or of the day that begins within it.
fn is_moving(calendar: &Calendar, index: usize, step_minutes: i64) -> bool {
    let (day, minute) = (calendar.day(index), calendar.minute_of_day(index));
    let holds = |wanted: i64| (minute..minute + step_minutes).contains(&wanted);
    holds(moving_minute(day)) || holds(DAY + moving_minute(day + 1))
}

/// A whole hour of the day that differs from day to day: 7 and 24 share no divisor, so 24 days in a row
/// have 24 different ones.
fn moving_minute(day: i64) -> i64 {
    60 * (7 * day).rem_euclid(24)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        examples::id,
        learning::StopFlag,
        series::{Covariates, Frame, Grid},
    };

    const ZONES: [&str; 7] = [
        "UTC",
        "Europe/Berlin",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "America/Sao_Paulo",
    ];

    /// The local days of two years of values that begin at a UTC midnight, with the minutes of the origins.
    fn origins_of_days(frequency: &str, zone: &str) -> BTreeMap<i64, BTreeSet<i64>> {
        let grid = Grid::new(frequency.parse().expect("is a frequency"), zone).expect("is a zone");
        let start = if frequency.starts_with("PT") {
            "2016-06-01T00:00:00Z".parse().expect("is a time")
        } else {
            grid.start_of_day("2016-06-01T00:00:00Z".parse().expect("is a time"), 0)
        };
        let steps = 2 * 365 * grid.steps_per_stride();
        let series = Series { id: id("a"), start, values: vec![1.0; steps] };
        let frame = Frame::new(grid, vec![series]).expect("one series");
        let stop = StopFlag::default();
        let material = Material {
            frame: &frame,
            covariates: Covariates::none(),
            holidays: None,
            horizon_steps: 1,
            delay_steps: 0,
            seed: 0,
            stop: &stop,
        };
        let spec = FeatureSpec::for_grid(&frame.grid, Vec::new(), 0, false);
        let origins = Origins::of(&frame.series[0], &material, &spec);
        let (first, last) = (spec.required_steps(), steps - 1);
        // The first and the last local day may be cut.
        let days = origins.calendar.day(first) + 1..origins.calendar.day(last);
        let mut minutes: BTreeMap<i64, BTreeSet<i64>> = days.map(|day| (day, BTreeSet::new())).collect();
        for index in origins.indices {
            if let Some(minutes) = minutes.get_mut(&origins.calendar.day(index)) {
                minutes.insert(origins.calendar.minute_of_day(index));
            }
        }
        minutes
    }

    #[test]
    fn every_day_of_every_zone_and_frequency_has_a_training_origin() {
        for zone in ZONES {
            for frequency in ["PT15M", "PT30M", "PT1H", "PT2H", "PT6H", "PT8H", "PT12H", "P1D"] {
                let days = origins_of_days(frequency, zone);
                let without = days.values().filter(|minutes| minutes.is_empty()).count();
                assert_eq!((days.len() > 600, without), (true, 0), "{frequency} in {zone}");
            }
        }
    }

    #[test]
    fn over_a_month_origins_are_at_every_hour_of_the_clock() {
        for zone in ZONES {
            let days: Vec<_> = origins_of_days("PT1H", zone).into_values().collect();
            for month in days.chunks_exact(30) {
                let hours: BTreeSet<i64> = month.iter().flatten().map(|minute| minute / 60).collect();
                assert!(hours.len() >= 23, "{hours:?} in {zone}");
            }
            assert!(days.iter().all(|minutes| minutes.len() <= 4), "a day has few origins in {zone}");
        }
    }
}
