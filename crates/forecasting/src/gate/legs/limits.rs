//! What no forecast may say and no error may be, whatever the other side does: declared in the policy.

use super::Objection;
use crate::{
    evaluation::{Forecasts, Row, RowSet},
    spec::GatePolicy,
};

/// The candidate's forecasts outside the declared range, and its errors above the declared limit: the first of each,
/// and how many more there are.
pub(in crate::gate) fn object(
    rows: &RowSet<'_>,
    candidate: &Forecasts,
    policy: &GatePolicy,
) -> Vec<Objection> {
    let outside = policy.range.and_then(|[least, most]| {
        let (row, value, others) = first(rows, candidate, |_, value| !(least..=most).contains(&value))?;
        let (series, origin) = (rows.series_of(row).clone(), rows.origin_of(row));
        Some(Objection::OutOfRange { series, origin, target: row.target, value, least, most, others })
    });
    let too_large = policy.max_error.and_then(|allowed| {
        let error = |row: &Row, value: f64| (value - row.actual).abs();
        let (row, value, others) = first(rows, candidate, |row, value| error(row, value) > allowed)?;
        let (series, origin) = (rows.series_of(row).clone(), rows.origin_of(row));
        let error = error(row, value);
        Some(Objection::ErrorTooLarge { series, origin, target: row.target, error, allowed, others })
    });
    outside.into_iter().chain(too_large).collect()
}

fn first<'r>(
    rows: &'r RowSet<'_>,
    forecasts: &Forecasts,
    is_wrong: impl Fn(&Row, f64) -> bool,
) -> Option<(&'r Row, f64, u64)> {
    let values = forecasts.values.iter().copied();
    // What is no number is a fault already.
    let usable = rows.rows().iter().zip(values).filter(|(_, value)| value.is_finite());
    let mut wrong = usable.filter(|(row, value)| is_wrong(row, *value));
    let (row, value) = wrong.next()?;
    Some((row, value, wrong.count() as u64))
}
