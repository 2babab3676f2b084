//! How a candidate is judged on the origins since a declared shift, while these are fewer than the test of the average
//! needs: the floor and the vetoes as ever, and bets in the place of that test.
//!
//! Bounds of the worst case, of slices and of the coverage of intervals are left out: a resample of a few origins knows
//! nothing of a tail. Once there are as many origins as any candidate needs, it is judged like any other.

use jiff::tz::TimeZone;

use super::{
    Contest, Evidence, Findings, Judgement, Shortage, SinceShift, Statistics, Terms, Verdict,
    compare::on_every_point, look::level_of_bets, sentence::beside_needed,
};
use crate::evaluation::{PairedLosses, RowSet, origins_since};

/// Compares the losses of two sides on origins since a shift. Whether luck made the average lower is told by bets on
/// `bet_on`, of however few origins; see [`Findings::are_undecided`].
pub fn compare_since_shift(losses: &PairedLosses, terms: &Terms<'_>, bet_on: &[usize]) -> Findings {
    let mut findings = on_every_point(losses, terms);
    let level = level_of_bets(terms.policy.alpha);
    findings.statistics.since_shift = Some(SinceShift::test(losses, bet_on, level));
    findings
}

impl Findings {
    /// Whether nothing speaks against the candidate, and the bets have yet to rule out luck.
    pub fn are_undecided(&self) -> bool {
        self.objections.is_empty() && self.statistics.since_shift.is_some_and(|bets| !bets.is_decided())
    }
}

impl Contest<'_> {
    /// Whether bets may take the place of the origins that are missing: only after a shift in this history, while there
    /// are too few origins since then to learn from as many as are needed and to judge on as many. Who has few for
    /// another reason, a late training say, waits for more; and who was compared has spent the part of bets, too.
    pub(super) fn may_bet(&self) -> bool {
        let (first, last) = (self.frame.first_target(), self.frame.last_target());
        let (Some(shift), Some(first), Some(last)) = (self.job.shift, first, last) else { return false };
        let origins = origins_since(shift, &self.frame.grid, last, self.model.horizon_steps).len();
        let is_young = origins < 2 * self.needed_origins() as usize;
        shift > first && is_young && self.given.look.compared_before == 0
    }

    /// What the origins say that are there, which are fewer than the test of the average needs.
    pub(super) fn bet(
        &self,
        rows: &RowSet<'_>,
        losses: &PairedLosses,
        evidence: &Evidence,
    ) -> (Verdict, Statistics) {
        let terms = self.terms(evidence, &[], &[]);
        let bet_on = rows.telling_every(terms.overlap as usize);
        let findings = compare_since_shift(losses, &terms, &bet_on);
        if findings.are_undecided() {
            let next = strides_to_next_bet(rows.origins().len(), terms.overlap);
            return (self.bets_go_on(evidence.origins, next), findings.statistics);
        }
        (Verdict::of(findings.objections), findings.statistics)
    }

    /// What is said before the first origin.
    pub(super) fn before_any_bet(&self) -> (Verdict, Statistics) {
        let bets = SinceShift::on_nothing(level_of_bets(self.model.gate.alpha));
        (self.bets_go_on(0, 1), Statistics { since_shift: Some(bets), ..Statistics::default() })
    }

    fn bets_go_on(&self, origins: u32, strides_to_next: u32) -> Verdict {
        let needed_origins = self.needed_origins();
        let expected = self.expected(strides_to_next.min(needed_origins - origins));
        Verdict::NotEnoughEvidence(Shortage { origins, needed_origins, expected, unsure: Vec::new() })
    }
}

/// Only one of so many origins whose horizons overlap is another bet, beginning with the first.
fn strides_to_next_bet(origins: usize, overlap: u32) -> u32 {
    let since_last = u32::try_from(origins.saturating_sub(1)).unwrap_or(u32::MAX) % overlap;
    overlap - since_last
}

impl Judgement {
    /// Whether bets have yet to rule out luck. They may be looked at as often as there is another one: that is what
    /// their limit allows for.
    pub fn awaits_bets(&self) -> bool {
        matches!(self.verdict, Verdict::NotEnoughEvidence(_)) && self.statistics.since_shift.is_some()
    }

    /// What the bets are worth, in a sentence with numbers; `None` where they decided nothing.
    pub(super) fn on_bets(&self) -> Option<String> {
        let SinceShift { wealth, needed_wealth, decided_after, origins } = self.statistics.since_shift?;
        let since =
            self.evidence.shift.map(|shift| format!(" since the shift at {shift}")).unwrap_or_default();
        let [worth, needed] = beside_needed(wealth, needed_wealth);
        match (&self.verdict, decided_after) {
            (Verdict::NotEnoughEvidence(shortage), _) => {
                let next = shortage.expected.map(|at| at.to_zoned(TimeZone::UTC).date());
                let next = next.map(|date| format!("the next look is expected by about {date}, and "));
                Some(format!(
                    "bets on the candidate are worth up to {worth} of the {needed} that are needed after {origins} \
                     origins{since}; {}from {} origins on it is judged like any other, by the \
                     other half of alpha",
                    next.unwrap_or_default(),
                    shortage.needed_origins
                ))
            }
            (Verdict::Promote, Some(after)) => Some(format!(
                "bets on the candidate were worth the {needed} that are needed after {after} origins{since}, and up to \
                 {worth} after all {origins}; so few do not bound the worst case, the errors on slices and the coverage of intervals"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
