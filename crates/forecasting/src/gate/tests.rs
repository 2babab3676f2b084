use super::*;
use crate::{
    examples::{
        contest, history, id, judgement_of, level_times, long_mean, model, model_with, recorded,
        seasonal_naive, version,
    },
    models::WeeklyMean,
    names::{DatasetName, ModelName},
};

mod bad_candidates;
mod facts;
mod looks;
mod promises;
mod shapes;

/// 60 days of which the last 30 are after all cut-offs.
const DAYS: i64 = 60;
const TRAINED: i64 = 30;

fn judge_on(frame: &Frame, candidate: &Bundle, incumbent: Option<&Bundle>) -> Judgement {
    judge_by("", frame, candidate, incumbent)
}

/// By a policy of these lines.
fn judge_by(policy: &str, frame: &Frame, candidate: &Bundle, incumbent: Option<&Bundle>) -> Judgement {
    let model = &model_with(policy);
    judgement_of(&Contest { model, ..contest(candidate, incumbent, frame) })
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
    let (frame, candidate) = (history(DAYS), version(long_mean(), TRAINED));
    let reasons = |job| judgement_of(&Contest { job, ..contest(&candidate, None, &frame) }).verdict.reasons();
    let job = recorded(&candidate);
    let before = version(long_mean(), TRAINED - 1).cut_off;
    assert_eq!(
        reasons(RecordedJob { cut_off: before, ..job }),
        ["the candidate's cut_off is 2025-02-04T22:00:00Z, but 2025-02-03T22:00:00Z is recorded for its job"]
    );
    assert_eq!(
        reasons(RecordedJob { as_of: before, spec_hash: "other", ..job }),
        [
            format!("the candidate's spec_hash is {}, but other is recorded for its job", model().hash()),
            "the candidate's as_of is 2025-02-04T22:00:00Z, but 2025-02-03T22:00:00Z is recorded for its job"
                .to_owned(),
        ]
    );
    assert!(reasons(job).is_empty());
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
    let (frame, candidate, stop) = (history(DAYS), version(long_mean(), TRAINED), StopFlag::default());
    let contest = Contest { stop: &stop, ..contest(&candidate, None, &frame) };
    stop.stop();
    assert_eq!(judge(&contest).err(), Some(Stopped));
}

#[test]
fn the_rows_that_are_handed_out_are_those_that_were_scored() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let frame = history(DAYS);
    let judged = judge(&contest(&better, Some(&worse), &frame)).expect("nobody stops it");
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
    let (frame, broken) = (history(DAYS), version(level_times(f64::MAX), TRAINED));
    let judged = judge(&contest(&broken, None, &frame)).expect("nobody stops it");
    assert!(judged.rows().count() > 0);
    assert!(judged.rows().all(|row| row.candidate.is_none() && row.incumbent.is_some()));
}

#[test]
fn declared_slices_are_judged_each() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let policy = "search_slices = false\n[slices]\nseries = true\nweekend = true\npeak_hours = [7, 9]";
    let statistics = judge_by(policy, &history(DAYS), &better, Some(&worse)).statistics;
    let names: Vec<String> = statistics.slices.iter().map(|test| test.slice.to_string()).collect();
    assert_eq!(names, ["series arcade", "series bridge", "series court", "weekends", "peak hours"]);
    assert!(statistics.slices.iter().all(|test| test.upper < Some(1.0)), "{statistics:?}");
    assert_eq!(statistics.searched, None);
}

#[test]
fn a_forecast_that_cannot_be_or_is_too_far_off_is_refused_whatever_the_other_side_does() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    // There are fewer than 28 origins, and it counts all the same.
    let reasons = |policy: &str| judge_by(policy, &history(40), &better, Some(&worse)).verdict.reasons();
    let out_of_range = reasons("range = [0, 100]");
    let start = "the candidate's forecast of series arcade for 2025-02-0";
    assert!(out_of_range.len() == 1 && out_of_range[0].starts_with(start), "{out_of_range:?}");
    assert!(out_of_range[0].contains(" and only 0 to 100 can be; so it is at "), "{out_of_range:?}");
    let too_far_off = reasons("max_error = 3");
    assert!(too_far_off.len() == 1 && too_far_off[0].starts_with(start), "{too_far_off:?}");
    assert!(too_far_off[0].contains(", and only 3 is allowed"), "{too_far_off:?}");
    assert_eq!(reasons("range = [0, 1000]\nmax_error = 1000").len(), 1, "not enough evidence");
    // What is no number is told once.
    let broken = version(level_times(f64::MAX), TRAINED);
    let reasons = judge_by("range = [0, 100]", &history(DAYS), &broken, Some(&worse)).verdict.reasons();
    assert!(reasons.len() == 1 && reasons[0].contains("not a finite number"), "{reasons:?}");
}

