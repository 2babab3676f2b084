use super::*;
use crate::{
    examples::{dataset, history, id, level_times, long_mean, model, seasonal_naive, version},
    names::{DatasetName, ModelName},
};

/// 60 days of which the last 30 are after all cut-offs.
const DAYS: i64 = 60;
const TRAINED: i64 = 30;

fn judge_on(frame: &Frame, candidate: &Bundle, incumbent: Option<&Bundle>) -> Judgement {
    let (model, dataset, stop) = (model(), dataset(), StopFlag::default());
    let job = recorded(candidate);
    let covariates = Covariates::none();
    let contest = Contest {
        model: &model,
        dataset: &dataset,
        candidate,
        job,
        incumbent,
        frame,
        covariates,
        stop: &stop,
    };
    judge(&contest).expect("nobody stops it").judgement
}

/// The job of an honest trainer.
fn recorded(candidate: &Bundle) -> RecordedJob<'_> {
    RecordedJob { spec_hash: &candidate.spec_hash, as_of: candidate.as_of, cut_off: candidate.cut_off }
}

#[test]
fn a_candidate_that_is_better_in_both_is_promoted() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_on(&history(DAYS), &better, Some(&worse));
    assert_eq!(judgement.verdict, Verdict::Promote);
    let (candidate, incumbent) = (judgement.candidate.expect("scored"), judgement.incumbent.expect("scored"));
    assert!(candidate.average < incumbent.average && candidate.worst_case < incumbent.worst_case);
    let evidence = judgement.evidence;
    assert_eq!((evidence.origins, evidence.series), (30, 3));
    // 29 days of 24 hours and the one of 23 on which clocks change.
    assert_eq!(evidence.rows, 3 * 30 * 24);
    assert_eq!(evidence.tail_points, 30);
    assert_eq!(evidence.candidate_fallback_forecasts, 0);
}

#[test]
fn a_candidate_that_is_worse_is_refused_for_both_reasons() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_on(&history(DAYS), &worse, Some(&better));
    let reasons = judgement.verdict.reasons();
    assert_eq!(judgement.verdict.name(), "keep-incumbent");
    assert!(reasons[0].starts_with("average error"), "{reasons:?}");
    assert!(reasons[1].starts_with("worst-case error (mean of the worst 30 of 2160 points)"), "{reasons:?}");
}

#[test]
fn a_tie_keeps_the_incumbent() {
    let one = version(seasonal_naive(), TRAINED);
    let judgement = judge_on(&history(DAYS), &one, Some(&one));
    let reasons = judgement.verdict.reasons();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().all(|reason| reason.ends_with("a tie keeps the incumbent")), "{reasons:?}");
}

#[test]
fn a_first_candidate_competes_with_the_fallback_that_serves() {
    let promoted = judge_on(&history(DAYS), &version(long_mean(), TRAINED), None);
    assert_eq!(promoted.verdict, Verdict::Promote);
    let refused = judge_on(&history(DAYS), &version(seasonal_naive(), TRAINED), None);
    assert!(refused.verdict.reasons()[0].contains("the fallback's"), "{:?}", refused.verdict);
    assert_eq!(refused.evidence.incumbent_fallback_forecasts, 90);
    // A candidate cannot choose a weaker opponent.
    let mut weaker = version(seasonal_naive(), TRAINED);
    weaker.fallback = WeeklyMean::new(1, &weaker.grid);
    assert_eq!(judge_on(&history(DAYS), &weaker, None).incumbent, refused.incumbent);
}

