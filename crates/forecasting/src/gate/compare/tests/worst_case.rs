//! How much worse the worst case may be.

use super::*;

#[test]
fn a_worst_case_that_may_be_much_higher_keeps_the_incumbent() {
    // Every day is better in the bulk. One week has most of the incumbent's tail, another most of the candidate's.
    let tail = |point: u32, week: u32| point.is_multiple_of(POINTS) && point / POINTS / 7 == week;
    let incumbent = multiplied(&losses(1.0, 2.0), 9.0, |point| tail(point, 0));
    let candidate = multiplied(&losses(0.5, 1.0), 17.0, |point| tail(point, 1));
    let sentences = Case::default().sentences(&candidate, &incumbent);
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert!(sentences[0].starts_with("worst-case error 0.76 × the incumbent's, but up to "), "{sentences:?}");
    assert!(
        sentences[0].contains("× cannot be ruled out with 96 % confidence (1.10 allowed)"),
        "{sentences:?}"
    );
    let policy = GatePolicy { tail_margin: 1.0, ..GatePolicy::default() };
    assert!(Case { policy, ..Case::default() }.sentences(&candidate, &incumbent).len() == 1);
}

#[test]
fn the_tail_of_a_resample_is_that_of_its_points() {
    let findings = Case::default().compare(&losses(0.9, 9.0), &losses(1.0, 10.0));
    let test = findings.statistics.worst_case.expect("was tested");
    assert_eq!((test.tail_points, test.points), (30, 672));
    // Whatever is drawn, the tail is 30 of the hours that are the worst of each day.
    assert!((test.ratio - 0.9).abs() < 1e-12 && (test.upper - 0.9).abs() < 1e-9, "{test:?}");
}
