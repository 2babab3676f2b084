//! Past failures, replayed: whatever else a candidate is better at, it must not repeat one.

use super::Objection;
use crate::{
    evaluation::Fault,
    gate::{Contest, EdgeCase, EdgeCaseTest, EdgeReplay, Judgement, Miss, Replayed},
    learning::Stopped,
};

/// What the edge cases of a contest say about its candidate.
pub(in crate::gate) struct Replays {
    tests: Vec<EdgeCaseTest>,
    objections: Vec<Objection>,
}

/// Lets the candidate forecast every edge case.
pub(in crate::gate) fn replay(contest: &Contest<'_>) -> Result<Replays, Stopped> {
    let &Contest { model, dataset, frame, covariates, stop, candidate, .. } = contest;
    let replay = EdgeReplay { model, dataset, frame, covariates, stop };
    let mut replays = Replays { tests: Vec::new(), objections: Vec::new() };
    for case in &contest.given.edge_cases {
        let seen_in_training = case.bound.from <= candidate.cut_off;
        replays.add(case, replay.candidate(candidate, &case.bound)?, seen_in_training);
    }
    Ok(replays)
}

impl Replays {
    fn add(&mut self, case: &EdgeCase, replayed: Replayed, seen_in_training: bool) {
        self.tests.push(EdgeCaseTest {
            case: case.clone(),
            points: replayed.points,
            error: replayed.worst.as_ref().map(|worst| worst.error),
            seen_in_training,
            passed: replayed.keeps_bound(),
        });
        let (number, limit) = (case.number, case.bound.limit);
        if let Some(others) = replayed.beyond_limit.checked_sub(1)
            && let Some(Miss { series, origin, target, error }) = replayed.worst
        {
            self.objections.push(Objection::EdgeCaseFailed {
                case: number,
                series,
                origin,
                target,
                error,
                limit,
                others,
                seen_in_training,
            });
        }
        if let Some(Fault { series, origin, problem }) = replayed.unanswered {
            let problem = problem.to_string();
            self.objections.push(Objection::EdgeCaseUnanswered { case: number, series, origin, problem });
        }
        if let Some(series) = replayed.without_points {
            self.objections.push(Objection::EdgeCaseWithoutData { case: number, series });
        }
    }