#[test]
fn a_candidate_that_contradicts_its_recorded_job_is_refused() {
    let (model, dataset, frame, stop) = (model(), dataset(), history(DAYS), StopFlag::default());
    let candidate = version(long_mean(), TRAINED);
    let reasons = |job| {
        let contest = Contest {
            model: &model,
            dataset: &dataset,
            candidate: &candidate,
            job,
            incumbent: None,
            frame: &frame,
            covariates: Covariates::none(),
            stop: &stop,
        };
        judge(&contest).expect("nobody stops it").judgement.verdict.reasons()
    };
    let job = recorded(&candidate);
    let before = version(long_mean(), TRAINED - 1).cut_off;
    assert_eq!(
        reasons(RecordedJob { cut_off: before, ..job }),
        ["the candidate's cut_off is 2025-02-04T22:00:00Z, but 2025-02-03T22:00:00Z is recorded for its job"]
    );
    assert_eq!(
        reasons(RecordedJob { as_of: before, spec_hash: "other", ..job }),
        [
            format!("the candidate's spec_hash is {}, but other is recorded for its job", model.hash()),
            "the candidate's as_of is 2025-02-04T22:00:00Z, but 2025-02-03T22:00:00Z is recorded for its job"
                .to_owned(),
        ]
    );
    assert!(reasons(job).is_empty());
}

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
    let (model, frame, stop) = (model(), history(DAYS), StopFlag::default());
    let candidate = version(long_mean(), TRAINED);
    let origins = [0, 48].map(|hours| {
        let mut dataset = dataset();
        dataset.availability_delay = jiff::SignedDuration::from_hours(hours);
        let contest = Contest {
            model: &model,
            dataset: &dataset,
            candidate: &candidate,
            job: recorded(&candidate),
            incumbent: None,
            frame: &frame,
            covariates: Covariates::none(),
            stop: &stop,
        };
        judge(&contest).expect("nobody stops it").judgement.evidence.origins
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
fn a_candidate_whose_forecast_is_no_number_is_refused() {
    let (sound, broken) = (version(long_mean(), TRAINED), version(level_times(f64::MAX), TRAINED));
    for incumbent in [Some(&sound), Some(&broken), None] {
        let reasons = judge_on(&history(DAYS), &broken, incumbent).verdict.reasons();
        let text = "the candidate's forecast of series arcade from ";
        assert!(reasons.len() == 1 && reasons[0].starts_with(text), "{reasons:?}");
        assert!(reasons[0].contains("the forecast of step 1 is not a finite number"), "{reasons:?}");
    }
}

#[test]
fn an_incumbent_whose_forecast_is_no_number_is_judged_by_the_fallback_that_serves_for_it() {
    let (sound, broken) = (version(long_mean(), TRAINED), version(level_times(f64::MAX), TRAINED));
    let judgement = judge_on(&history(DAYS), &sound, Some(&broken));
    assert_eq!(judgement.verdict, Verdict::Promote);
    assert_eq!(judgement.evidence.incumbent_fallback_forecasts, 90);
    assert_eq!(judgement.incumbent, judge_on(&history(DAYS), &sound, None).incumbent);
    let worse = judge_on(&history(DAYS), &version(seasonal_naive(), TRAINED), Some(&broken));
    assert_eq!(worse.verdict.name(), "keep-incumbent");
}

#[test]
fn a_side_that_leaves_a_series_to_its_fallback_is_judged_by_what_the_fallback_says() {
    let mut frame = history(DAYS);
    // Born five days before the end of training: too young for the primary at first, not for a mean.
    let start = frame.grid.start_of_day(frame.series[0].start, 25);
    frame.series[0] = frame.series[0].window(&frame.grid, start, Timestamp::MAX);
    let judgement = judge_on(&frame, &version(level_times(1.0), TRAINED), None);
    assert_eq!(judgement.evidence.rows, 3 * 30 * 24);
    assert_eq!(judgement.evidence.pooled_scale_series, 1);
    assert!((1..10).contains(&judgement.evidence.candidate_fallback_forecasts), "{judgement:?}");
}

#[test]
fn an_artifact_of_something_else_is_refused_before_it_forecasts() {
    let frame = history(DAYS);
    let sound = version(long_mean(), TRAINED);
    let mut other = sound.clone();
    other.model = ModelName::new("other").expect("is a name");
    let judgement = judge_on(&frame, &other, Some(&sound));
    assert_eq!(judgement.verdict.reasons(), ["the candidate is an artifact of model other, not of visitors"]);
    let judgement = judge_on(&frame, &sound, Some(&other));
    assert_eq!(judgement.verdict.reasons(), ["the incumbent is an artifact of model other, not of visitors"]);
    let mut other = sound.clone();
    other.dataset = DatasetName::new("other").expect("is a name");
    let judgement = judge_on(&frame, &other, Some(&sound));
    assert_eq!(judgement.verdict.reasons(), ["the candidate was trained on dataset other, not on footfall"]);
}

#[test]
fn a_judgement_repeats_bit_by_bit() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let once = judge_on(&history(DAYS), &better, Some(&worse));
    assert_eq!(once, judge_on(&history(DAYS), &better, Some(&worse)));
    let mut corrected = history(DAYS);
    let last = corrected.series[0].values.len() - 1;
    corrected.series[0].values[last] += 1.0;
    let again = judge_on(&corrected, &better, Some(&worse));
    assert_ne!(once.evidence.rows_hash, again.evidence.rows_hash);
    assert_eq!(corrected.series[0].id, id("arcade"));
}

#[test]
fn a_judgement_stops_when_asked() {
    let (model, dataset, frame, stop) = (model(), dataset(), history(DAYS), StopFlag::default());
    let candidate = version(long_mean(), TRAINED);
    let contest = Contest {
        model: &model,
        dataset: &dataset,
        candidate: &candidate,
        job: recorded(&candidate),
        incumbent: None,
        frame: &frame,
        covariates: Covariates::none(),
        stop: &stop,
    };
    stop.stop();
    assert_eq!(judge(&contest).err(), Some(Stopped));
}

#[test]
fn the_rows_that_are_handed_out_are_those_that_were_scored() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let (model, dataset, frame, stop) = (model(), dataset(), history(DAYS), StopFlag::default());
    let (candidate, incumbent) = (&better, Some(&worse));
    let job = recorded(candidate);
    let contest = Contest {
        model: &model,
        dataset: &dataset,
        candidate,
        job,
        incumbent,
        frame: &frame,
        covariates: Covariates::none(),
        stop: &stop,
    };
    let judged = judge(&contest).expect("nobody stops it");
    assert_eq!(judged.rows().count() as u64, judged.judgement.evidence.rows);
    let average = |side: fn(&ScoredRow<'_>) -> Option<f64>| {
        let losses = judged
            .rows()
            .map(|row| (side(&row).expect("no fault") - row.actual).abs() / row.scale)
            .sum::<f64>();
        losses / judged.judgement.evidence.rows as f64
    };
    let errors = |errors: &Option<crate::evaluation::Errors>| errors.as_ref().expect("scored").average;
    assert!((average(|row| row.candidate) - errors(&judged.judgement.candidate)).abs() < 1e-12);
    assert!((average(|row| row.incumbent) - errors(&judged.judgement.incumbent)).abs() < 1e-12);
    assert!(judged.rows().all(|row| row.target >= row.origin && row.origin > worse.cut_off));
}

#[test]
fn a_forecast_that_is_no_number_is_none_in_the_rows() {
    let (model, dataset, frame, stop) = (model(), dataset(), history(DAYS), StopFlag::default());
    let broken = version(level_times(f64::MAX), TRAINED);
    let contest = Contest {
        model: &model,
        dataset: &dataset,
        candidate: &broken,
        job: recorded(&broken),
        incumbent: None,
        frame: &frame,
        covariates: Covariates::none(),
        stop: &stop,
    };
    let judged = judge(&contest).expect("nobody stops it");
    assert!(judged.rows().count() > 0);
    assert!(judged.rows().all(|row| row.candidate.is_none() && row.incumbent.is_some()));
}
