//! A candidate that waits is looked at again, and must not be luckier for being looked at more often.
//!
//! Looks at one candidate share most of their origins, and how they depend on each other nobody knows. However they do,
//! luck passes one of them at most as often as it passes each, added up. So `alpha` is spent: four fifths by the first
//! comparison, which decides most candidates, and a tenth by each of at most two more. All together pass a candidate
//! that is no better with probability `alpha` at most.
//!
//! Since a declared shift bets come first, while there are too few origins to compare losses ([`SinceShift`]). They have
//! one half of `alpha`, for however many looks, and comparisons after them the other.
//!
//! [`SinceShift`]: super::SinceShift
//!
//! Only what a promotion needs pays for further looks: the average, and the bound of the worst case. Slices, intervals
//! and exceedances are held against a candidate once they are *proven* worse, so for them a smaller `alpha` is a milder
//! gate, and a candidate that is bad somewhere would only have to come back. They keep all of `alpha` at each look:
//! with every look a good candidate risks a wrong refusal once more, and nothing is promoted by that.

/// Looks at a candidate: the first, and two more while it lacks evidence. Those by bets are besides.
pub const MAX_LOOKS: u32 = 3;

/// Where among the looks at a candidate one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// From 1, those by bets included.
    pub number: u32,
    /// Looks before it that compared losses. One that came too early to compare anything spent nothing.
    pub compared_before: u32,
    /// Looks before it by bets since a shift.
    pub bets_before: u32,
}

impl Default for Look {
    fn default() -> Self {
        Self::FIRST
    }
}

impl Look {
    /// The first look at a candidate.
    pub const FIRST: Self = Self { number: 1, compared_before: 0, bets_before: 0 };

    /// How often luck may pass this look, if it may pass one of all with probability `alpha`.
    pub fn level(self, alpha: f64) -> f64 {
        let alpha = if self.bets_before == 0 { alpha } else { alpha - level_of_bets(alpha) };
        // Divided, so that of 0.05 it is 0.04 and 0.005 to the last bit, as sentences show them.
        if self.compared_before == 0 { 4.0 * alpha / 5.0 } else { alpha / 10.0 }
    }

    /// The look that follows if this one compares losses and does not decide; `None` after the last.
    pub fn following(self) -> Option<Self> {
        let next = Self { number: self.number + 1, compared_before: self.compared_before + 1, ..self };
        (next.number.saturating_sub(next.bets_before) <= MAX_LOOKS).then_some(next)
    }
}

/// How often luck may pass the bets on a candidate, over all looks at them.
pub(super) fn level_of_bets(alpha: f64) -> f64 {
    alpha / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels of all looks, if those before the `first`-th came too early to compare anything.
    fn levels(first: u32, alpha: f64) -> Vec<f64> {
        let first = Look { number: first, ..Look::FIRST };
        std::iter::successors(Some(first), |look| look.following()).map(|look| look.level(alpha)).collect()
    }

    #[test]
    fn all_looks_together_spend_alpha_and_no_more() {
        assert_eq!(levels(1, 0.05), [0.04, 0.005, 0.005]);
        for alpha in [0.001, 0.05, 0.2] {
            let spent: f64 = levels(1, alpha).iter().sum();
            assert!((spent - alpha).abs() < 1e-15, "{spent} of {alpha}");
        }
    }

    #[test]
    fn a_look_that_came_too_early_to_compare_spends_nothing_and_is_a_look_all_the_same() {
        assert_eq!(levels(2, 0.05), [0.04, 0.005]);
        assert_eq!(levels(3, 0.05), [0.04]);
    }

    #[test]
    fn bets_and_the_looks_after_them_together_spend_alpha_and_no_more() {
        for alpha in [0.001, 0.05, 0.2] {
            let first = Look { number: 21, compared_before: 0, bets_before: 20 };
            let looks = std::iter::successors(Some(first), |look| look.following());
            let levels: Vec<f64> = looks.map(|look| look.level(alpha)).collect();
            assert_eq!(levels.len(), 3, "looks by bets take none of the others' places");
            let spent = level_of_bets(alpha) + levels.iter().sum::<f64>();
            assert!((spent - alpha).abs() < 1e-15, "{spent} of {alpha}");
        }
    }
}
