use super::*;
use crate::{
    examples::{dataset, history, id, level_times, long_mean, model, seasonal_naive, start, version},
    names::{DatasetName, ModelName},
};

mod facts;

mod bad_candidates;

/// 60 days of which the last 30 are after all cut-offs.
const DAYS: i64 = 60;
const TRAINED: i64 = 30;

fn judge_on(frame: &Frame, candidate: &Bundle, incumbent: Option<&Bundle>) -> Judgement {
    judge_by("", frame, candidate, incumbent)
}

/// By a policy of these lines.
fn judge_by(policy: &str, frame: &Frame, candidate: &Bundle, incumbent: Option<&Bundle>) -> Judgement {
    let (mut model, dataset, stop) = (model(), dataset(), StopFlag::default());
    model.gate = toml::from_str(policy).expect("is a policy");
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
        given: Given::nothing(),
        stop: &stop,
    };
    judge(&contest).expect("nobody stops it").judgement
}

/// The job of an honest trainer.
fn recorded(candidate: &Bundle) -> RecordedJob<'_> {
    let Bundle { spec_hash, as_of, cut_off, .. } = candidate;
    RecordedJob { spec_hash, as_of: *as_of, cut_off: *cut_off, shift: None }
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
            given: Given::nothing(),
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
            given: Given::nothing(),
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
        given: Given::nothing(),
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
        given: Given::nothing(),
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
        given: Given::nothing(),
        stop: &stop,
    };
    let judged = judge(&contest).expect("nobody stops it");
    assert!(judged.rows().count() > 0);
    assert!(judged.rows().all(|row| row.candidate.is_none() && row.incumbent.is_some()));
}

#[test]
fn a_promotion_says_in_a_few_sentences_what_it_rests_on() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_on(&history(DAYS), &better, Some(&worse));
    let reasons = judgement.reasons();
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    let starts = [
        "average error ",
        "worst-case error (mean of the worst 30 of 2160 points) ",
        "on none of 12 slices",
        "both",
        "promised: ",
    ];
    for (reason, start) in reasons.iter().zip(starts) {
        assert!(reason.starts_with(start), "{reason}");
    }
    assert!(reasons[0].ends_with("and luck does as well with a probability below 0.001"), "{reasons:?}");
    assert!(reasons[1].contains(" %), and with 96 % confidence at most 0."), "{reasons:?}");
    let statistics = judgement.statistics;
    let bootstrap = statistics.bootstrap.expect("ran");
    assert_eq!((bootstrap.resamples, bootstrap.block_origins, bootstrap.blocks), (2000, 7, 5));
    assert_eq!(statistics.average.map(|test| (test.origins, test.overlap)), Some((30, 1)));
}

#[test]
fn a_promotion_promises_less_than_it_measured_and_a_refusal_nothing() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let judgement = judge_on(&history(DAYS), &better, Some(&worse));
    let (candidate, incumbent) = (judgement.candidate.expect("scored"), judgement.incumbent.expect("scored"));
    let promised = judgement.promised.expect("is promoted");
    for (gain, ours, theirs) in [
        (promised.average, candidate.average, incumbent.average),
        (promised.worst_case, candidate.worst_case, incumbent.worst_case),
    ] {
        assert!((gain.measured - (1.0 - ours / theirs)).abs() < 1e-9, "{gain:?}");
        assert!(0.0 < gain.shrunken && gain.shrunken < gain.measured, "{gain:?}");
        assert!(gain.standard_error > 0.0, "{gain:?}");
    }
    assert_eq!(judge_on(&history(DAYS), &worse, Some(&better)).promised, None);
}

#[test]
fn looks_at_the_same_rows_are_counted_and_nothing_else_follows_from_them() {
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let (model, dataset, frame, stop) = (model(), dataset(), history(DAYS), StopFlag::default());
    let judged = |earlier: &[PastLook], look| {
        let contest = Contest {
            model: &model,
            dataset: &dataset,
            candidate: &better,
            job: recorded(&better),
            incumbent: Some(&worse),
            frame: &frame,
            covariates: Covariates::none(),
            given: &Given { look, earlier: earlier.to_vec(), ..Given::default() },
            stop: &stop,
        };
        judge(&contest).expect("nobody stops it").judgement
    };
    let alone = judged(&[], Look::FIRST);
    assert_eq!(alone.looks, Looks { at_candidate: 1, at_these_rows: 1, expected_by_luck: 0.04, left: 24 });
    let same = alone.as_past_look().expect("compared losses");
    let before = PastLook { first_origin: start(), last_target: version(long_mean(), 20).cut_off, ..same };
    let among = judged(&[same, before, same], Look::FIRST);
    assert_eq!((among.looks.at_these_rows, among.looks.left), (3, 22));
    assert!(among.reasons().iter().any(|reason| reason.starts_with("this is look 3 at these rows")));
    assert_eq!(Judgement { looks: alone.looks, ..among }, alone);
    // A further look has less of alpha, and counts on.
    let again = judged(&[same], Look { number: 2, compared_before: 1 });
    assert_eq!((again.looks.at_candidate, again.looks.at_these_rows), (2, 2));
    assert!((again.looks.expected_by_luck - 0.045).abs() < 1e-12, "{again:?}");
}

#[test]
fn a_look_that_came_too_early_to_compare_spends_nothing_and_forgets_nothing() {
    let candidate = version(long_mean(), TRAINED);
    let (model, dataset, frame, stop) = (model(), dataset(), history(40), StopFlag::default());
    let mut empty = frame.clone();
    empty.series.iter_mut().for_each(|series| series.values.fill(f64::NAN));
    for (frame, compared_before) in [(&frame, 0), (&frame, 1), (&empty, 1)] {
        let contest = Contest {
            model: &model,
            dataset: &dataset,
            candidate: &candidate,
            job: recorded(&candidate),
            incumbent: None,
            frame,
            covariates: Covariates::none(),
            given: &Given { look: Look { number: 2, compared_before }, ..Given::default() },
            stop: &stop,
        };
        let judgement = judge(&contest).expect("nobody stops it").judgement;
        assert_eq!(judgement.verdict.name(), "not-enough-evidence");
        assert_eq!(judgement.looks, Looks { at_candidate: compared_before, ..Looks::default() });
        let day_after = frame.last_target().map(|last| frame.grid.advance(last, 24));
        assert_eq!(contest.expected(1), day_after);
    }
}

#[test]
fn a_longer_horizon_overlaps_and_its_origins_are_drawn_in_longer_blocks() {
    let (mut model, dataset, stop) = (model(), dataset(), StopFlag::default());
    model.horizon_steps = 24 * 9;
    let (mut better, mut worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    (better.horizon_steps, worse.horizon_steps) = (model.horizon_steps, model.horizon_steps);
    let frame = history(TRAINED + 50);
    let contest = Contest {
        model: &model,
        dataset: &dataset,
        candidate: &better,
        job: recorded(&better),
        incumbent: Some(&worse),
        frame: &frame,
        covariates: Covariates::none(),
        given: Given::nothing(),
        stop: &stop,
    };
    let statistics = judge(&contest).expect("nobody stops it").judgement.statistics;
    assert_eq!(statistics.average.map(|test| (test.origins, test.overlap, test.bandwidth)), Some((42, 9, 9)));
    assert_eq!(statistics.bootstrap.map(|bootstrap| bootstrap.block_origins), Some(9));
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
