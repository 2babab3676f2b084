//! Which way forecasts go with one feature while all others stay as they are (individual conditional expectation:
//! Goldstein et al. 2015): what a forest makes of a feature, and a line, too.

use super::{Examination, Probed, Tested, against, curve};
use crate::{learning::Stopped, models::Covered, spec::Direction};

pub(super) fn test(
    examination: &Examination<'_>,
    feature: &str,
    direction: Direction,
    tolerance: f64,
) -> Result<Tested, Stopped> {
    let Some(regression) = examination.regression() else {
        return Ok(Tested::untested("looks at no features"));
    };
    let relative = regression.relative();
    let Some(column) = relative.features.column(feature) else {
        return Ok(Tested::NoSuchFeature(feature.to_owned()));
    };
    let (contest, width) = (examination.contest, relative.features.width());
    let mut asked = Vec::new();
    let mut seen: Vec<f32> = Vec::new();
    for probe in examination.probes() {
        let probe = probe?;
        let task = examination.task(&probe);
        let series = Covered { history: task.history, covariates: task.covariates };
        let rows = relative.rows(series, task.grid, task.origin, task.horizon_steps as usize);
        // Where the features cannot be had, the fallback answers or nobody.
        let Ok(rows) = rows else { continue };
        seen.extend(rows.cells.iter().skip(column).step_by(width).filter(|cell| !cell.is_nan()));
        asked.push((probe.history.id, probe.origin, rows));
    }
    seen.sort_by(f32::total_cmp);
    let values = curve::tried(&seen);
    if values.len() < 2 {
        return Ok(Tested::untested(format!("sees no two values of {feature} in the holdout")));
    }
    let mut probed = Probed::new(against(direction), tolerance);
    for (series, origin, mut rows) in asked {
        let curve = curve::Curve::along(&values, |value| {
            contest.stop.check()?;
            rows.cells.iter_mut().skip(column).step_by(width).for_each(|cell| *cell = value);
            Ok(rows.values(regression.ratios(&rows.cells)))
        })?;
        let moved = curve.map(|curve| {
            let curve::Move { from, to, part } = curve.against(direction);
            (format!("{feature} up from {from} to {to}"), part)
        });
        probed.note(&series, origin, moved, &format!("another {feature}"));
    }
    Ok(Tested::Probed(probed))
}