#[test]
fn a_side_without_a_forecast_of_one_series_is_told_so() {
    let frame = history(DAYS);
    let origins = vec![frame.grid.start_of_day(frame.series[0].start, TRAINED)];
    let rows = RowSet::new(&frame, origins, 24, jiff::SignedDuration::ZERO);
    let without_court = rows.forecast(|history, _| -> Result<_, Stopped> {
        let is_court = history.id == id("court");
        Ok(if is_court { Err(crate::models::PredictError::NothingKnown) } else { Ok(vec![1.0; 24]) })
    });
    let without_court = without_court.expect("nobody stops it");
    let all = Forecasts { values: vec![1.0; rows.rows().len()], faults: Vec::new() };
    let objections = veto::faults([(Side::Candidate, &all), (Side::Incumbent, &without_court)]);
    let sentences: Vec<String> = objections.iter().map(ToString::to_string).collect();
    let start = "the incumbent's forecast of series court from 2025-02-04T23:00:00Z is missing";
    assert!(sentences.len() == 1 && sentences[0].starts_with(start), "{sentences:?}");
}

/// Intervals from errors that are this part of those on the rows.
fn with_intervals(mut bundle: Bundle, part: f64) -> Bundle {
    let frame = history(DAYS);
    let origins = (20..TRAINED).map(|day| frame.grid.start_of_day(frame.series[0].start, day)).collect();
    let rows = RowSet::new(&frame, origins, 24, jiff::SignedDuration::ZERO);
    let forecasts = rows.forecast(|history, origin| -> Result<_, Stopped> {
        let task = Task {
            dataset: &bundle.dataset,
            history,
            covariates: Covariates::none().of(&history.id),
            grid: &frame.grid,
            origin,
            horizon_steps: 24,
        };
        Ok(forecast(&bundle, &task).map(|(values, _)| values))
    });
    let mut forecasts = forecasts.expect("nobody stops it");
    for (forecast, row) in forecasts.values.iter_mut().zip(rows.rows()) {
        *forecast = row.actual + part * (*forecast - row.actual);
    }
    bundle.intervals = crate::intervals::Intervals::calibrate(&rows, &forecasts);
    assert!(bundle.intervals.is_some());
    bundle
}

#[test]
fn intervals_that_hold_far_fewer_actuals_than_they_say_are_refused() {
    let frame = history(DAYS);
    let worse = version(seasonal_naive(), TRAINED);
    let right = with_intervals(version(long_mean(), TRAINED), 1.0);
    let narrow = with_intervals(version(long_mean(), TRAINED), 0.4);
    let judgement = judge_on(&frame, &right, Some(&worse));
    assert_eq!(judgement.verdict, Verdict::Promote, "{:?}", judgement.statistics.coverage);
    assert_eq!(judgement.statistics.coverage.iter().map(|test| test.level).collect::<Vec<_>>(), LEVELS);
    let reasons = judge_on(&frame, &narrow, Some(&worse)).verdict.reasons();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("the candidate's 80 % intervals held "), "{reasons:?}");
    assert!(reasons[1].ends_with("with 95 % confidence; 95 ± 10.0 % allowed)"), "{reasons:?}");
    assert_eq!(judge_by("coverage_tolerance = 0.7", &frame, &narrow, Some(&worse)).verdict, Verdict::Promote);
    // Intervals that are off, but less than those in use, are no reason to keep the latter.
    let narrower = with_intervals(worse, 0.1);
    assert_eq!(judge_on(&frame, &narrow, Some(&narrower)).verdict, Verdict::Promote);
}

#[test]
fn who_has_no_intervals_does_not_replace_who_has_some() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let in_use = with_intervals(worse.clone(), 1.0);
    // With as few origins as there may be it is a fact already.
    for days in [DAYS, TRAINED + 2] {
        let reasons = judge_on(&history(days), &better, Some(&in_use)).verdict.reasons();
        assert_eq!(reasons, ["the candidate has no intervals, and what is in use has some"], "{days} days");
    }
    for incumbent in [Some(&worse), None] {
        assert_eq!(judge_on(&history(DAYS), &better, incumbent).verdict, Verdict::Promote);
    }
    let with_some = with_intervals(better, 1.0);
    assert_eq!(judge_on(&history(DAYS), &with_some, Some(&in_use)).verdict, Verdict::Promote);
}
