use proptest::prelude::*;

use super::*;
use crate::{
    gate::{SliceName, Verdict},
    names::SeriesId,
    random::Random,
};

const ORIGINS: u32 = 28;
const POINTS: u32 = 24;

/// What is compared, by default 28 origins of 24 points, the default policy and the first look.
struct Case {
    policy: GatePolicy,
    overlap: u32,
    origins: u32,
    declared: Vec<Slice>,
    searched: Vec<Slice>,
    look: Look,
}

impl Default for Case {
    fn default() -> Self {
        let policy = GatePolicy::default();
        let (declared, searched) = (Vec::new(), Vec::new());
        Self { policy, overlap: 1, origins: ORIGINS, declared, searched, look: Look::FIRST }
    }
}

impl Case {
    fn compare(&self, candidate: &[f64], incumbent: &[f64]) -> Findings {
        let points = u32::try_from(candidate.len()).expect("tests are small");
        let per_origin = points.div_ceil(self.origins).max(1);
        let origin_of = (0..points).map(|point| point / per_origin).collect();
        let losses = PairedLosses::new(candidate.to_vec(), incumbent.to_vec(), origin_of);
        let terms = Terms {
            policy: &self.policy,
            overlap: self.overlap,
            block_origins: self.overlap.max(7),
            declared: &self.declared,
            searched: &self.searched,
            seed: 1,
            opponent: Side::Incumbent,
            look: self.look,
        };
        compare(&losses.expect("tests pair losses"), &terms)
    }

    fn sentences(&self, candidate: &[f64], incumbent: &[f64]) -> Vec<String> {
        self.compare(candidate, incumbent).objections.iter().map(ToString::to_string).collect()
    }

    fn promotes(&self, candidate: &[f64], incumbent: &[f64]) -> bool {
        self.compare(candidate, incumbent).objections.is_empty()
    }
}

fn promotes(candidate: &[f64], incumbent: &[f64]) -> bool {
    Case::default().promotes(candidate, incumbent)
}

/// Losses of a side whose errors have much in common with those of another number.
fn noisy(number: u64, level: f64) -> Vec<f64> {
    let (mut shared, mut own) = (Random::new(99), Random::new(number));
    let errors = (0..ORIGINS * POINTS).map(|_| 0.95 * shared.normal() + 0.31 * own.normal());
    errors.map(|error| level * error.abs()).collect()
}

fn slice(name: SliceName, points: impl Iterator<Item = u32>) -> Slice {
    Slice { name, points: points.collect() }
}

fn series(name: &str) -> SliceName {
    SliceName::Series(SeriesId::new(name).expect("is an id"))
}

/// Losses of `ORIGINS` days whose last two hours are the tail.
fn losses(bulk: f64, worst: f64) -> Vec<f64> {
    (0..ORIGINS * POINTS).map(|point| if point % POINTS < POINTS - 2 { bulk } else { worst }).collect()
}

/// The same with the losses of the points in `of` multiplied.
fn multiplied(losses: &[f64], by: f64, of: impl Fn(u32) -> bool) -> Vec<f64> {
    (0_u32..).zip(losses).map(|(point, loss)| if of(point) { loss * by } else { *loss }).collect()
}

// The floor.

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

// The average.

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
    Look { number, compared_before: number - 1 }
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
    let too_early = Look { number: 2, compared_before: 0 };
    assert!(case(too_early).promotes(&candidate, &incumbent), "the look before compared nothing");

    let statistics = |look| {
        let night = (0..ORIGINS * POINTS).filter(|point| point % POINTS < 6);
        let case = Case { declared: vec![slice(series("night"), night)], look, ..Case::default() };
        case.compare(&noisy(1, 0.8), &noisy(2, 1.0)).statistics
    };
    let (first, second) = (statistics(Look::FIRST), statistics(further(2)));
    let levels = |one: &Statistics| {
        let worst_case = one.worst_case.as_ref().and_then(|test| test.alpha);
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
    let policy = GatePolicy::default();
    let terms = Terms {
        policy: &policy,
        overlap: 1,
        block_origins: 7,
        declared: &[],
        searched: &[],
        seed: 1,
        opponent: Side::Incumbent,
        look: Look::FIRST,
    };
    let test = compare(&losses, &terms).statistics.average.expect("was tested");
    let of_a_day = (22.0 * 0.1 + 2.0 * 1.0) / 24.0;
    assert!((test.mean_gain - (0.1 + 27.0 * of_a_day) / 28.0).abs() < 1e-12);
}

// The worst case.

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

// The slices.

