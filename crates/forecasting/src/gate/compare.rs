//! The one place where losses become objections.

use super::{
    Objection, Side, Slice, Statistics,
    legs::{Comparison, LEGS},
};
use crate::{evaluation::PairedLosses, spec::GatePolicy};

/// Compares the losses of two sides. The floor comes first, then the average, the worst case, the slices: a
/// candidate that has failed is not tested for luck any further.
pub fn compare(losses: &PairedLosses, terms: &Terms<'_>) -> Findings {
    let comparison = Comparison { losses, opponent: terms.opponent };
    let objections = LEGS.iter().filter_map(|leg| leg(&comparison)).collect();
    Findings { objections, statistics: Statistics::default() }
}

/// By what terms losses are compared.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How strict the gate is.
    pub policy: &'a GatePolicy,
    /// Strides that a horizon covers, at least 1: origins fewer strides apart share targets.
    pub overlap: u32,
    /// Neighbouring origins that the bootstrap draws together: the larger one of `overlap` and the origins of
    /// seven days.
    pub block_origins: u32,
    /// Slices that are looked at one by one.
    pub declared: &'a [Slice],
    /// Slices of which the worst is looked at.
    pub searched: &'a [Slice],
    /// What the bootstrap's random numbers start from.
    pub seed: u64,
    /// Who the candidate competes with.
    pub opponent: Side,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// What speaks against the candidate; it passes if nothing does.
    pub objections: Vec<Objection>,
    /// What was computed on the way.
    pub statistics: Statistics,
}
