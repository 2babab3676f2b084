//! What the gate is told or finds as a fact, and what it makes of evidence that is none.

use jiff::SignedDuration;

use super::*;
use crate::{examples::dataset, series::SeriesCovariates};

fn measured(size_bytes: u64, load_ms: i64, answer_ms: i64) -> Measured {
    let [load, answer] = [load_ms, answer_ms].map(SignedDuration::from_millis);
    Measured { size_bytes, load, answer, series: 3 }
}

/// A candidate that is better, after so many days and by a policy of these lines.
fn judge_measured(policy: &str, days: i64, measured: Option<Measured>) -> Judgement {
    let (model, frame) = (&model_with(policy), history(days));
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let given = &Given { measured, ..Given::default() };
    judgement_of(&Contest { model, given, ..contest(&better, Some(&worse), &frame) })
}

#[test]
fn what_was_measured_is_recorded_and_held_to_the_policy() {
    let quick = Some(measured(70_000, 20, 5));
    let promoted = judge_measured("max_load_seconds = 0.02", DAYS, quick);
    assert_eq!((promoted.verdict, promoted.evidence.measured), (Verdict::Promote, quick));
    let refused = judge_measured("max_load_seconds = 0.019", DAYS, quick);
    assert_eq!(refused.verdict.reasons(), ["the candidate takes 0.020 s to be loaded (0.019 s allowed)"]);
    assert_eq!(refused.evidence.measured, quick);
    // Nobody measured it, nobody holds it against it.
    let unmeasured = judge_measured("max_load_seconds = 0.001", DAYS, None);
    assert_eq!((unmeasured.verdict, unmeasured.evidence.measured), (Verdict::Promote, None));
}

#[test]
fn a_candidate_that_is_too_large_or_too_slow_is_refused_however_little_else_is_known() {
    let policy = "max_artifact_bytes = 1000000\nmax_answer_seconds = 0.5";
    let reasons = judge_measured(policy, 40, Some(measured(2_000_000, 20, 750))).verdict.reasons();
    assert_eq!(
        reasons,
        [
            "the candidate's artifact has 2000000 bytes (1000000 allowed)",
            "the candidate takes 0.75 s to answer a request for 3 series (0.5 s allowed)",
        ]
    );
    let waits = judge_measured(policy, 40, Some(measured(1_000_000, 20, 500))).verdict;
    assert_eq!(waits.name(), "not-enough-evidence");
}

#[test]
fn by_default_nothing_that_a_forecaster_can_serve_is_too_large_or_too_slow() {
    let most = measured(Bundle::MOST_BYTES, 30_000, 10_000);
    assert_eq!(judge_measured("", DAYS, Some(most)).verdict, Verdict::Promote);
}

#[test]
fn a_judgement_from_before_anything_was_measured_is_read() {
    let judgement = judge_measured("", DAYS, None);
    let json = serde_json::to_string(&judgement).expect("is JSON");
    assert!(!json.contains("size_bytes"), "{json}");
    assert_eq!(serde_json::from_str::<Judgement>(&json).expect("was just written"), judgement);
    let judgement = judge_measured("", DAYS, Some(measured(1, 2, 3)));
    let json = serde_json::to_string(&judgement).expect("is JSON");
    assert_eq!(serde_json::from_str::<Judgement>(&json).expect("was just written"), judgement);
}

#[test]
fn a_holdout_older_than_the_incumbents_training_is_no_evidence() {
    let seen = 50;
    let (candidate, incumbent) = (version(long_mean(), TRAINED), version(seasonal_naive(), seen));
    let judgement = judge_on(&history(seen), &candidate, Some(&incumbent));
    assert_eq!((judgement.verdict.name(), judgement.evidence.origins), ("not-enough-evidence", 0));
    assert_eq!(judgement.evidence.rows, 0, "no row is scored that the incumbent was trained on");
    let reasons = judgement.verdict.reasons();
    let start =
        "28 origins after the cut-off are needed and 0 are there; the missing 28 are expected by about ";
    assert!(reasons[0].starts_with(start), "{reasons:?}");
    // What came after it counts, however long the candidate has been waiting.
    let judgement = judge_on(&history(seen + 28), &candidate, Some(&incumbent));
    assert_eq!((judgement.verdict, judgement.evidence.origins), (Verdict::Promote, 28));
}

