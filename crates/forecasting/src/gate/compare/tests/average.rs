//! How sure a lower average is, and for whom it is worth waiting.

use super::*;
use crate::gate::Verdict;

/// Better than `losses(1.0, 10.0)` by 0.5 in the tail, and by 0.2 in the other hours of three weeks. In those of the
/// fourth it is worse.
fn three_good_weeks(worse_by: f64) -> Vec<f64> {
    (0_u32..)
        .zip(losses(1.0, 10.0))
        .map(|(point, loss)| match (point / POINTS / 7, point % POINTS < POINTS - 2) {
            (_, false) => loss - 0.5,
            (3, true) => loss + worse_by,
            (_, true) => loss - 0.2,
        })
        .collect()
}

fn further(number: u32) -> Look {
    Look { number, compared_before: number - 1, bets_before: 0 }
}

#[test]
fn a_gain_that_a_few_more_weeks_would_tell_from_luck_waits_for_them() {
    let (candidate, incumbent) = (three_good_weeks(0.22), losses(1.0, 10.0));
    let verdict = |look| {
        let case = Case { look, ..Case::default() };
        Verdict::of(case.compare(&candidate, &incumbent).objections)
    };
    for look in [Look::FIRST, further(2)] {
        let Verdict::NotEnoughEvidence(shortage) = verdict(look) else { panic!("look {look:?} decides") };
        assert_eq!((shortage.origins, shortage.needed_origins, shortage.expected), (28, 109, None));
        assert!(matches!(shortage.unsure[..], [Objection::AverageMayBeLuck { .. }]), "{shortage:?}");
    }
    assert_eq!(verdict(further(3)).name(), "keep-incumbent", "no look is left");
}

#[test]
fn who_waits_for_the_tail_waits_until_the_average_that_passes_now_can_pass_again() {
    // In the bulk as above, in the tail better but for the second week.
    let candidate: Vec<f64> = (0_u32..)
        .zip(losses(1.0, 10.0))
        .map(|(point, loss)| match (point / POINTS / 7, point % POINTS < POINTS - 2) {
            (1, false) => loss + 0.62,
            (_, false) => loss - 1.2,
            (3, true) => loss + 0.27,
            (_, true) => loss - 0.2,
        })
        .collect();
    let findings = Case::default().compare(&candidate, &losses(1.0, 10.0));
    let p = findings.statistics.average.as_ref().and_then(|test| test.p);
    assert!(p.is_some_and(|p| (0.035..0.04).contains(&p)), "{p:?} of 0.04");
    let [Objection::WorstCaseUnsure { .. }] = &findings.objections[..] else { panic!("{findings:?}") };
    // The tail alone would be told with 89.
    let Verdict::NotEnoughEvidence(shortage) = Verdict::of(findings.objections) else { panic!("decides") };
    assert_eq!((shortage.origins, shortage.needed_origins), (28, 97));
}

#[test]
fn who_is_proven_worse_somewhere_is_refused_and_not_made_to_wait() {
    // Each day is as much better or worse as above, but in the harbour all are a quarter worse.
    let harbour = |point: u32| point % POINTS < 4;
    let candidate: Vec<f64> = (0_u32..)
        .zip(losses(1.0, 10.0))
        .map(|(point, loss)| match (point / POINTS / 7, point % POINTS < POINTS - 2) {
            (_, false) => loss - 0.5,
            (_, true) if harbour(point) => loss + 0.25,
            (3, true) => loss + 3.84 / 18.0,
            (_, true) => loss - 0.3,
        })
        .collect();
    let points = (0..ORIGINS * POINTS).filter(|&point| harbour(point)).collect();
    let declared = vec![Slice { name: series("harbour"), points }];
    let case = Case { declared, ..Case::default() };
    let objections = case.compare(&candidate, &losses(1.0, 10.0)).objections;
    let [Objection::AverageMayBeLuck { .. }, Objection::WorseOnSlice { .. }] = &objections[..] else {
        panic!("{objections:?}")
    };
    assert_eq!(Verdict::of(objections).name(), "keep-incumbent");
    let undeclared = Case::default().compare(&candidate, &losses(1.0, 10.0)).objections;
    assert_eq!(Verdict::of(undeclared).name(), "not-enough-evidence");
}

#[test]
fn a_further_look_must_be_more_certain_to_promote_and_proves_as_much_on_slices() {
    // Luck does as well with a probability of 0.009.
    let (candidate, incumbent) = (three_good_weeks(0.12), losses(1.0, 10.0));
    let case = |look| Case { look, ..Case::default() };
    assert!(case(Look::FIRST).promotes(&candidate, &incumbent));
    assert!(!case(further(2)).promotes(&candidate, &incumbent));
    let too_early = Look { number: 2, compared_before: 0, bets_before: 0 };
    assert!(case(too_early).promotes(&candidate, &incumbent), "the look before compared nothing");

    let statistics = |look| {
        let night = (0..ORIGINS * POINTS).filter(|point| point % POINTS < 6);
        let case = Case { declared: vec![slice(series("night"), night)], look, ..Case::default() };
        case.compare(&noisy(1, 0.8), &noisy(2, 1.0)).statistics
    };
    let (first, second) = (statistics(Look::FIRST), statistics(further(2)));
    let levels = |one: &Statistics| {
        let worst_case = one.worst_case.as_ref().map(|test| test.alpha);
        (one.average.as_ref().map(|test| test.alpha), worst_case)
    };
    assert_eq!(levels(&first), (Some(0.04), Some(0.04)));
    assert_eq!(levels(&second), (Some(0.005), Some(0.005)));
    let upper = |one: &Statistics| one.worst_case.as_ref().map(|test| test.upper);
    assert!(upper(&first) < upper(&second), "{first:?} {second:?}");
    assert_eq!((&first.slices, &first.bootstrap), (&second.slices, &second.bootstrap));
}

