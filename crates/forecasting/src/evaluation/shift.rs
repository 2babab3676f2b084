//! What is held out after a declared change of regime.
//!
//! Whoever is held back a usual holdout has seen nothing of the new regime. So the older half of the origins since the
//! shift belongs to the training and the newer half to the judge, until that half is a usual holdout by itself.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::holdout::{FrameCoverage, HoldoutPlan, holdout_origins, last_known_step, size_holdout};
use crate::{
    series::Grid,
    spec::{DatasetSpec, ModelSpec},
};

/// With fewer origins since a shift nothing is held out, and nothing is trained.
const LEAST_ORIGINS: usize = 3;

/// How many of the origins since a shift lie before the cut-off: the older half. `None` while there are too few.
pub(crate) fn older_half(origins: usize) -> Option<usize> {
    (origins >= LEAST_ORIGINS).then_some(origins / 2)
}

/// Why nothing can be held out after a shift.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHoldoutSince {
    /// All of the history is of one regime.
    #[error("the history begins at {first_target}: nothing lies before a shift at {shift}")]
    BeforeHistory {
        /// The shift.
        shift: Timestamp,
        /// Where the history begins.
        first_target: Timestamp,
    },
    /// The shift is so recent that there is nothing to learn it from, or to judge on.
    #[error(
        "{origins} origins since the shift at {shift} have their whole horizon in the history, and {needed} are \
         needed: about on {expected} they are there"
    )]
    TooRecent {
        /// The shift.
        shift: Timestamp,
        /// Origins since then.
        origins: usize,
        /// Origins that are needed.
        needed: usize,
        /// The local day on which the values that they need are known, if data keeps coming.
        expected: Date,
    },
}

/// Checks that a shift lies within the history.
///
/// # Errors
/// [`NoHoldoutSince::BeforeHistory`] if nothing lies before it.
pub fn check_shift(shift: Timestamp, coverage: &FrameCoverage) -> Result<(), NoHoldoutSince> {
    let first_target = coverage.first_target;
    if shift <= first_target { Err(NoHoldoutSince::BeforeHistory { shift, first_target }) } else { Ok(()) }
}

/// The holdout after a shift: the newer half of the origins since then, or the usual holdout
/// ([`size_holdout`]) once it is no larger.
///
/// # Errors
/// [`NoHoldoutSince`] if the history does not begin before the shift, or has too few origins since.
pub fn size_holdout_since(
    shift: Timestamp,
    model: &ModelSpec,
    dataset: &DatasetSpec,
    coverage: &FrameCoverage,
) -> Result<HoldoutPlan, NoHoldoutSince> {
    check_shift(shift, coverage)?;
    let (grid, delay, last_target) = (dataset.grid(), dataset.availability_delay, coverage.last_target);
    let horizon_steps = model.horizon_steps;
    let origins = origins_since(shift, &grid, last_target, horizon_steps);
    let needed = needed(shift, dataset, coverage, horizon_steps);
    let older = older_half(origins.len()).filter(|_| origins.len() >= needed.origins);
    let Some(older) = older else {
        let (origins, needed, expected) = (origins.len(), needed.origins, needed.expected);
        return Err(NoHoldoutSince::TooRecent { shift, origins, needed, expected });
    };
    let usual = size_holdout(model, dataset, coverage).ok();
    if let Some(usual) = usual.filter(|usual| origins.len() - older >= usual.origins as usize) {
        return Ok(usual);
    }
    let cut_off = last_known_step(&grid, delay, last_target, origins[older]);
    let held_out = holdout_origins(&grid, cut_off, delay, last_target, horizon_steps);
    Ok(HoldoutPlan {
        cut_off,
        origins: u32::try_from(held_out.len()).unwrap_or(u32::MAX),
        first_origin: held_out[0],
    })
}

/// The origins at or after a shift whose whole horizon is in the history.
pub(crate) fn origins_since(
    shift: Timestamp,
    grid: &Grid,
    last_target: Timestamp,
    horizon_steps: u32,
) -> Vec<Timestamp> {
    let before = grid.advance(grid.ceil(last_target, shift), -1);
    holdout_origins(grid, before, SignedDuration::ZERO, last_target, horizon_steps)
}

/// How many origins it takes, and when they are there.
struct Needed {
    origins: usize,
    expected: Date,
}

