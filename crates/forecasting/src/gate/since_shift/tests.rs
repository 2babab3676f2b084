use jiff::Timestamp;

use super::*;
use crate::{
    artifact::Bundle,
    examples::{
        contest, first_look, grid, history, id, judgement_of, long_mean, model_with, recorded,
        seasonal_naive, start, version,
    },
    gate::{EdgeCase, ErrorBound, Given, Look, Looks, PastLook, RecordedJob},
    series::Frame,
    spec::GatePolicy,
};

/// The first day on which there are 70 % fewer.
const SHIFT: i64 = 40;
/// Days that candidates saw: who looks a week back looks into the new regime from here on.
const TRAINED: i64 = 50;

fn day(day: i64) -> Timestamp {
    grid().start_of_day(start(), day)
}

/// Days of which those from the shift on have 70 % less.
fn shifted(days: i64) -> Frame {
    let mut frame = history(days);
    for series in &mut frame.series {
        let first = series.index_of(&grid(), day(SHIFT));
        series.values[first..].iter_mut().for_each(|value| *value *= 0.3);
    }
    frame
}

/// Judges a week's memory against the mean over a year, which never forgets what was before the shift.
fn judge_on(frame: &Frame, shift: i64, policy: &str) -> Judgement {
    let (candidate, incumbent) = (version(seasonal_naive(), TRAINED), version(long_mean(), 30));
    judge_sides(frame, shift, policy, [&candidate, &incumbent])
}

fn judge_sides(frame: &Frame, shift: i64, policy: &str, [candidate, incumbent]: [&Bundle; 2]) -> Judgement {
    let (model, shift) = (&model_with(policy), Some(day(shift)));
    let job = RecordedJob { shift, ..recorded(candidate) };
    judgement_of(&Contest { model, job, ..contest(candidate, Some(incumbent), frame) })
}

#[test]
fn a_broken_incumbent_is_replaced_after_a_handful_of_origins() {
    let judgement = judge_on(&shifted(TRAINED + 8), SHIFT, "");
    assert_eq!(judgement.verdict, Verdict::Promote, "{:?}", judgement.reasons());
    assert_eq!((judgement.evidence.origins, judgement.evidence.shift), (8, Some(day(SHIFT))));
    let reasons = judgement.reasons();
    assert_eq!(
        reasons[2],
        "bets on the candidate were worth the 40 that are needed after 8 origins since the shift at \
         2025-02-14T23:00:00Z, and up to 68.3 after all 8; so few do not bound the worst case, the errors on slices and the \
         coverage of intervals"
    );
    assert!(
        reasons[0].starts_with("average error") && reasons[1].starts_with("worst-case error"),
        "{reasons:?}"
    );
    let statistics = judgement.statistics;
    assert_eq!(statistics.since_shift.and_then(|bets| bets.decided_after), Some(8));
    assert_eq!((statistics.average, statistics.bootstrap), (None, None), "needs more origins");
    assert_eq!(judgement.promised, None);
}

#[test]
fn what_is_not_decided_yet_waits_for_the_next_origin() {
    let judgement = judge_on(&shifted(TRAINED + 7), SHIFT, "");
    assert_eq!(judgement.verdict.name(), "not-enough-evidence");
    assert!(judgement.awaits_bets());
    assert_eq!(
        judgement.reasons(),
        [
            "bets on the candidate are worth up to 38.4 of the 40 that are needed after 7 origins since the shift at \
          2025-02-14T23:00:00Z; the next look is expected by about 2025-03-04, and from 28 origins on it is judged \
          like any other, by the other half of alpha"
        ]
    );
}

#[test]
fn luck_may_have_as_much_as_the_policy_allows() {
    // Bets that are worth 10 are enough for an alpha of 0.2, and after five good days they are worth 12.
    for (days, name) in [(4, "not-enough-evidence"), (5, "promote")] {
        let judgement = judge_on(&shifted(TRAINED + days), SHIFT, "alpha = 0.2");
        assert_eq!(judgement.verdict.name(), name, "{days} days");
        assert_eq!(judgement.statistics.since_shift.map(|bets| bets.needed_wealth), Some(10.0));
    }
}

#[test]
fn who_is_worse_since_the_shift_is_refused_at_once() {
    let (worse, better) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_sides(&shifted(TRAINED + 3), SHIFT, "", [&worse, &better]);
    let reasons = judgement.reasons();
    assert_eq!(judgement.verdict.name(), "keep-incumbent");
    assert!(
        reasons[0].starts_with("average error") && reasons[1].starts_with("worst-case error"),
        "{reasons:?}"
    );
    assert!(!judgement.awaits_bets());
    let tie = judge_sides(&shifted(TRAINED + 3), SHIFT, "", [&better, &better]);
    assert!(tie.reasons()[0].ends_with("a tie keeps the incumbent"), "{:?}", tie.reasons());
}

#[test]
fn a_fact_counts_however_much_the_bets_are_worth() {
    let reasons = judge_on(&shifted(TRAINED + 8), SHIFT, "range = [0, 10]").reasons();
    assert!(reasons.len() == 1 && reasons[0].contains("only 0 to 10 can be"), "{reasons:?}");
}