#[test]
fn a_slice_that_is_worse_with_confidence_keeps_the_incumbent() {
    let harbour = |point: u32| point % POINTS < 4;
    let slices = || {
        let points =
            |is_in: &dyn Fn(u32) -> bool| (0..ORIGINS * POINTS).filter(|&point| is_in(point)).collect();
        vec![
            Slice { name: series("harbour"), points: points(&harbour) },
            Slice { name: series("others"), points: points(&|point| !harbour(point)) },
        ]
    };
    let case = Case { declared: slices(), ..Case::default() };
    // Nobody is far off in the harbour, so the worst case lies elsewhere.
    let (candidate, incumbent) =
        (multiplied(&noisy(1, 0.8), 0.25, harbour), multiplied(&noisy(2, 1.0), 0.25, harbour));
    assert_eq!(case.sentences(&candidate, &incumbent), [""; 0]);
    // There losses are now 1.6 times as large, in all still smaller.
    let worse = multiplied(&candidate, 2.0, harbour);
    let sentences = case.sentences(&worse, &incumbent);
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert!(sentences[0].starts_with("on series harbour, error 1.6"), "{sentences:?}");
    assert!(sentences[0].ends_with("with 95 % confidence; 1.10 allowed)"), "{sentences:?}");
    let statistics = case.compare(&worse, &incumbent).statistics;
    let [harbour, others] = &statistics.slices[..] else { panic!("{statistics:?}") };
    assert_eq!((harbour.points, harbour.origins, others.points), (112, 28, 560));
    assert!(harbour.lower < Some(harbour.ratio) && Some(harbour.ratio) < harbour.upper, "{harbour:?}");
    // Searched slices are held against it too, and say among how many.
    let searched = Case { searched: slices(), ..Case::default() };
    let sentences = searched.sentences(&worse, &incumbent);
    assert!(
        sentences[0].ends_with("1.10 allowed), the worst of 2 slices that were searched"),
        "{sentences:?}"
    );
    let lenient = GatePolicy { slice_margin: 2.0, ..GatePolicy::default() };
    assert!(Case { policy: lenient, declared: slices(), ..Case::default() }.promotes(&worse, &incumbent));
}

#[test]
fn the_worst_of_many_slices_must_be_worse_than_the_worst_of_many_by_luck() {
    let (candidate, incumbent) = (noisy(1, 0.8), noisy(2, 1.0));
    let part = |hour: u8| {
        let points = (0..ORIGINS * POINTS).filter(move |point| point % POINTS == u32::from(hour));
        slice(SliceName::Hours(hour, hour), points)
    };
    let bound = |slices: u8| {
        let case = Case { searched: (0..slices).map(part).collect(), ..Case::default() };
        let searched = case.compare(&candidate, &incumbent).statistics.searched.expect("was searched");
        assert_eq!(searched.slices, u32::from(slices));
        searched.critical
    };
    assert!(bound(1) < bound(4) && bound(4) < bound(24), "{} {} {}", bound(1), bound(4), bound(24));
}

#[test]
fn small_slices_are_judged_together_and_never_dropped() {
    // Each of them is an hour of one weekday, the last one has three points.
    let monday = |hour: u8| (0..ORIGINS).step_by(7).map(move |day| day * POINTS + u32::from(hour));
    let mut declared: Vec<Slice> =
        (0..8).map(|hour| slice(SliceName::Hours(hour, hour), monday(hour))).collect();
    declared.push(slice(series("young"), [24, 48, 72].into_iter()));
    declared.push(slice(series("empty"), [].into_iter()));
    let small = Case { declared, ..Case::default() };
    let statistics = small.compare(&losses(0.9, 9.0), &losses(1.0, 10.0)).statistics;
    let [merged] = &statistics.slices[..] else { panic!("{statistics:?}") };
    assert_eq!((&merged.slice, merged.points, merged.origins), (&SliceName::Small(9), 35, 7));
    assert_eq!((merged.lower, merged.upper), (None, None), "seven origins are still too few");
    assert_eq!(statistics.absent, [series("empty")]);

    let tuesday = slice(
        series("tuesday"),
        (0..ORIGINS).step_by(7).flat_map(|day| (0..6).map(move |hour| (day + 1) * POINTS + hour)),
    );
    let case = Case { declared: [small.declared, vec![tuesday]].concat(), ..Case::default() };
    let worse = multiplied(&losses(0.9, 9.0), 2.0, |point| point / POINTS % 7 < 2 && point % POINTS < 8);
    let sentences = case.sentences(&worse, &losses(1.0, 10.0));
    assert!(sentences[0].starts_with("on 10 small slices together, error 1.77 ×"), "{sentences:?}");
}

