//! The tests that a candidate must pass, one file each.
//!
//! [`veto`] looks at hard facts and comes first. [`LEGS`] compare losses; all must pass, so each can only
//! make the gate stricter. A further leg is a file here and a line in [`LEGS`].

mod average;
pub(super) mod veto;
mod worst_case;

use super::{Objection, Side};
use crate::evaluation::PairedLosses;

/// `None` if the candidate passes.
pub(super) type Leg = fn(&Comparison<'_>) -> Option<Objection>;

/// The floor comes first; it cannot be configured away.
pub(super) const LEGS: [Leg; 2] = [average::object, worst_case::object];

/// What legs look at.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    pub(super) losses: &'a PairedLosses,
    pub(super) opponent: Side,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn promotes(candidate: &[f64], incumbent: &[f64]) -> bool {
        let losses = PairedLosses::new(candidate.to_vec(), incumbent.to_vec(), vec![0; candidate.len()])
            .expect("tests pair losses");
        let comparison = Comparison { losses: &losses, opponent: Side::Incumbent };
        LEGS.iter().all(|leg| leg(&comparison).is_none())
    }

    /// Losses on 60 points, half of which are the tail.
    fn losses(bulk: f64, worst: f64) -> Vec<f64> {
        [[bulk; 30], [worst; 30]].concat()
    }

    #[test]
    fn only_who_is_better_in_both_is_promoted() {
        let incumbent = losses(1.0, 10.0);
        assert!(promotes(&losses(0.9, 9.0), &incumbent));
        assert!(!promotes(&losses(0.1, 10.5), &incumbent), "better on average, worse in the worst case");
        assert!(!promotes(&losses(3.0, 9.0), &incumbent), "worse on average, better in the worst case");
        assert!(!promotes(&losses(1.1, 11.0), &incumbent), "worse in both");
    }

    #[test]
    fn an_equal_average_or_an_equal_worst_case_keeps_the_incumbent() {
        let incumbent = losses(1.0, 10.0);
        assert!(!promotes(&incumbent, &incumbent));
        assert!(!promotes(&losses(0.5, 10.0), &incumbent), "the worst case ties");
        assert!(!promotes(&losses(2.0, 9.0), &incumbent), "the average ties");
    }

    #[test]
    fn losses_too_large_for_a_number_keep_the_incumbent() {
        let incumbent = losses(1.0, 10.0);
        assert!(!promotes(&losses(0.5, f64::MAX), &incumbent));
        assert!(!promotes(&losses(0.5, 9.0), &losses(1.0, f64::MAX)));
    }

    fn any_losses() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        prop::collection::vec((0.0_f64..100.0, 0.0_f64..100.0), 1..500)
            .prop_map(|pairs| pairs.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn swapping_the_sides_never_promotes_both((one, other) in any_losses()) {
            prop_assert!(!(promotes(&one, &other) && promotes(&other, &one)));
        }

        #[test]
        fn a_tie_never_promotes((one, _) in any_losses(), turn in 0_usize..500) {
            let mut other = one.clone();
            other.rotate_left(turn % one.len());
            prop_assert!(!promotes(&one, &other));
        }

        #[test]
        fn whoever_is_worse_on_every_point_never_promotes((one, more) in any_losses()) {
            let worse: Vec<f64> = one.iter().zip(&more).map(|(loss, more)| loss + more).collect();
            prop_assert!(!promotes(&worse, &one));
        }

        #[test]
        fn whoever_is_better_on_every_point_promotes((one, more) in any_losses()) {
            let worse: Vec<f64> = one.iter().zip(&more).map(|(loss, more)| loss + more + 0.001).collect();
            prop_assert!(promotes(&one, &worse));
        }
    }
}