#[test]
fn only_origins_since_the_shift_count() {
    // The job's cut-off lies 20 days before the shift.
    let (candidate, incumbent) = (version(seasonal_naive(), 20), version(long_mean(), 20));
    let evidence = judge_sides(&shifted(TRAINED), SHIFT, "", [&candidate, &incumbent]).evidence;
    assert_eq!((evidence.origins, evidence.first_origin), (10, Some(day(SHIFT))));
}

#[test]
fn before_the_first_origin_since_the_shift_nothing_is_said() {
    let (frame, candidate, incumbent) =
        (history(TRAINED), version(seasonal_naive(), 20), version(long_mean(), 20));
    for shift in [TRAINED, TRAINED + 9] {
        let judgement = judge_sides(&frame, shift, "", [&candidate, &incumbent]);
        assert!(judgement.awaits_bets(), "{judgement:?}");
        assert_eq!((judgement.evidence.origins, judgement.evidence.rows), (0, 0));
        let reason = &judgement.reasons()[0];
        assert!(reason.contains("worth up to 1.0 of the 40 that are needed after 0 origins"), "{reason}");
    }
}

#[test]
fn with_as_many_origins_as_any_candidate_needs_it_is_judged_like_any_other() {
    let (candidate, incumbent) = (version(long_mean(), 30), version(seasonal_naive(), 30));
    let since = judge_sides(&history(60), 20, "", [&candidate, &incumbent]);
    assert_eq!((since.verdict.name(), since.evidence.origins), ("promote", 30));
    assert_eq!(since.statistics.since_shift, None);
    assert!(since.statistics.average.is_some() && since.statistics.bootstrap.is_some());
    assert_eq!(since.evidence.shift, Some(day(20)));
}

// Few origins for another reason than a recent shift.

fn is_plain_shortage(judgement: &Judgement) -> bool {
    judgement.verdict.name() == "not-enough-evidence"
        && judgement.statistics.since_shift.is_none()
        && !judgement.awaits_bets()
}

#[test]
fn before_a_shift_there_must_be_a_history() {
    assert!(is_plain_shortage(&judge_on(&history(TRAINED + 8), -9000, "")));
    assert!(is_plain_shortage(&judge_on(&history(TRAINED + 8), 0, "")));
}

#[test]
fn an_old_shift_is_no_reason_to_go_by_a_few_days() {
    // A version was put into use that had seen nearly all: 8 origins are there, and 56 days since the shift, or 55.
    let sides = [&version(seasonal_naive(), SHIFT + 48), &version(long_mean(), 30)];
    let old = judge_sides(&shifted(SHIFT + 56), SHIFT, "", sides);
    assert_eq!(old.evidence.origins, 8);
    assert!(is_plain_shortage(&old), "{old:?}");
    let young = judge_sides(&shifted(SHIFT + 55), SHIFT, "", sides);
    assert!(young.statistics.since_shift.is_some(), "{young:?}");
}

#[test]
fn whose_losses_were_compared_is_not_bet_on() {
    let (candidate, incumbent, frame) =
        (version(seasonal_naive(), TRAINED), version(long_mean(), 30), shifted(TRAINED + 8));
    let job = RecordedJob { shift: Some(day(SHIFT)), ..recorded(&candidate) };
    let look = |compared_before| {
        let given = &Given { look: Look { number: 2, compared_before, bets_before: 0 }, ..Given::default() };
        judgement_of(&Contest { job, given, ..contest(&candidate, Some(&incumbent), &frame) })
    };
    assert_eq!(look(0).verdict, Verdict::Promote);
    assert!(is_plain_shortage(&look(1)));
}

// How looks by bets are counted.

fn looked(frame: &Frame, shift: i64, look: Look, earlier: &[PastLook]) -> Judgement {
    let (candidate, incumbent) = (version(seasonal_naive(), TRAINED), version(long_mean(), 30));
    let job = RecordedJob { shift: Some(day(shift)), ..recorded(&candidate) };
    let given = &Given { look, earlier: earlier.to_vec(), ..Given::default() };
    judgement_of(&Contest { job, given, ..contest(&candidate, Some(&incumbent), frame) })
}

#[test]
fn all_bets_on_a_candidate_are_one_look_at_the_rows() {
    let (frame, second) = (shifted(TRAINED + 5), Look { number: 2, compared_before: 0, bets_before: 1 });
    let alone = looked(&frame, SHIFT, second, &[]);
    let expected =
        Looks { at_candidate: 0, bets_at_candidate: 2, at_these_rows: 1, expected_by_luck: 0.025, left: 24 };
    assert_eq!(alone.looks, expected);
    assert_eq!(Given::to(&alone, 2).look, second);
    // Another candidate was bet on that night.
    let theirs = alone.as_past_look().expect("was bet on");
    let looks = looked(&frame, SHIFT, second, &[theirs]).looks;
    assert_eq!((looks.at_these_rows, looks.expected_by_luck), (2, 0.05));
}

