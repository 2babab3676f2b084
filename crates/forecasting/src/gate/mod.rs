//! Whether a candidate goes live.
//!
//! The floor cannot be configured away: a candidate is promoted only if its average error *and* its
//! worst-case error are both strictly lower than those of the version in use, on the same rows, from at
//! least 28 origins that neither side's training has seen. A tie, a missing number or too little evidence
//! keeps the incumbent. The gate computes every number itself, from the artifacts and the actuals.

mod legs;
mod objection;
mod verdict;

use jiff::Timestamp;

use crate::{
    artifact::Bundle,
    evaluation::{Forecasts, LossScales, RowSet, Tail, holdout_origins},
    learning::{StopFlag, Stopped},
    models::WeeklyMean,
    routing::{Route, Task, as_candidate, fall_back, forecast},
    series::{Frame, Series},
    spec::{DatasetSpec, ModelSpec},
};
use legs::{Comparison, LEGS, veto};

pub use objection::{Objection, Side};
pub use verdict::{Evidence, Judgement, Shortage, Verdict};

/// Judges a candidate.
///
/// # Errors
/// [`Stopped`] if the stop flag was set meanwhile.
pub fn judge(contest: &Contest<'_>) -> Result<Judgement, Stopped> {
    let misfits = veto::misfits(contest);
    if !misfits.is_empty() {
        return Ok(Judgement::without_evidence(Verdict::KeepIncumbent(misfits)));
    }
    let Some(last_target) = contest.frame.last_target() else {
        let needed_origins = contest.needed_origins();
        let nothing = Shortage { origins: 0, needed_origins, expected: None };
        return Ok(Judgement::without_evidence(Verdict::NotEnoughEvidence(nothing)));
    };
    let rows = contest.rows(last_target);
    let scales = LossScales::in_sample(contest.frame, contest.earlier_cut_off());
    let candidate = contest.forecast_bundle(&rows, contest.candidate, Side::Candidate)?;
    let opponent = match contest.incumbent {
        Some(incumbent) => contest.forecast_bundle(&rows, incumbent, Side::Incumbent)?,
        None => contest.forecast_fallback(&rows)?,
    };
    Ok(contest.weigh(&rows, &scales, &candidate, &opponent))
}

/// What a judgement is found from.
#[derive(Debug, Clone, Copy)]
pub struct Contest<'a> {
    /// The model that the candidate wants to serve.
    pub model: &'a ModelSpec,
    /// The dataset of the model.
    pub dataset: &'a DatasetSpec,
    /// Who wants to go live.
    pub candidate: &'a Bundle,
    /// What the registry recorded about the candidate's job; a candidate that says otherwise is refused.
    pub job: RecordedJob<'a>,
    /// Who is live; `None`: the first candidate competes with the fallback of the specification.
    pub incumbent: Option<&'a Bundle>,
    /// The history, as of the job.
    pub frame: &'a Frame,
    /// Ends the work early.
    pub stop: &'a StopFlag,
}

/// A train job as it was recorded before its training began.
#[derive(Debug, Clone, Copy)]
pub struct RecordedJob<'a> {
    /// Hash of the model specification to train by.
    pub spec_hash: &'a str,
    /// Training and gate see what was recorded by then.
    pub as_of: Timestamp,
    /// Start of the last step whose value training may see; the holdout begins after it.
    pub cut_off: Timestamp,
}

/// What a side forecast, and how often its fallback spoke for it.
struct SideForecasts {
    forecasts: Forecasts,
    fallback_forecasts: u64,
}

