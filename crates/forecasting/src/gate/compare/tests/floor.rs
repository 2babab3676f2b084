//! Only who is lower in both is promoted.

use super::*;

#[test]
fn only_who_is_better_in_both_is_promoted() {
    let incumbent = losses(1.0, 10.0);
    assert!(promotes(&losses(0.9, 9.0), &incumbent));
    assert!(!promotes(&losses(0.1, 10.5), &incumbent), "better on average, worse in the worst case");
    assert!(!promotes(&losses(2.1, 9.0), &incumbent), "worse on average, better in the worst case");
    assert!(!promotes(&losses(1.1, 11.0), &incumbent), "worse in both");
}

#[test]
fn an_equal_average_or_an_equal_worst_case_keeps_the_incumbent() {
    let incumbent = losses(1.0, 10.0);
    assert_eq!(
        Case::default().sentences(&incumbent, &incumbent),
        [
            "average error 1.7500 equals the incumbent's; a tie keeps the incumbent",
            "worst-case error (mean of the worst 30 of 672 points) 10.0000 equals the incumbent's; a tie keeps the \
             incumbent",
        ]
    );
    assert!(!promotes(&losses(0.5, 10.0), &incumbent), "the worst case ties");
    assert!(!promotes(&losses(1.5, 4.5), &incumbent), "the average ties");
}

#[test]
fn a_worse_candidate_is_told_so_and_not_resampled() {
    let case = Case::default();
    assert_eq!(
        case.sentences(&losses(1.125, 12.0), &losses(1.0, 10.0)),
        [
            "average error 2.0312 is not below the incumbent's 1.7500 (+16.1 %)",
            "worst-case error (mean of the worst 30 of 672 points) 12.0000 is not below the incumbent's 10.0000 \
             (+20.0 %)",
        ]
    );
    let statistics = case.compare(&losses(1.125, 12.0), &losses(1.0, 10.0)).statistics;
    assert!(statistics.average.is_some_and(|test| test.mean_gain < 0.0 && test.statistic.is_none()));
    assert_eq!((statistics.bootstrap, statistics.worst_case, statistics.searched), (None, None, None));
}

#[test]
fn losses_too_large_for_a_number_keep_the_incumbent() {
    let incumbent = losses(1.0, 10.0);
    assert!(!promotes(&losses(0.5, f64::MAX), &incumbent));
    assert!(!promotes(&losses(0.5, 9.0), &losses(1.0, f64::MAX)));
    // Their squares are none.
    let huge = Case::default().sentences(&noisy(1, 1e200), &noisy(2, 2e200));
    assert_eq!(huge, ["the two sides cannot be compared: the losses are too large for a test"]);
}
