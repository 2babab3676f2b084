//! The average error must be strictly lower.

use super::{Comparison, Objection, veto};
use crate::evaluation::average;

pub(super) fn object(comparison: &Comparison<'_>) -> Option<Objection> {
    let losses = comparison.losses;
    let (Some(candidate), Some(opponent)) = (average(losses.candidate()), average(losses.incumbent())) else {
        return Some(veto::not_comparable(&"the average error is too large for a number"));
    };
    let against = comparison.opponent;
    (candidate >= opponent).then_some(Objection::AverageNotBetter { candidate, opponent, against })
}
