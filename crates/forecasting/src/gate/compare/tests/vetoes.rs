//! The largest errors.

use super::*;

#[test]
fn a_largest_error_far_beyond_the_incumbents_keeps_it() {
    // 600 points in the tail hide a single one in a mean of 30: here the others are better by as much.
    let incumbent = losses(1.0, 10.0);
    let mut candidate = losses(0.5, 5.0);
    candidate[0] = 20.5;
    let sentence = "largest error 20.5000 is more than 2 × the incumbent's 10.0000 (in scales of the series)";
    assert_eq!(Case::default().sentences(&candidate, &incumbent), [sentence]);
    candidate[0] = 20.0;
    assert!(promotes(&candidate, &incumbent));
}

#[test]
fn more_horrible_errors_keep_the_incumbent_only_where_the_policy_says_so() {
    // The incumbent's worst hours are 10, and at one point 10.5. The candidate's are 9, and at ten points 10.6.
    let mut incumbent = losses(1.0, 10.0);
    incumbent[5] = 10.5;
    let candidate: Vec<f64> = (0_u32..)
        .zip(losses(0.9, 9.0))
        .map(|(point, loss)| if point % 67 == 0 { 10.6 } else { loss })
        .collect();
    let policy = GatePolicy { exceedances: true, ..GatePolicy::default() };
    let strict = Case { policy, ..Case::default() };
    let strict = strict.sentences(&candidate, &incumbent);
    assert!(
        strict[0].contains("is exceeded by the candidate alone at 11 points, by the incumbent alone at 1;"),
        "{strict:?}"
    );
    assert_eq!(Case::default().sentences(&candidate, &incumbent), [""; 0]);
    let counted = Case::default().compare(&candidate, &incumbent).statistics.exceedances.expect("is counted");
    // Of 12 heads or tails, 11 or 12 heads.
    assert!((counted.p - 13.0 / 4096.0).abs() < 1e-12 && counted.both == 0, "{counted:?}");
}