#[test]
fn after_bets_losses_are_compared_by_the_other_half_of_alpha_and_both_are_counted() {
    let look = Look { number: 28, compared_before: 0, bets_before: 27 };
    let judgement = looked(&shifted(TRAINED + 30), SHIFT, look, &[]);
    assert_eq!(judgement.statistics.average.as_ref().map(|test| test.alpha), Some(0.02));
    let looks = judgement.looks;
    assert_eq!((looks.at_candidate, looks.bets_at_candidate, looks.at_these_rows), (1, 27, 2));
    assert!((looks.expected_by_luck - 0.045).abs() < 1e-12, "{looks:?}");
    assert_eq!(Given::to(&judgement, 28).look, look);
}

#[test]
fn a_fact_that_is_found_beside_undecided_bets_ends_them() {
    let (candidate, incumbent, frame) =
        (version(seasonal_naive(), TRAINED), version(long_mean(), 30), shifted(TRAINED + 5));
    let job = RecordedJob { shift: Some(day(SHIFT)), ..recorded(&candidate) };
    let bound = ErrorBound { series: vec![id("gone")], from: day(3), to: day(4), limit: 1.0 };
    let given = &Given { edge_cases: vec![EdgeCase { number: 1, bound }], ..Given::default() };
    let judgement = judgement_of(&Contest { job, given, ..contest(&candidate, Some(&incumbent), &frame) });
    assert_eq!(judgement.verdict.name(), "keep-incumbent");
    assert!(judgement.statistics.since_shift.is_some_and(|bets| !bets.is_decided()));
    assert!(!judgement.awaits_bets());
    let reasons = judgement.reasons();
    assert!(reasons.len() == 1 && reasons[0].contains("edge case 1"), "{reasons:?}");
}

// What is bet on.

#[test]
fn only_origins_that_tell_are_bet_on_and_a_late_one_moves_no_other() {
    // Of all origins since the cut-off the first, the eighth and so on.
    let bet_on = |without: i64, hours: usize| {
        let mut frame = history(TRAINED + 22);
        let first = usize::try_from(24 * (TRAINED + without)).expect("is positive");
        frame.series.iter_mut().for_each(|series| series.values[first..first + hours].fill(f64::NAN));
        let origins = (0..22).map(|later| day(TRAINED + later)).collect();
        let rows = RowSet::new(&frame, origins, 24, jiff::SignedDuration::ZERO);
        let (scored, places) = (rows.scored_origins(), rows.telling_every(7));
        places.into_iter().map(|place| scored[place]).collect::<Vec<_>>()
    };
    let days = |later: &[i64]| later.iter().map(|later| day(TRAINED + later)).collect::<Vec<_>>();
    assert_eq!(bet_on(0, 0), days(&[0, 7, 14, 21]));
    assert_eq!(bet_on(2, 24), days(&[0, 7, 14, 21]), "one is late");
    assert_eq!(bet_on(7, 23), days(&[0, 14, 21]), "one hour of a day tells nothing");
}

// What a few losses say.

fn compared(candidate: Vec<f64>, incumbent: Vec<f64>) -> Findings {
    let points = u32::try_from(candidate.len()).expect("tests are small");
    let losses = PairedLosses::new(candidate, incumbent, (0..points).map(|point| point / 24).collect());
    let policy = GatePolicy::default();
    let terms = first_look(&policy);
    let losses = losses.expect("tests pair losses");
    let all: Vec<usize> = (0..losses.origins()).collect();
    compare_since_shift(&losses, &terms, &all)
}

#[test]
fn an_equal_candidate_is_not_let_in_by_a_few_origins() {
    // On half of the days a tenth better, on the other half nearly a tenth worse.
    let incumbent = vec![1.0; 27 * 24];
    let candidate = (0..27 * 24).map(|point| if point / 24 % 2 == 0 { 0.9 } else { 1.095 }).collect();
    let findings = compared(candidate, incumbent);
    assert!(findings.statistics.since_shift.is_some_and(|bets| !bets.is_decided()), "{findings:?}");
    let few_percent = compared(vec![0.97; 27 * 24], vec![1.0; 27 * 24]);
    assert!(few_percent.are_undecided(), "{few_percent:?}");
}

#[test]
fn the_floor_holds_whatever_the_bets_are_worth() {
    let (mut ours, theirs) = (vec![1.0; 14 * 24], vec![3.0; 14 * 24]);
    let sound = compared(ours.clone(), theirs.clone());
    assert!(sound.objections.is_empty() && !sound.are_undecided(), "{sound:?}");
    // One hour of two weeks, as bad as a hundred others.
    ours[77] = 100.0;
    let horrible = compared(ours, theirs);
    assert!(horrible.statistics.since_shift.is_some_and(|bets| bets.is_decided()), "{horrible:?}");
    let said = horrible.objections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(said.contains("worst-case error") && said.contains("largest error"), "{said}");
}

#[test]
fn where_horizons_overlap_the_next_bet_is_not_the_next_origin() {
    let next: Vec<u32> = (1..=8).map(|origins| strides_to_next_bet(origins, 7)).collect();
    assert_eq!(next, [7, 6, 5, 4, 3, 2, 1, 7]);
    assert_eq!(strides_to_next_bet(5, 1), 1);
}
