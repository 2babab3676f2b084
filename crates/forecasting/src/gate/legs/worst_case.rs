//! The worst-case error must be strictly lower: a candidate that is better on average and fails horribly
//! now and then costs its users' trust.

use super::{Comparison, Objection, veto};
use crate::evaluation::{Tail, worst_case};

pub(super) fn object(comparison: &Comparison<'_>) -> Option<Objection> {
    let losses = comparison.losses;
    let both = (worst_case(losses.candidate()), worst_case(losses.incumbent()));
    let (Some(candidate), Some(opponent)) = both else {
        return Some(veto::not_comparable(&"the worst-case error is too large for a number"));
    };
    let tail = Tail::of(losses.candidate().len())?;
    (candidate >= opponent).then_some(Objection::WorstCaseNotBetter {
        candidate,
        opponent,
        against: comparison.opponent,
        tail_points: tail.points as u64,
        points: tail.of as u64,
    })
}
