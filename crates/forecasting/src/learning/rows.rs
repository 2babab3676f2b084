//! The table that a learner fits: one row per (series, origin, step).

use super::{FitError, Material};
use crate::{
    preprocessing::{Calendar, FeatureSpec, View},
    series::Series,
};

/// Features and targets, column by column.
pub(super) struct TrainingRows {
    /// One column per feature, `NaN` where missing.
    pub(super) columns: Vec<Vec<f32>>,
    /// What was observed, in the unit of the series.
    pub(super) values: Vec<f64>,
    /// The recent level of the series as known at the origin; above 0.
    pub(super) levels: Vec<f64>,
}

/// Above this many rows, origins are thinned out: more rows cost memory (about 300 bytes each while
/// fitting) and time, and say little new.
const MOST_ROWS: usize = 220_000;

impl TrainingRows {
    /// A row for every known value of the material that lies within the horizon of a training origin.
    pub(super) fn collect(material: &Material<'_>, spec: &FeatureSpec) -> Result<Self, FitError> {
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
            let place = spec.place(&series.id);
            let view = View { spec, calendar: &origins.calendar, values: &series.values, place };
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
    /// For sub-daily series every local midnight, the origin of most forecasts, and one other time a day
    /// that moves through the clock, so that a forecast from any time is no stranger; else every step.
    fn of(series: &Series, material: &Material<'_>, spec: &FeatureSpec) -> Self {
        let calendar = Calendar::new(&material.frame.grid, series.start, series.values.len());
        let first_known = series.values.iter().position(|value| !value.is_nan());
        let first = first_known.map_or(usize::MAX, |first| first.saturating_add(spec.required_steps()));
        let indices = (first..series.values.len())
            .filter(|&index| {
                let minute = calendar.minute_of_day(index);
                minute == 0 || minute == moving_minute(&calendar, index)
            })
            .collect();
        Self { calendar, indices }
    }
}

/// A whole hour of the day that differs from day to day: 7 and 24 share no divisor, so 24 days in a row
/// have 24 different ones.
fn moving_minute(calendar: &Calendar, index: usize) -> i64 {
    60 * (7 * calendar.day(index)).rem_euclid(24)
}
