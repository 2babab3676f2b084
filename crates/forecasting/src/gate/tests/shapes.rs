//! Which rows a judgement rests on, whatever the shapes of history and horizon are.

use super::*;
use crate::examples::dataset;

#[test]
fn no_row_was_a_training_target_of_either_side() {
    let (candidate, incumbent) = (version(long_mean(), 20), version(seasonal_naive(), 25));
    for (candidate, incumbent) in [(&candidate, &incumbent), (&incumbent, &candidate)] {
        let evidence = judge_on(&history(DAYS), candidate, Some(incumbent)).evidence;
        assert_eq!(evidence.origins, 35);
        assert!(evidence.first_origin > Some(incumbent.cut_off.max(candidate.cut_off)));
    }
}

#[test]
fn losses_are_scaled_by_what_both_sides_had_before_them() {
    let mut frame = history(DAYS);
    frame.series.truncate(1);
    let (candidate, incumbent) = (version(long_mean(), 25), version(seasonal_naive(), 20));
    let scales = |bundle: &Bundle| LossScales::in_sample(&frame, bundle.cut_off);
    let earlier = scales(&incumbent).of(&frame.series[0].id);
    assert_ne!(earlier, scales(&candidate).of(&frame.series[0].id));
    for (candidate, incumbent) in [(&candidate, &incumbent), (&incumbent, &candidate)] {
        let errors = judge_on(&frame, candidate, Some(incumbent)).candidate.expect("scored");
        assert!((errors.mae / errors.average - earlier).abs() < 1e-9);
    }
}

#[test]
fn the_first_origin_waits_for_the_availability_delay() {
    let (frame, candidate) = (history(DAYS), version(long_mean(), TRAINED));
    let origins = [0, 48].map(|hours| {
        let mut dataset = dataset();
        dataset.availability_delay = jiff::SignedDuration::from_hours(hours);
        let contest = Contest { dataset: &dataset, ..contest(&candidate, None, &frame) };
        judgement_of(&contest).evidence.origins
    });
    assert_eq!(origins, [30, 28]);
}

#[test]
fn fewer_than_28_origins_are_not_enough() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    for (days, name) in [(58, "promote"), (57, "not-enough-evidence"), (TRAINED, "not-enough-evidence")] {
        let judgement = judge_on(&history(days), &better, Some(&worse));
        assert_eq!(judgement.verdict.name(), name, "{days} days");
    }
    let judgement = judge_on(&history(57), &better, Some(&worse));
    let text =
        "28 origins after the cut-off are needed and 27 are there; the missing 1 are expected by about";
    assert!(judgement.verdict.reasons()[0].starts_with(text), "{:?}", judgement.verdict.reasons());
}

#[test]
fn origins_with_a_single_point_are_no_evidence() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let mut frame = history(DAYS);
    let first = usize::try_from(20 + TRAINED).expect("is a day") * 24;
    for series in &mut frame.series {
        for (hour, value) in series.values.iter_mut().enumerate().skip(first) {
            // An hour a day is left.
            *value = if hour % 24 == 12 { *value } else { f64::NAN };
        }
    }
    let judgement = judge_on(&frame, &better, Some(&worse));
    assert_eq!((judgement.verdict.name(), judgement.evidence.origins), ("not-enough-evidence", 20));
}

#[test]
fn a_history_without_values_is_not_enough() {
    let mut empty = history(DAYS);
    empty.series.iter_mut().for_each(|series| series.values.fill(f64::NAN));
    let judgement = judge_on(&empty, &version(long_mean(), TRAINED), None);
    assert_eq!(judgement.verdict.name(), "not-enough-evidence");
}

#[test]
fn a_longer_horizon_overlaps_and_its_origins_are_drawn_in_longer_blocks() {
    let mut model = model();
    model.horizon_steps = 24 * 9;
    let (mut better, mut worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    (better.horizon_steps, worse.horizon_steps) = (model.horizon_steps, model.horizon_steps);
    let frame = history(TRAINED + 50);
    let contest = Contest { model: &model, ..contest(&better, Some(&worse), &frame) };
    let statistics = judgement_of(&contest).statistics;
    assert_eq!(statistics.average.map(|test| (test.origins, test.overlap, test.bandwidth)), Some((42, 9, 9)));
    assert_eq!(statistics.bootstrap.map(|bootstrap| bootstrap.block_origins), Some(9));
}
