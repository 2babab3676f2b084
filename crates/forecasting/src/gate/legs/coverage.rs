//! Intervals must hold about as many of the actuals as they say: whoever plans a stock by an interval of 95 % is short
//! otherwise.

use super::{Objection, Terms};
use crate::{
    artifact::Bundle,
    evaluation::{Forecasts, RowSet},
    gate::{
        fixed_b::{Reference, bandwidth, long_run_variance},
        statistics::CoverageTest,
    },
    intervals::Intervals,
};

/// Intervals that are off are refused, and so are none at all where there were some.
pub(in crate::gate) fn missing(candidate: &Bundle, incumbent: Option<&Bundle>) -> Option<Objection> {
    let is_lost = candidate.intervals.is_none() && incumbent.is_some_and(|bundle| bundle.intervals.is_some());
    is_lost.then_some(Objection::NoIntervals)
}

/// Points of one origin are missed together, so the shares that each origin's intervals hold are the sample, not the
/// points. `None` where hardly anything has intervals.
pub(in crate::gate) fn test(
    intervals: &Intervals,
    rows: &RowSet<'_>,
    forecasts: &Forecasts,
    level: u8,
    terms: &Terms<'_>,
) -> Option<CoverageTest> {
    let shares = shares_held(intervals, rows, forecasts, level);
    let origins = shares.len();
    if origins < 2 {
        return None;
    }
    let overlap = terms.overlap as usize;
    let bandwidth = bandwidth(origins, overlap);
    let reference = Reference::new(origins, bandwidth, overlap);
    let standard_error = reference.standard_error(long_run_variance(&shares, bandwidth), origins);
    Some(CoverageTest {
        level,
        held: shares.iter().sum::<f64>() / origins as f64,
        reach: standard_error * reference.critical(terms.policy.alpha),
        tolerance: terms.policy.coverage_tolerance,
    })
}

/// What the test holds against the candidate. `opponent` is what the intervals in use held: they are not kept because
/// others are off too, if less.
pub(in crate::gate) fn object(
    test: &CoverageTest,
    opponent: Option<f64>,
    terms: &Terms<'_>,
) -> Option<Objection> {
    let &CoverageTest { level, held, reach, tolerance } = test;
    let distance = |held: f64| (held - f64::from(level) / 100.0).abs();
    let is_off = distance(held) - reach > tolerance;
    let is_nearer = opponent.is_some_and(|opponent| distance(held) < distance(opponent));
    (is_off && !is_nearer).then_some(Objection::CoverageOff {
        level,
        held,
        reach,
        tolerance,
        alpha: terms.policy.alpha,
    })
}

fn shares_held(intervals: &Intervals, rows: &RowSet<'_>, forecasts: &Forecasts, level: u8) -> Vec<f64> {
    let mut counts = vec![(0_u32, 0_u32); rows.origins().len()];
    for (row, held) in rows.rows().iter().zip(intervals.held(rows, forecasts, level)) {
        if let Some(held) = held {
            let (inside, all) = &mut counts[row.origin];
            *inside += u32::from(held);
            *all += 1;
        }
    }
    let scored = counts.into_iter().filter(|(_, all)| *all > 0);
    scored.map(|(inside, all)| f64::from(inside) / f64::from(all)).collect()
}
