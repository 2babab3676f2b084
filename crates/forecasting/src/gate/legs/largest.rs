//! The largest loss must not be far beyond the opponent's. A maximum has no sampling theory that is of use, so this is
//! a veto against what is plainly absurd: of two equally good sides one has a largest loss more than twice the other's
//! in at most 1.3 of 100 holdouts (simulated: 28 and 56 days of 1 to 21 hourly series, tails of Student's distribution
//! with 5 degrees of freedom, correlation of errors 0.6 and 0.9), and more than one and a half times in up to 5.5.

use super::{Objection, Terms};
use crate::{evaluation::PairedLosses, gate::statistics::Largest};

pub(in crate::gate) fn measure(losses: &PairedLosses, terms: &Terms<'_>) -> Largest {
    let largest = |losses: &[f64]| losses.iter().copied().fold(0.0, f64::max);
    Largest {
        candidate: largest(losses.candidate()),
        opponent: largest(losses.incumbent()),
        allowed_ratio: terms.policy.max_ratio,
    }
}

pub(in crate::gate) fn object(largest: &Largest, terms: &Terms<'_>) -> Option<Objection> {
    let &Largest { candidate, opponent, allowed_ratio } = largest;
    (candidate > allowed_ratio * opponent).then_some(Objection::LargestTooLarge {
        candidate,
        opponent,
        allowed_ratio,
        against: terms.opponent,
    })
}
