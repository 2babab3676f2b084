//! The scored rows as a table, for notebooks and for whoever wants to recompute the numbers.

use super::compared::Compared;
use crate::export::{Cells, Columns};

/// One row per scored row: `unique_id,ds,origin,y,scale`, then a column per learner. `scale` is what scaled
/// errors are divided by, missing for a series without one. Times are local: days are those of the zone.
pub(super) fn columns(compared: &Compared) -> Columns {
    let rows = compared.backtest.rows();
    let frame = rows.frame();
    let zone = frame.grid.time_zone();
    let scales = &compared.backtest.scales;
    let of_series = |series: usize| {
        let id = &frame.series[series].id;
        if scales.is_own(id) { scales.of(id) } else { f64::NAN }
    };
    let all = rows.rows().iter();
    let columns = Columns::default()
        .with(
            "unique_id",
            Cells::Text(all.clone().map(|row| frame.series[row.series].id.to_string()).collect()),
        )
        .with("ds", Cells::Local(zone.clone(), all.clone().map(|row| row.target).collect()))
        .with(
            "origin",
            Cells::Local(zone.clone(), all.clone().map(|row| rows.origins()[row.origin]).collect()),
        )
        .with("y", Cells::Number(all.clone().map(|row| row.actual).collect()))
        .with("scale", Cells::Number(all.map(|row| of_series(row.series)).collect()));
    compared.scored().fold(columns, |columns, (learner, scored)| {
        columns.with(learner.as_str(), Cells::Number(scored.values.clone()))
    })
}