    /// A failed case is a hard fact.
    pub(in crate::gate) fn add_to(self, judgement: &mut Judgement) {
        judgement.statistics.edge_cases = self.tests;
        judgement.verdict.hold_against(self.objections);
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use crate::{
        artifact::Bundle,
        examples::{
            contest, history, id, judgement_of, level_times, long_mean, seasonal_naive, start, version,
        },
        gate::{Contest, EdgeCase, ErrorBound, Given, Judgement, Verdict},
        series::Frame,
    };

    /// The history has 60 days, training 30 of them.
    const DAYS: i64 = 60;
    const TRAINED: i64 = 30;

    fn day(days: i64) -> Timestamp {
        start() + SignedDuration::from_hours(24 * days)
    }

    /// One day of two series. What is forecast is off by noise: by a few, and by 16 at most.
    fn case(number: u32, of_day: i64, limit: f64) -> EdgeCase {
        let bound = ErrorBound {
            series: vec![id("arcade"), id("court")],
            from: day(of_day),
            to: day(of_day + 1),
            limit,
        };
        EdgeCase { number, bound }
    }

    fn judge_with(edge_cases: &[EdgeCase], frame: &Frame, candidate: &Bundle) -> Judgement {
        let incumbent = version(seasonal_naive(), TRAINED);
        let given = &Given { edge_cases: edge_cases.to_vec(), ..Given::default() };
        judgement_of(&Contest { given, ..contest(candidate, Some(&incumbent), frame) })
    }

    fn better() -> Bundle {
        version(long_mean(), TRAINED)
    }

    #[test]
    fn a_candidate_that_repeats_a_failure_is_refused_though_it_is_better_in_all_else() {
        let frame = history(DAYS);
        assert_eq!(judge_with(&[], &frame, &better()).verdict, Verdict::Promote);
        let judgement = judge_with(&[case(4, 40, 0.01)], &frame, &better());
        let reasons = judgement.verdict.reasons();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].starts_with("edge case 4: the candidate's forecast of series "), "{reasons:?}");
        assert!(reasons[0].contains(", and only 0.01 is allowed; so it is at "), "{reasons:?}");
        let (candidate, incumbent) =
            (judgement.candidate.expect("scored"), judgement.incumbent.expect("scored"));
        assert!(candidate.average < incumbent.average && candidate.worst_case < incumbent.worst_case);
    }

    #[test]
    fn a_candidate_that_keeps_to_every_limit_is_promoted_and_says_which_cases_it_had_seen() {
        let cases = [case(1, 10, 20.0), case(3, 40, 20.0)];
        let judgement = judge_with(&cases, &history(DAYS), &better());
        assert_eq!(judgement.verdict, Verdict::Promote);
        let tests = &judgement.statistics.edge_cases;
        let found: Vec<_> =
            tests.iter().map(|test| (&test.case, test.seen_in_training, test.points)).collect();
        assert_eq!(found, [(&cases[0], true, 48), (&cases[1], false, 48)]);
        assert!(tests.iter().all(|test| test.passed && test.error.is_some_and(|error| error < 20.0)));
        let reasons = judgement.reasons();
        let says = "all 2 edge cases are passed; its training has seen 1 of them, which tests for a relapse and is no \
                    evidence";
        assert!(reasons.iter().any(|reason| reason == says), "{reasons:?}");
        let json = serde_json::to_string(&judgement).expect("is JSON");
        assert_eq!(serde_json::from_str::<Judgement>(&json).expect("was just written"), judgement);
    }

    #[test]
    fn a_relapse_into_what_training_has_seen_is_told_as_such() {
        let reasons = judge_with(&[case(2, 10, 0.01)], &history(DAYS), &better()).verdict.reasons();
        let start = "edge case 2, which its training has seen: the candidate's forecast of series ";
        assert!(reasons.len() == 1 && reasons[0].starts_with(start), "{reasons:?}");
    }

    #[test]
    fn an_edge_case_counts_however_few_origins_there_are() {
        let few = history(TRAINED + 5);
        assert_eq!(judge_with(&[case(1, 10, 20.0)], &few, &better()).verdict.name(), "not-enough-evidence");
        let failed = judge_with(&[case(1, 10, 0.01)], &few, &better());
        assert_eq!(failed.verdict.name(), "keep-incumbent");
        assert!(!failed.statistics.edge_cases[0].passed);
    }

    #[test]
    fn a_failure_stands_beside_whatever_else_there_is_to_object() {
        let tie = version(seasonal_naive(), TRAINED);
        let reasons = judge_with(&[case(1, 40, 0.01)], &history(DAYS), &tie).verdict.reasons();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(reasons[2].starts_with("edge case 1: "), "{reasons:?}");
    }

    #[test]
    fn a_case_whose_values_are_gone_does_not_pass_in_silence() {
        let mut frame = history(DAYS);
        let gone = 24 * 40..24 * 41;
        frame.series[2].values[gone].fill(f64::NAN);
        let judgement = judge_with(&[case(7, 40, 20.0)], &frame, &better());
        assert_eq!(
            judgement.verdict.reasons(),
            [
                "edge case 7: series court has nothing to compare with any more; bring its values back, or retire \
              the case"
            ]
        );
        let test = &judgement.statistics.edge_cases[0];
        assert_eq!((test.points, test.passed), (24, false));
        frame.series.remove(2);
        assert_eq!(judge_with(&[case(7, 40, 20.0)], &frame, &better()).verdict, judgement.verdict);
    }

    #[test]
    fn a_candidate_without_a_forecast_of_a_case_fails_it() {
        let broken = version(level_times(f64::MAX), TRAINED);
        let judgement = judge_with(&[case(5, 40, 20.0)], &history(DAYS), &broken);
        let reasons = judgement.verdict.reasons();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        let start =
            "edge case 5: the candidate's forecast of series arcade from 2025-02-14T23:00:00Z is missing: ";
        assert!(reasons[1].starts_with(start), "{reasons:?}");
        let test = &judgement.statistics.edge_cases[0];
        assert_eq!((test.points, test.error, test.passed), (48, None, false));
    }
}