#[test]
fn a_slice_with_hardly_any_error_harms_nobody() {
    let night = |point: u32| point % POINTS < 4;
    let points = (0..ORIGINS * POINTS).filter(|&point| night(point)).collect();
    let case = Case { declared: vec![Slice { name: series("night"), points }], ..Case::default() };
    let incumbent = multiplied(&losses(1.0, 10.0), 0.0, night);
    let candidate: Vec<f64> = (0..ORIGINS * POINTS)
        .zip(losses(0.9, 9.0))
        .map(|(point, loss)| if night(point) { 0.001 } else { loss })
        .collect();
    assert_eq!(case.sentences(&candidate, &incumbent), [""; 0]);
    let larger = multiplied(&candidate, 500.0, night);
    let sentence = "on series night, error 1000000.00 × the incumbent's (at least 1000000.00 × with 95 % \
                    confidence; 1.10 allowed)";
    assert_eq!(case.sentences(&larger, &incumbent), [sentence]);
}

// The vetoes.

#[test]
fn a_largest_error_far_beyond_the_incumbents_keeps_it() {
    // 600 points in the tail hide a single one in a mean of 30: here the others are better by as much.
    let incumbent = losses(1.0, 10.0);
    let mut candidate = losses(0.5, 5.0);
    candidate[0] = 20.5;
    let sentence = "largest error 20.5000 is more than 2 × the incumbent's 10.0000";
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

// Whatever the losses are.

#[test]
fn a_comparison_repeats_bit_by_bit() {
    let (candidate, incumbent) = (noisy(1, 0.9), noisy(2, 1.0));
    let once = Case::default().compare(&candidate, &incumbent);
    assert_eq!(once, Case::default().compare(&candidate, &incumbent));
    assert!(once.statistics.worst_case.is_some(), "it was resampled: {:?}", once.objections);
}

/// A registry refuses what does not come back as it was, and an infinite number does not.
#[test]
fn whatever_is_compared_its_statistics_can_be_stored() {
    let points = (0..ORIGINS * POINTS).filter(|point| point.is_multiple_of(2)).collect();
    let searched = vec![Slice { name: SliceName::PeakHours, points }];
    let case = Case { searched, ..Case::default() };
    let nothing = vec![0.0; 672];
    let sides =
        [nothing, losses(1.0, 10.0), losses(0.9, 9.0), noisy(1, 0.9), noisy(2, 1e200), losses(0.5, f64::MAX)];
    for (candidate, incumbent) in sides.iter().flat_map(|one| sides.iter().map(move |other| (one, other))) {
        let statistics = case.compare(candidate, incumbent).statistics;
        let json = serde_json::to_string(&statistics).expect("is JSON");
        assert_eq!(serde_json::from_str::<Statistics>(&json).expect("was just written"), statistics);
    }
}

/// The t statistic knows no such rule: who loses an outlier in his favour loses mean and noise. The floor does.
#[test]
fn being_worse_on_a_day_may_make_a_gain_more_certain() {
    let incumbent = losses(2.0, 10.0);
    let lucky_day = multiplied(&losses(1.875, 9.5), 0.0, |point| point < POINTS - 2);
    let p = |candidate: &[f64]| {
        let statistics = Case::default().compare(candidate, &incumbent).statistics;
        statistics.average.expect("was tested").p
    };
    assert!(p(&lucky_day).is_some_and(|p| p > 1e-6));
    assert_eq!(p(&losses(1.875, 9.5)), None, "the same gain every day is certain");
}

fn any_losses() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let origins = ORIGINS as usize;
    prop::collection::vec((0.0_f64..100.0, 0.0_f64..100.0), origins..origins * 8).prop_map(|pairs| {
        let whole = pairs.len() / ORIGINS as usize * ORIGINS as usize;
        pairs.into_iter().take(whole).unzip()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

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
    fn whoever_is_worse_than_one_that_fails_the_floor_fails_it_too((one, more) in any_losses()) {
        let worse: Vec<f64> = one.iter().zip(&more).map(|(loss, more)| loss + more).collect();
        let floor = |candidate: &[f64], incumbent: &[f64]| {
            Case::default().compare(candidate, incumbent).objections.iter().any(|objection| {
                matches!(objection, Objection::AverageNotBetter { .. } | Objection::WorstCaseNotBetter { .. })
            })
        };
        prop_assert!(!floor(&one, &more) || floor(&worse, &more));
    }

    #[test]
    fn whoever_is_better_by_a_tenth_everywhere_promotes((one, _) in any_losses()) {
        let better: Vec<f64> = one.iter().map(|loss| 0.9 * loss).collect();
        prop_assert!(promotes(&better, &one));
    }

    #[test]
    fn a_unit_of_losses_decides_nothing((one, other) in any_losses(), scale in 0.01_f64..100.0) {
        let scaled = |losses: &[f64]| losses.iter().map(|loss| loss * 4.0_f64.powf(scale.log2().round())).collect::<Vec<_>>();
        prop_assert_eq!(promotes(&one, &other), promotes(&scaled(&one), &scaled(&other)));
    }
}