/// So many that training sees a step of the new regime: where values are known late, the first origins since the shift
/// have a cut-off before it, and the older half must be more than these.
fn needed(shift: Timestamp, dataset: &DatasetSpec, coverage: &FrameCoverage, horizon_steps: u32) -> Needed {
    let (grid, delay, last_target) = (dataset.grid(), dataset.availability_delay, coverage.last_target);
    let stride = i64::try_from(grid.steps_per_stride()).expect("a day has at most 1,440 steps");
    let delay_strides = i64::from(dataset.delay_steps()) / stride + 1;
    // Far enough ahead for all that could be needed: twice the delay, and more than what rounding adds.
    let ahead = stride * (2 * delay_strides + 8) + i64::from(horizon_steps);
    let ahead = grid.steps_up_to(last_target, shift).max(0) + ahead;
    let coming = origins_since(shift, &grid, grid.advance(last_target, ahead), horizon_steps);
    let blind = coming.iter().filter(|origin| last_known_step(&grid, delay, last_target, **origin) < shift);
    let origins = (2 * blind.count()).max(LEAST_ORIGINS);
    let end = grid.advance(coming[origins - 1], i64::from(horizon_steps));
    let known = end.checked_add(delay).unwrap_or(Timestamp::MAX);
    Needed { origins, expected: grid.local(known).date() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::holdout::tests::{self as holdout_tests, at, model};

    fn dataset(frequency: &str, delay: &str) -> DatasetSpec {
        holdout_tests::dataset(frequency, "Europe/Berlin", delay)
    }

    /// 200 days of 21 series, which end with the last step before a local midnight in February.
    fn coverage(dataset: &DatasetSpec) -> FrameCoverage {
        let grid = dataset.grid();
        let (first_target, end) = (day(dataset, -200), day(dataset, 0));
        let steps = grid.steps_up_to(first_target, end);
        let last_target = grid.advance(first_target, steps - 1);
        FrameCoverage { rows: 21 * steps.unsigned_abs(), first_target, last_target }
    }

    /// The start of a day, counted from the one after the history.
    fn day(dataset: &DatasetSpec, days: i64) -> Timestamp {
        dataset.grid().start_of_day(at("2025-02-20T12:00:00+01:00"), days)
    }

    #[test]
    fn the_older_half_of_the_days_since_a_shift_teaches_and_the_newer_half_judges() {
        for (frequency, horizon) in [("PT1H", 24), ("P1D", 1)] {
            let (dataset, model) = (dataset(frequency, "PT0S"), model(horizon, ""));
            let coverage = coverage(&dataset);
            for (days, judged) in [(3, 2), (4, 2), (10, 5), (29, 15)] {
                let shift = day(&dataset, -days);
                let plan = size_holdout_since(shift, &model, &dataset, &coverage).expect("are enough");
                assert_eq!(plan.origins, judged, "{frequency}, {days} days");
                assert_eq!(plan.first_origin, day(&dataset, -i64::from(judged)));
                assert_eq!(plan.cut_off, dataset.grid().advance(plan.first_origin, -1));
            }
        }
    }

    #[test]
    fn once_the_newer_half_is_a_usual_holdout_it_is_one() {
        let (dataset, model) = (dataset("PT1H", "PT0S"), model(24, ""));
        let coverage = coverage(&dataset);
        let usual = size_holdout(&model, &dataset, &coverage).expect("is enough");
        assert_eq!(usual.origins, 28);
        let since = |days: i64| size_holdout_since(day(&dataset, -days), &model, &dataset, &coverage);
        assert_eq!(since(54).expect("are enough").origins, 27);
        for days in [55, 56, 120] {
            assert_eq!(since(days).as_ref(), Ok(&usual), "{days}");
        }
    }

    #[test]
    fn a_history_without_a_usual_holdout_may_have_one_since_a_shift() {
        let dataset = dataset("PT1H", "PT0S");
        let demanding = model(24, "holdout_origins = 100");
        let coverage = coverage(&dataset);
        assert!(size_holdout(&demanding, &dataset, &coverage).is_err());
        let plan = size_holdout_since(day(&dataset, -120), &demanding, &dataset, &coverage);
        assert_eq!(plan.map(|plan| plan.origins), Ok(60));
    }

    #[test]
    fn a_shift_that_is_too_recent_says_when_it_is_not() {
        let (dataset, model) = (dataset("PT1H", "PT0S"), model(24, ""));
        let coverage = coverage(&dataset);
        let problem = |days| {
            let since = size_holdout_since(day(&dataset, days), &model, &dataset, &coverage);
            since.expect_err("is too recent").to_string()
        };
        assert_eq!(
            problem(-2),
            "2 origins since the shift at 2025-02-17T23:00:00Z have their whole horizon in the history, and 3 are \
             needed: about on 2025-02-21 they are there"
        );
        let after_the_last_value = problem(1);
        assert!(after_the_last_value.starts_with("0 origins since"), "{after_the_last_value}");
        assert!(
            after_the_last_value.ends_with("about on 2025-02-24 they are there"),
            "{after_the_last_value}"
        );
    }

    #[test]
    fn a_shift_during_a_day_is_followed_from_the_next_day_on() {
        let (dataset, model) = (dataset("PT1H", "PT0S"), model(24, ""));
        let noon = dataset.grid().advance(day(&dataset, -5), 12);
        let plan = size_holdout_since(noon, &model, &dataset, &coverage(&dataset)).expect("are enough");
        assert_eq!((plan.origins, plan.first_origin), (2, day(&dataset, -2)));
    }

    #[test]
    fn training_sees_the_new_regime_where_values_are_known_late() {
        let (dataset, model) = (dataset("PT1H", "PT48H"), model(24, ""));
        let coverage = coverage(&dataset);
        let since = |days: i64| size_holdout_since(day(&dataset, -days), &model, &dataset, &coverage);
        let problem = since(5).expect_err("is too recent").to_string();
        assert!(problem.contains("and 6 are needed"), "{problem}");
        let shift = day(&dataset, -6);
        let plan = since(6).expect("are enough");
        assert_eq!((plan.origins, plan.first_origin), (3, day(&dataset, -3)));
        assert_eq!(plan.cut_off, dataset.grid().advance(day(&dataset, -5), -1));
        assert!(plan.cut_off > shift);
    }

    #[test]
    fn a_shift_before_the_history_is_none() {
        let (dataset, model) = (dataset("P1D", "PT0S"), model(1, ""));
        let coverage = coverage(&dataset);
        let first_target = coverage.first_target;
        for shift in [first_target, at("1999-01-01T00:00:00Z")] {
            let problem = size_holdout_since(shift, &model, &dataset, &coverage);
            assert_eq!(problem, Err(NoHoldoutSince::BeforeHistory { shift, first_target }));
        }
    }
}
