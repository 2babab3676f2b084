//! Forecasts in the long shape of Nixtla's tools: one row per series and step.

use std::collections::BTreeMap;

use forecasting::series::{Frequency, Grid, InvalidFrequency, InvalidTimeZone};
use protocol::messages::SeriesForecast;

use super::{Cells, Columns};
use crate::handlers::convert::wire_name;

/// A reply that does not say what its steps are.
#[derive(Debug, thiserror::Error)]
pub enum NoGrid {
    /// The distance of its steps.
    #[error("the forecaster's reply")]
    Frequency(#[from] InvalidFrequency),
    /// The zone that its days follow.
    #[error("the forecaster's reply")]
    TimeZone(#[from] InvalidTimeZone),
}

/// `unique_id, ds, forecast, lo-80, hi-80, …, version, origin, route`, with the `levels` in ascending order,
/// missing where a forecast has no interval.
pub fn columns(forecasts: &[SeriesForecast], levels: &[u8]) -> Result<Columns, NoGrid> {
    let rows = forecasts.iter().map(|forecast| forecast.points.values.len()).sum();
    let mut ids = Vec::with_capacity(rows);
    let mut times = Vec::with_capacity(rows);
    let mut values = Vec::with_capacity(rows);
    let mut intervals = Intervals::of(levels);
    let mut versions = Vec::with_capacity(rows);
    let mut origins = Vec::with_capacity(rows);
    let mut routes = Vec::with_capacity(rows);
    for forecast in forecasts {
        let points = &forecast.points;
        let grid = Grid::new(points.frequency.parse::<Frequency>()?, &points.tz)?;
        let route = wire_name(&forecast.route);
        intervals.add(forecast);
        for (step, value) in (0..).zip(&points.values) {
            ids.push(points.id.clone());
            times.push(grid.advance(points.start, step));
            values.push(value.unwrap_or(f64::NAN));
            versions.push(forecast.version.map(u64::from));
            origins.push(points.start);
            routes.push(route.clone());
        }
    }
    let points = Columns::default()
        .with("unique_id", Cells::Text(ids))
        .with("ds", Cells::Time(times))
        .with("forecast", Cells::Number(values));
    Ok(intervals
        .after(points)
        .with("version", Cells::Count(versions))
        .with("origin", Cells::Time(origins))
        .with("route", Cells::Text(routes)))
}

/// The lower and upper ends, by level.
struct Intervals(BTreeMap<u8, [Vec<f64>; 2]>);

impl Intervals {
    fn of(levels: &[u8]) -> Self {
        Self(levels.iter().map(|&level| (level, <[Vec<f64>; 2]>::default())).collect())
    }

    /// A row for each of the forecast's points.
    fn add(&mut self, forecast: &SeriesForecast) {
        let steps = forecast.points.values.len();
        for (level, [lower, upper]) in &mut self.0 {
            let rows = lower.len() + steps;
            if let Some(interval) = forecast.intervals.iter().find(|interval| interval.level == *level) {
                lower.extend(&interval.lower);
                upper.extend(&interval.upper);
            }
            lower.resize(rows, f64::NAN);
            upper.resize(rows, f64::NAN);
        }
    }

    fn after(self, points: Columns) -> Columns {
        self.0.into_iter().fold(points, |columns, (level, [lower, upper])| {
            columns
                .with(format!("lo-{level}"), Cells::Number(lower))
                .with(format!("hi-{level}"), Cells::Number(upper))
        })
    }
}
