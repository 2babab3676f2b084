//! The one place where losses become objections.

use super::{
    Look, Objection, Prospect, Side, Slice, Statistics,
    legs::{average, exceedances, largest, slices, worst_case},
    resampling::Resampling,
};
use crate::{evaluation::PairedLosses, spec::GatePolicy};

/// Compares the losses of two sides. The floor comes first, then the average, the worst case, the slices: a
/// candidate that has failed is not resampled. One that may be worth waiting for is: a slice that is proven worse
/// spares it the wait.
///
/// Each origin's losses count as one observation. Nothing here depends on a thread, a clock or the order of slices.
pub fn compare(losses: &PairedLosses, terms: &Terms<'_>) -> Findings {
    let mut findings = on_every_point(losses, terms);
    if let Some(too_few) = average::too_few(losses, terms) {
        findings.objections.push(too_few);
        return findings;
    }
    let test = average::test(losses, terms);
    // A candidate that is worse as measured needs no test of luck to say so.
    if findings.objections.is_empty() {
        findings.objections.extend(average::object(test.as_ref(), losses, terms));
    }
    findings.statistics.average = test;
    if findings.objections.iter().all(|objection| objection.waits_for().is_some()) {
        resample(losses, terms, &mut findings);
    }
    findings
}

/// By what terms losses are compared.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How strict the gate is.
    pub policy: &'a GatePolicy,
    /// Strides that a horizon covers, at least 1: origins fewer strides apart share targets.
    pub overlap: u32,
    /// Neighbouring origins that the bootstrap draws together: the larger one of `overlap` and the origins of
    /// seven days. Cut to a quarter of all origins.
    pub block_origins: u32,
    /// Slices that are looked at one by one.
    pub declared: &'a [Slice],
    /// Slices of which the worst is looked at.
    pub searched: &'a [Slice],
    /// What the bootstrap's random numbers start from.
    pub seed: u64,
    /// Who the candidate competes with.
    pub opponent: Side,
    /// Where among the looks at the candidate this one stands.
    pub look: Look,
}

impl Terms<'_> {
    /// How often luck may pass what this look promotes by.
    pub(super) fn level(&self) -> f64 {
        self.look.level(self.policy.alpha)
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// What speaks against the candidate; it passes if nothing does.
    pub objections: Vec<Objection>,
    /// What was computed on the way.
    pub statistics: Statistics,
}

/// The floor and the vetoes, which need no origins.
pub(super) fn on_every_point(losses: &PairedLosses, terms: &Terms<'_>) -> Findings {
    let (largest, exceedances) = (largest::measure(losses, terms), exceedances::measure(losses));
    let objections = [
        average::floor(losses, terms),
        worst_case::floor(losses, terms),
        largest::object(&largest, terms),
        exceedances::object(&exceedances, terms),
    ];
    let statistics =
        Statistics { largest: Some(largest), exceedances: Some(exceedances), ..Statistics::default() };
    Findings { objections: objections.into_iter().flatten().collect(), statistics }
}

/// What may be luck in the tail and on slices.
fn resample(losses: &PairedLosses, terms: &Terms<'_>, findings: &mut Findings) {
    let Findings { objections, statistics } = findings;
    let resampling = Resampling::new(losses, terms);
    let worst_case = worst_case::test(losses, terms, &resampling);
    let declared = slices::declared(losses, terms, &resampling);
    let searched = slices::searched(losses, terms, &resampling);

    objections.extend(worst_case.as_ref().and_then(|test| worst_case::object(test, terms)));
    for prospect in objections.iter_mut().filter_map(Objection::prospect_mut) {
        // Whoever waits is asked for both again.
        let of_average = statistics.average.as_ref().and_then(|test| average::prospect(test, terms));
        let of_tail = worst_case.as_ref().and_then(|test| worst_case::prospect(test, terms, &resampling));
        *prospect = Prospect::later(of_average, of_tail);
    }
    objections.extend(declared.iter().filter_map(|test| slices::object(test, terms, None)));
    objections
        .extend(searched.as_ref().and_then(|test| slices::object(&test.worst, terms, Some(test.slices))));
    statistics.bootstrap = Some(resampling.describe());
    statistics.worst_case = worst_case;
    statistics.slices = declared;
    statistics.absent = slices::absent(terms.declared);
    statistics.searched = searched;
}

#[cfg(test)]
mod tests;
