//! The scored rows as CSV, for notebooks and for whoever wants to recompute the numbers.

use std::fs::File;

use forecasting::evaluation::Row;
use jiff::Timestamp;

use super::compared::Compared;

/// One line per scored row: `unique_id,ds,origin,y,scale`, then a column per learner. `scale` is what scaled
/// errors are divided by, empty for a series without one.
pub(super) fn write(file: File, compared: &Compared) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    let columns = ["unique_id", "ds", "origin", "y", "scale"];
    let learners = compared.scored().map(|(learner, _)| learner.as_str());
    csv.write_record(columns.into_iter().chain(learners))?;
    let rows = compared.backtest.rows();
    let grid = &rows.frame().grid;
    let local = |at: Timestamp| grid.local(at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    for (at, row) in rows.rows().iter().enumerate() {
        let Row { series, origin, target, actual, .. } = *row;
        let id = &rows.frame().series[series].id;
        let scales = &compared.backtest.scales;
        let scale = if scales.is_own(id) { scales.of(id).to_string() } else { String::new() };
        let origin = local(rows.origins()[origin]);
        let cells = [id.to_string(), local(target), origin, actual.to_string(), scale];
        let forecasts = compared.scored().map(|(_, scored)| scored.values[at].to_string());
        csv.write_record(cells.into_iter().chain(forecasts))?;
    }
    Ok(csv.flush()?)
}
