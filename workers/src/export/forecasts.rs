//! Forecasts in the long shape of Nixtla's tools: one row per series and step.

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

/// `unique_id, ds, forecast, version, origin, route`.
pub fn columns(forecasts: &[SeriesForecast]) -> Result<Columns, NoGrid> {
    let rows = forecasts.iter().map(|forecast| forecast.points.values.len()).sum();
    let mut ids = Vec::with_capacity(rows);
    let mut times = Vec::with_capacity(rows);
    let mut values = Vec::with_capacity(rows);
    let mut versions = Vec::with_capacity(rows);
    let mut origins = Vec::with_capacity(rows);
    let mut routes = Vec::with_capacity(rows);
    for forecast in forecasts {
        let points = &forecast.points;
        let grid = Grid::new(points.frequency.parse::<Frequency>()?, &points.tz)?;
        let route = wire_name(&forecast.route);
        for (step, value) in (0..).zip(&points.values) {
            ids.push(points.id.clone());
            times.push(grid.advance(points.start, step));
            values.push(value.unwrap_or(f64::NAN));
            versions.push(forecast.version.map(u64::from));
            origins.push(points.start);
            routes.push(route.clone());
        }
    }
    Ok(Columns::default()
        .with("unique_id", Cells::Text(ids))
        .with("ds", Cells::Time(times))
        .with("forecast", Cells::Number(values))
        .with("version", Cells::Count(versions))
        .with("origin", Cells::Time(origins))
        .with("route", Cells::Text(routes)))
}