#[test]
fn swapped_sides_swap_the_numbers_and_never_both_promote() {
    let (one, other) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let (forth, back) =
        (judge_on(&history(DAYS), &one, Some(&other)), judge_on(&history(DAYS), &other, Some(&one)));
    assert_eq!((forth.verdict.name(), back.verdict.name()), ("promote", "keep-incumbent"));
    assert_eq!((&forth.candidate, &forth.incumbent), (&back.incumbent, &back.candidate));
    assert_eq!(forth.evidence.rows_hash, back.evidence.rows_hash, "on the same rows");
}

#[test]
fn a_single_forecast_with_a_number_that_is_none_makes_a_side_unusable() {
    let frame = history(DAYS);
    let day = |days| frame.grid.start_of_day(frame.series[0].start, days);
    let rows = RowSet::new(&frame, (TRAINED..DAYS).map(day).collect(), 24, SignedDuration::ZERO);
    let one_nan = rows.forecast(|history, origin| -> Result<_, Stopped> {
        let mut values = vec![1.0; 24];
        if history.id == id("bridge") && origin == day(TRAINED + 3) {
            values[7] = f64::NAN;
        }
        Ok(Ok(values))
    });
    let one_nan = one_nan.expect("nobody stops it");
    let perfect: Vec<f64> = rows.rows().iter().map(|row| row.actual).collect();
    let perfect = Forecasts { values: perfect, faults: Vec::new() };
    let scales = LossScales::in_sample(&frame, day(TRAINED));
    assert_eq!(rows.errors(&one_nan, &scales), None);
    assert!(
        rows.pair(&one_nan, &perfect, &scales).is_err() && rows.pair(&perfect, &one_nan, &scales).is_err()
    );
    let objections = veto::faults([(Side::Candidate, &one_nan), (Side::Incumbent, &perfect)]);
    let sentences: Vec<String> = objections.iter().map(ToString::to_string).collect();
    let sentence = "the candidate's forecast of series bridge from 2025-02-07T23:00:00Z is NaN at step 8";
    assert_eq!(sentences, [sentence]);
}

#[test]
fn slices_by_attribute_and_by_holiday_are_judged_and_said() {
    let policy = "search_slices = false\nslices = { holidays = true, attributes = ['side'] }";
    let (model, mut dataset, frame) = (model_with(policy), dataset(), history(DAYS));
    dataset.holidays = Some("DE".parse().expect("is known"));
    let name = crate::names::CovariateName::new("side").expect("is a name");
    let said = |text: &str| {
        let text = crate::names::AttributeText::new(text).expect("is a text");
        let attributes = [(name.clone(), crate::series::Attribute::Text(text))].into();
        let start = frame.series[0].start;
        SeriesCovariates { attributes, ..SeriesCovariates::none(start) }
    };
    let sides = [("arcade", "west"), ("bridge", "west"), ("court", "east")];
    let covariates = Covariates::new(sides.map(|(series, side)| (id(series), said(side))).into());
    let (better, worse) = (version(long_mean(), TRAINED), version(seasonal_naive(), TRAINED));
    let contest = Contest {
        model: &model,
        dataset: &dataset,
        covariates: &covariates,
        ..contest(&better, Some(&worse), &frame)
    };
    let judgement = judgement_of(&contest);
    assert_eq!(judgement.verdict, Verdict::Promote);
    let names: Vec<String> = judgement.statistics.slices.iter().map(|test| test.slice.to_string()).collect();
    assert_eq!(names, ["side=east", "side=west"]);
    // From February to the sixth of March there is none in Germany.
    let reasons = judgement.reasons();
    assert!(
        reasons.iter().any(|reason| reason == "there were no points to judge on holidays"),
        "{reasons:?}"
    );
}
