//! How often the same rows were looked at, and how many candidates that are no better luck may have let in by that.
//!
//! Nightly candidates are judged on holdouts that share most of their days. However the verdicts depend on each other,
//! expectations add up: of `k` comparisons that luck passes with probability `alpha` each, it passes `k alpha` on average
//! at most. The budget is what is left until that is one candidate. Then verdicts on these rows mean little: who goes on
//! trying, and keeps what passes, has found what suits the rows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contest, Judgement, Look, Statistics, look::level_of_bets};

/// A comparison of losses that was decided on, or all bets on one candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PastLook {
    /// The first origin of its rows.
    pub first_origin: Timestamp,
    /// The last target of its rows.
    pub last_target: Timestamp,
    /// How often luck may have passed it.
    pub level: f64,
}

/// How often rows were looked at, over all candidates of a model. All zero where no losses were compared and no bets made,
/// but for what is counted of the candidate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Looks {
    /// Looks at this candidate that compared losses, this one included.
    pub at_candidate: u32,
    /// Looks by bets at this candidate, this one included.
    pub bets_at_candidate: u32,
    /// Looks at these rows or at some of them, this one included; all looks by bets at one candidate are one.
    pub at_these_rows: u32,
    /// How many candidates that are no better pass these looks by luck, on average and at most.
    pub expected_by_luck: f64,
    /// First looks at further candidates until that is one.
    pub left: u32,
}

impl PastLook {
    fn shares_targets(&self, other: &Self) -> bool {
        self.first_origin <= other.last_target && other.first_origin <= self.last_target
    }
}

impl Judgement {
    /// What it was as a look at its rows; `None` if it neither compared losses nor bet on any.
    pub fn as_past_look(&self) -> Option<PastLook> {
        let (Statistics { average, since_shift, .. }, evidence) = (&self.statistics, &self.evidence);
        let of_comparison = average.as_ref().map(|test| test.alpha);
        let of_bets = || since_shift.as_ref().map(|bets| 1.0 / bets.needed_wealth);
        Some(PastLook {
            first_origin: evidence.first_origin?,
            last_target: evidence.last_target?,
            level: of_comparison.or_else(of_bets)?,
        })
    }
}

impl Looks {
    /// Before anything was compared.
    pub(super) fn before(look: Look) -> Self {
        let (at_candidate, bets_at_candidate) = (look.compared_before, look.bets_before);
        Self { at_candidate, bets_at_candidate, ..Self::default() }
    }

    /// After what this judgement compared or bet on, if it did either.
    pub(super) fn after(judgement: &Judgement, contest: &Contest<'_>) -> Self {
        let (look, alpha) = (contest.given.look, contest.model.gate.alpha);
        let before = Self::before(look);
        let bets = judgement.statistics.since_shift.is_some();
        let bets_at_candidate = before.bets_at_candidate + u32::from(bets);
        let Some(this) = judgement.as_past_look() else { return Self { bets_at_candidate, ..before } };
        let mut shared: Vec<f64> = contest
            .given
            .earlier
            .iter()
            .filter(|earlier| earlier.shares_targets(&this))
            .map(|earlier| earlier.level)
            .collect();
        if !bets && look.bets_before > 0 {
            shared.push(level_of_bets(alpha));
        }
        let expected_by_luck = shared.iter().sum::<f64>() + this.level;
        Self {
            at_candidate: before.at_candidate + u32::from(!bets),
            bets_at_candidate,
            at_these_rows: u32::try_from(shared.len() + 1).unwrap_or(u32::MAX),
            expected_by_luck,
            left: left(expected_by_luck, alpha),
        }
    }

    /// `None` where the rows are as good as new.
    pub(super) fn sentence(&self) -> Option<String> {
        let Self { at_these_rows, expected_by_luck, left, .. } = self;
        if *at_these_rows < 2 {
            return None;
        }
        let this = format!("this is look {at_these_rows} at these rows or some of them");
        Some(if *left == 0 {
            format!("{this}: so many that a candidate may have been let in by luck; wait for newer rows")
        } else {
            format!(
                "{this}; that many looks let in at most {expected_by_luck:.2} candidates by luck, on average, and \
                 after {left} more it would be a whole one"
            )
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a thousand looks of a thousandth at most, and what is below 0 becomes 0"
)]
fn left(expected_by_luck: f64, alpha: f64) -> u32 {
    // What a sum of rounded levels lacks must not cost a look.
    let looks = (1.0 - expected_by_luck) / Look::FIRST.level(alpha) + 1e-9;
    looks.floor() as u32
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn look(first_day: i64, last_day: i64) -> PastLook {
        let day = |day: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day);
        PastLook { first_origin: day(first_day), last_target: day(last_day), level: 0.04 }
    }

    #[test]
    fn rows_are_the_same_where_two_holdouts_have_a_target_in_common() {
        let this = look(10, 20);
        for (first, last, expected) in
            [(0, 9, false), (0, 10, true), (12, 13, true), (0, 99, true), (20, 30, true), (21, 30, false)]
        {
            let other = look(first, last);
            assert_eq!(this.shares_targets(&other), expected, "{first} to {last}");
            assert_eq!(other.shares_targets(&this), expected, "{last} to {first}");
        }
    }

    #[test]
    fn a_budget_of_25_first_looks_is_one_candidate_by_luck() {
        let after = |looks: u32| left((0..looks).map(|_| 0.04).sum(), 0.05);
        assert_eq!((after(1), after(2), after(24), after(25), after(26)), (24, 23, 1, 0, 0));
        // A further look costs an eighth of a first one.
        assert_eq!((left(0.045, 0.05), left(0.08, 0.05)), (23, 23));
        assert_eq!(left(0.16, 0.2), 5);
    }

    #[test]
    fn a_look_at_rows_that_were_looked_at_says_what_that_costs() {
        let says = |at_these_rows, expected_by_luck, left| {
            Looks { at_candidate: 1, at_these_rows, expected_by_luck, left, ..Looks::default() }.sentence()
        };
        assert_eq!(Looks::default().sentence(), None);
        assert_eq!(says(1, 0.04, 24), None);
        let text = "this is look 3 at these rows or some of them; that many looks let in at most 0.12 candidates by \
                    luck, on average, and after 22 more it would be a whole one";
        assert_eq!(says(3, 0.12, 22).as_deref(), Some(text));
        assert!(says(24, 0.96, 1).is_some_and(|text| text.ends_with("after 1 more it would be a whole one")));
        let text = "this is look 30 at these rows or some of them: so many that a candidate may have been let in by \
                    luck; wait for newer rows";
        assert_eq!(says(30, 1.2, 0).as_deref(), Some(text));
    }
}