#[test]
fn a_gain_that_luck_explains_keeps_the_incumbent() {
    let incumbent = losses(1.0, 10.0);
    let candidate = three_good_weeks(0.35);
    let sentences = Case::default().sentences(&candidate, &incumbent);
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert_eq!(
        sentences[0],
        "average error 1.6510 is below the incumbent's 1.7500 (-5.7 %), but luck alone does as well with a \
         probability of 0.146 (0.04 allowed); 261 more origins would tell"
    );
    let verdict = Verdict::of(Case::default().compare(&candidate, &incumbent).objections);
    assert_eq!(verdict.name(), "keep-incumbent", "289 origins are more than four times 28");
    let lenient = Case { policy: GatePolicy { alpha: 0.2, ..GatePolicy::default() }, ..Case::default() };
    assert!(lenient.promotes(&candidate, &incumbent), "alpha is an appetite for risk");
}

/// On its own each side's average varies by far more than they differ.
#[test]
fn what_makes_a_day_hard_for_both_sides_is_no_noise() {
    let hard_days = |losses: &[f64]| multiplied(losses, 3.0, |point| (point / POINTS).is_multiple_of(5));
    let (candidate, incumbent) = (hard_days(&noisy(1, 0.9)), hard_days(&noisy(2, 1.0)));
    assert_eq!(Case::default().sentences(&candidate, &incumbent), [""; 0]);
    let days_later = [&incumbent[POINTS as usize * 2..], &incumbent[..POINTS as usize * 2]].concat();
    let sentences = Case::default().sentences(&candidate, &days_later);
    assert!(sentences.iter().any(|sentence| sentence.contains("but luck alone")), "{sentences:?}");
}

#[test]
fn a_gain_that_is_the_same_every_day_leaves_nothing_to_luck() {
    let case = Case::default();
    let findings = case.compare(&losses(0.875, 9.5), &losses(1.0, 10.0));
    assert_eq!(findings.objections, []);
    let test = findings.statistics.average.expect("was tested");
    assert_eq!((test.standard_error, test.statistic, test.p), (0.0, None, None));
    let same_everywhere = vec![0.5; 672];
    assert_eq!(case.sentences(&same_everywhere, &same_everywhere).len(), 2, "a tie in both");
    assert!(case.promotes(&same_everywhere, &vec![1.0; 672]));
}

#[test]
fn too_few_origins_tell_nothing() {
    let (better, incumbent) = (losses(0.9, 9.0), losses(1.0, 10.0));
    for origins in [1, 2, 27] {
        let case = Case { origins, ..Case::default() };
        let sentence =
            format!("{origins} origins cannot tell a better candidate from a lucky one; 28 are needed");
        let points = (origins * POINTS) as usize;
        assert_eq!(case.sentences(&better[..points], &incumbent[..points]), [sentence]);
    }
    let overlapping = Case { overlap: 8, ..Case::default() };
    let sentence = "28 origins cannot tell a better candidate from a lucky one; 32 are needed";
    assert_eq!(overlapping.sentences(&better, &incumbent), [sentence]);
}

#[test]
fn overlapping_horizons_make_the_same_gain_less_certain() {
    let (candidate, incumbent) = (noisy(1, 0.9), noisy(2, 1.0));
    let p = |overlap| {
        let case = Case { overlap, ..Case::default() };
        case.compare(&candidate, &incumbent).statistics.average.and_then(|test| test.p).expect("was tested")
    };
    assert!(p(1) < p(4) && p(4) < p(7), "{} {} {}", p(1), p(4), p(7));
}

#[test]
fn days_that_hang_together_more_than_declared_are_less_certain() {
    let incumbent = losses(1.0, 10.0);
    let p = |is_worse: fn(u32) -> bool| {
        let loss =
            |(point, loss): (u32, &f64)| if is_worse(point / POINTS) { loss + 0.1 } else { loss - 0.2 };
        let candidate: Vec<f64> = (0_u32..).zip(&incumbent).map(loss).collect();
        let statistics = Case::default().compare(&candidate, &incumbent).statistics;
        statistics.average.and_then(|test| test.p).expect("was tested")
    };
    // The same seven days of 28 are worse.
    let (scattered, in_a_row) = (p(|day| day.is_multiple_of(4)), p(|day| day / 7 == 2));
    assert!(in_a_row > scattered, "{in_a_row} {scattered}");
}

#[test]
fn an_origin_counts_the_same_however_many_points_it_has() {
    // One point of the first origin, 24 of the others.
    let (mut candidate, mut incumbent) = (losses(0.9, 9.0), losses(1.0, 10.0));
    candidate.drain(1..POINTS as usize);
    incumbent.drain(1..POINTS as usize);
    let origin_of: Vec<u32> = (0_u32..).map(|point| point.div_ceil(POINTS)).take(candidate.len()).collect();
    let losses = PairedLosses::new(candidate, incumbent, origin_of).expect("are paired");
    let test = compare(&losses, &Case::default().terms()).statistics.average.expect("was tested");
    let of_a_day = (22.0 * 0.1 + 2.0 * 1.0) / 24.0;
    assert!((test.mean_gain - (0.1 + 27.0 * of_a_day) / 28.0).abs() < 1e-12);
}