impl Contest<'_> {
    /// No target of the rows was a target of either side's training.
    fn later_cut_off(&self) -> Timestamp {
        self.incumbent.map_or(self.job.cut_off, |incumbent| incumbent.cut_off.max(self.job.cut_off))
    }

    /// Losses are scaled by what both sides had before them. While an incumbent stays in use its cut-off
    /// is the earlier one, so the errors of all candidates that are judged against it have one unit.
    fn earlier_cut_off(&self) -> Timestamp {
        self.incumbent.map_or(self.job.cut_off, |incumbent| incumbent.cut_off.min(self.job.cut_off))
    }

    fn needed_origins(&self) -> u32 {
        self.model.gate.needed_origins(&self.frame.grid, self.model.horizon_steps)
    }

    fn opponent(&self) -> Side {
        if self.incumbent.is_some() { Side::Incumbent } else { Side::Fallback }
    }

    fn rows(&self, last_target: Timestamp) -> RowSet<'_> {
        let (horizon_steps, delay) = (self.model.horizon_steps, self.dataset.availability_delay);
        let cut_off = self.later_cut_off();
        let origins = holdout_origins(&self.frame.grid, cut_off, delay, last_target, horizon_steps);
        RowSet::new(self.frame, origins, horizon_steps, delay)
    }

    /// The candidate must not hide a number that is none behind its fallback; the incumbent is scored as it
    /// serves, or nobody could ever replace one that gives such numbers.
    fn forecast_bundle(
        &self,
        rows: &RowSet<'_>,
        bundle: &Bundle,
        side: Side,
    ) -> Result<SideForecasts, Stopped> {
        let mut fallback_forecasts = 0;
        let forecasts = rows.forecast(|history, origin| {
            self.stop.check()?;
            let served = forecast(bundle, &self.task(history, origin));
            let answer = if side == Side::Candidate { as_candidate(served) } else { served };
            Ok(answer.map(|(values, route)| {
                fallback_forecasts += u64::from(route != Route::Primary);
                values
            }))
        })?;
        Ok(SideForecasts { forecasts, fallback_forecasts })
    }

    fn forecast_fallback(&self, rows: &RowSet<'_>) -> Result<SideForecasts, Stopped> {
        // What serves before the first promotion, whatever the candidate's own fallback is.
        let fallback = WeeklyMean::new(self.model.fallback.weeks, &self.frame.grid);
        let mut fallback_forecasts = 0;
        let forecasts = rows.forecast(|history, origin| {
            self.stop.check()?;
            fallback_forecasts += 1;
            Ok(fall_back(fallback, &self.task(history, origin)))
        })?;
        Ok(SideForecasts { forecasts, fallback_forecasts })
    }

    fn task<'a>(&'a self, history: &'a Series, origin: Timestamp) -> Task<'a> {
        Task {
            dataset: &self.dataset.name,
            history,
            grid: &self.frame.grid,
            origin,
            horizon_steps: self.model.horizon_steps,
        }
    }

    fn weigh(
        &self,
        rows: &RowSet<'_>,
        scales: &LossScales,
        candidate: &SideForecasts,
        opponent: &SideForecasts,
    ) -> Judgement {
        let evidence = gather(rows, scales, candidate, opponent);
        Judgement {
            verdict: self.find(rows, scales, &evidence, [&candidate.forecasts, &opponent.forecasts]),
            candidate: rows.errors(&candidate.forecasts, scales),
            incumbent: rows.errors(&opponent.forecasts, scales),
            evidence,
        }
    }

    fn find(
        &self,
        rows: &RowSet<'_>,
        scales: &LossScales,
        evidence: &Evidence,
        [candidate, opponent]: [&Forecasts; 2],
    ) -> Verdict {
        // A hard fact counts however little else is known.
        let faults = veto::faults([(Side::Candidate, candidate), (self.opponent(), opponent)]);
        if !faults.is_empty() {
            return Verdict::KeepIncumbent(faults);
        }
        let (origins, needed_origins) = (evidence.origins, self.needed_origins());
        if origins < needed_origins {
            return Verdict::NotEnoughEvidence(self.shortage(origins, needed_origins));
        }
        let losses = match rows.pair(candidate, opponent, scales) {
            Ok(losses) => losses,
            Err(unpaired) => return Verdict::KeepIncumbent(vec![veto::not_comparable(&unpaired)]),
        };
        let comparison = Comparison { losses: &losses, opponent: self.opponent() };
        let objections: Vec<Objection> = LEGS.iter().filter_map(|leg| leg(&comparison)).collect();
        if objections.is_empty() { Verdict::Promote } else { Verdict::KeepIncumbent(objections) }
    }

    fn shortage(&self, origins: u32, needed_origins: u32) -> Shortage {
        let grid = &self.frame.grid;
        let missing_steps = u64::from(needed_origins - origins) * grid.steps_per_stride() as u64;
        let missing_steps = i64::try_from(missing_steps).unwrap_or(i64::MAX);
        let expected = self.frame.last_target().map(|last| grid.advance(last, missing_steps));
        Shortage { origins, needed_origins, expected }
    }
}

fn gather(
    rows: &RowSet<'_>,
    scales: &LossScales,
    candidate: &SideForecasts,
    opponent: &SideForecasts,
) -> Evidence {
    let tail = Tail::of(rows.rows().len());
    let count = |series: usize| u32::try_from(series).unwrap_or(u32::MAX);
    Evidence {
        origins: count(rows.telling_origins()),
        rows: rows.rows().len() as u64,
        series: count(rows.scored_series().count()),
        first_origin: rows.scored_origins().first().copied(),
        last_target: rows.rows().iter().map(|row| row.target).max(),
        tail_points: tail.map_or(0, |tail| count(tail.points)),
        tail_share: tail.map_or(0.0, Tail::share),
        pooled_scale_series: count(rows.scored_series().filter(|series| !scales.is_own(series)).count()),
        candidate_fallback_forecasts: candidate.fallback_forecasts,
        incumbent_fallback_forecasts: opponent.fallback_forecasts,
        rows_hash: rows.hash(),
    }
}

#[cfg(test)]
mod tests {
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
        let contest =
            Contest { model: &model, dataset: &dataset, candidate, job, incumbent, frame, stop: &stop };
        judge(&contest).expect("nobody stops it")
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
        let (candidate, incumbent) =
            (judgement.candidate.expect("scored"), judgement.incumbent.expect("scored"));
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
        assert!(
            reasons[1].starts_with("worst-case error (mean of the worst 30 of 2160 points)"),
            "{reasons:?}"
        );
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
                stop: &stop,
            };
            judge(&contest).expect("nobody stops it").verdict.reasons()
        };
        let job = recorded(&candidate);
        let before = version(long_mean(), TRAINED - 1).cut_off;
        assert_eq!(
            reasons(RecordedJob { cut_off: before, ..job }),
            [
                "the candidate's cut_off is 2025-02-04T22:00:00Z, but 2025-02-03T22:00:00Z is recorded for its job"
            ]
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
                stop: &stop,
            };
            judge(&contest).expect("nobody stops it").evidence.origins
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
        assert_eq!(
            judgement.verdict.reasons(),
            ["the candidate is an artifact of model other, not of visitors"]
        );
        let judgement = judge_on(&frame, &sound, Some(&other));
        assert_eq!(
            judgement.verdict.reasons(),
            ["the incumbent is an artifact of model other, not of visitors"]
        );
        let mut other = sound.clone();
        other.dataset = DatasetName::new("other").expect("is a name");
        let judgement = judge_on(&frame, &other, Some(&sound));
        assert_eq!(
            judgement.verdict.reasons(),
            ["the candidate was trained on dataset other, not on footfall"]
        );
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
            stop: &stop,
        };
        stop.stop();
        assert_eq!(judge(&contest), Err(Stopped));
    }
}
