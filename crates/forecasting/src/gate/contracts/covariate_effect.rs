//! Which way forecasts go with what is known in advance, had it another number over the whole horizon.

use super::{Examination, Probed, Tested, against, curve};
use crate::{learning::Stopped, models::Predict as _, names::CovariateName, routing::Task, spec::Direction};

pub(super) fn test(
    examination: &Examination<'_>,
    covariate: &CovariateName,
    direction: Direction,
    tolerance: f64,
) -> Result<Tested, Stopped> {
    let contest = examination.contest;
    if !contest.candidate.primary.needs_covariates() {
        return Ok(Tested::untested("looks at no covariates"));
    }
    let mut said: Vec<f64> = Vec::new();
    for probe in examination.probes() {
        let probe = probe?;
        let Task { covariates, grid, origin, horizon_steps, .. } = examination.task(&probe);
        let over_horizon = covariates.known_over(covariate, grid, origin, horizon_steps as usize);
        said.extend(over_horizon.iter().filter(|number| !number.is_nan()));
    }
    said.sort_by(f64::total_cmp);
    let values = curve::tried(&said);
    if values.len() < 2 {
        return Ok(Tested::untested(format!("sees no two values of {covariate} in the holdout")));
    }
    let mut probed = Probed::new(against(direction), tolerance);
    for probe in examination.probes() {
        let probe = probe?;
        let task = examination.task(&probe);
        let mut changed = task.covariates.clone();
        let curve = curve::Curve::along(&values, |number| {
            contest.stop.check()?;
            let steps = task.horizon_steps as usize;
            changed.known_over_mut(covariate, task.grid, task.origin, steps).fill(number);
            Ok(examination.answer(&Task { covariates: &changed, ..task }))
        })?;
        let moved = curve.map(|curve| {
            let curve::Move { from, to, part } = curve.against(direction);
            (format!("{covariate} up from {from} to {to}"), part)
        });
        probed.note(&probe.history.id, probe.origin, moved, &format!("another {covariate}"));
    }
    Ok(Tested::Probed(probed))
}
