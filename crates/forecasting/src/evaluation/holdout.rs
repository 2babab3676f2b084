//! Which origins are held out, unseen by training, to judge what was trained.

use jiff::{SignedDuration, Timestamp};

use super::Tail;
use crate::{
    series::{Frame, Frequency, Grid},
    spec::{DatasetSpec, ModelSpec},
};

/// The origins whose whole horizons lie after both cut-offs and within the data, in ascending order.
///
/// - `cut_off`: the later of the last targets that either side's training may have seen.
/// - `delay`: how long after the end of a step its value is known. The first origin is at the earliest
///   when the value at the cut-off is known, so that what a side forecasts from is all from before it.
/// - `last_target`: the last step with an actual; the origins lie on the grid through it.
///
/// Sub-daily origins are the first steps of local days, so every hour of the day counts the same, in the
/// weeks when clocks change too. Otherwise every step is an origin.
pub fn holdout_origins(
    grid: &Grid,
    cut_off: Timestamp,
    delay: SignedDuration,
    last_target: Timestamp,
    horizon_steps: u32,
) -> Vec<Timestamp> {
    let after_cut_off = grid.advance(grid.floor(last_target, cut_off), 1);
    let earliest = after_cut_off.checked_add(delay).unwrap_or(Timestamp::MAX);
    let latest = grid.advance(last_target, 1 - i64::from(horizon_steps));
    let mut origins = Vec::new();
    let mut origin = first_origin(grid, last_target, earliest);
    while origin <= latest {
        origins.push(origin);
        origin = next_origin(grid, last_target, origin);
    }
    origins
}

fn first_origin(grid: &Grid, through: Timestamp, earliest: Timestamp) -> Timestamp {
    match grid.frequency() {
        Frequency::Days(_) => grid.ceil(through, earliest),
        Frequency::Minutes(_) => {
            let of_this_day = grid.ceil(through, grid.start_of_day(earliest, 0));
            if of_this_day >= earliest { of_this_day } else { next_origin(grid, through, of_this_day) }
        }
    }
}

fn next_origin(grid: &Grid, through: Timestamp, origin: Timestamp) -> Timestamp {
    match grid.frequency() {
        Frequency::Days(_) => grid.advance(origin, 1),
        Frequency::Minutes(_) => grid.ceil(through, grid.start_of_day(origin, 1)),
    }
}

/// What of a dataset is there, as far as the size of a holdout depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameCoverage {
    /// Values of all series together.
    pub rows: u64,
    /// The first step at which any series has a value.
    pub first_target: Timestamp,
    /// The last step at which any series has a value.
    pub last_target: Timestamp,
}

impl FrameCoverage {
    /// What a frame covers; `None` if it has no value.
    pub fn of(frame: &Frame) -> Option<Self> {
        let known = frame.series.iter().flat_map(|series| &series.values).filter(|value| !value.is_nan());
        Some(Self {
            rows: known.count() as u64,
            first_target: frame.first_target()?,
            last_target: frame.last_target()?,
        })
    }
}

/// A holdout, and what it leaves to training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldoutPlan {
    /// The last target that training may see.
    pub cut_off: Timestamp,
    /// How many origins follow.
    pub origins: u32,
    /// The first of them.
    pub first_origin: Timestamp,
}

/// The history is too short to train on one part of it and to judge on another.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the holdout needs {needed_origins} origins, but {:.0} % of the history from {first_target} to \
     {last_target} has {possible_origins}",
    max_share * 100.0
)]
pub struct TooLittleHistory {
    /// Origins that are needed at least.
    pub needed_origins: u32,
    /// Origins that the largest allowed holdout has.
    pub possible_origins: u32,
    /// The largest part of the history that the holdout may take.
    pub max_share: f64,
    /// Where the history begins.
    pub first_target: Timestamp,
    /// Where it ends.
    pub last_target: Timestamp,
}

/// Sizes the holdout at the end of the history: the fewest whole seasons whose origins are enough for the
/// gate and whose worst hundredth is at least [`Tail::LEAST_POINTS`] points, or, if that is more than the
/// policy allows, the most whole seasons that it does allow.
///
/// [`GatePolicy::holdout_origins`](crate::spec::GatePolicy::holdout_origins) replaces the counting.
///
/// # Errors
/// [`TooLittleHistory`] if the policy does not allow enough origins for the gate.
pub fn size_holdout(
    model: &ModelSpec,
    dataset: &DatasetSpec,
    coverage: &FrameCoverage,
) -> Result<HoldoutPlan, TooLittleHistory> {
    let grid = dataset.grid();
    let delay = dataset.availability_delay;
    let max_share = model.gate.max_holdout_share;
    let longest_training = training_steps(&grid, coverage, max_share);
    let earliest_cut_off = grid.advance(coverage.first_target, longest_training - 1);
    let allowed = holdout_origins(&grid, earliest_cut_off, delay, coverage.last_target, model.horizon_steps);
    let possible = u32::try_from(allowed.len()).unwrap_or(u32::MAX);
    let needed = model.gate.needed_origins(&grid, model.horizon_steps);
    let wanted = match model.gate.holdout_origins {
        Some(origins) => origins.max(needed),
        None => count_origins(&grid, model.horizon_steps, coverage, needed, possible),
    };
    if wanted > possible {
        let (first_target, last_target) = (coverage.first_target, coverage.last_target);
        let (needed_origins, possible_origins) = (wanted, possible);
        return Err(TooLittleHistory {
            needed_origins,
            possible_origins,
            max_share,
            first_target,
            last_target,
        });
    }
    let first_wanted = allowed[allowed.len() - wanted as usize];
    let cut_off = last_known_step(&grid, delay, coverage.last_target, first_wanted);
    // In the week when clocks go forward, the day before may have the same cut-off: then it is an origin too.
    let origins = holdout_origins(&grid, cut_off, delay, coverage.last_target, model.horizon_steps);
    Ok(HoldoutPlan {
        cut_off,
        origins: u32::try_from(origins.len()).unwrap_or(u32::MAX),
        first_origin: origins[0],
    })
}

/// How many steps at the beginning of the history no holdout may touch: at least one.
#[expect(clippy::cast_possible_truncation, reason = "a part of a number of steps")]
fn training_steps(grid: &Grid, coverage: &FrameCoverage, max_share: f64) -> i64 {
    let steps = grid.steps_up_to(coverage.first_target, coverage.last_target) + 1;
    // A third of 60 steps is 20 of them, though the nearest number to a third is a little less.
    let most_held_out = (steps as f64 * max_share + 1e-9).floor() as i64;
    (steps - most_held_out).max(1)
}

/// Origins for the gate and for its tail, in whole seasons as far as `possible` allows them.
fn count_origins(
    grid: &Grid,
    horizon_steps: u32,
    coverage: &FrameCoverage,
    needed: u32,
    possible: u32,
) -> u32 {
    let season = u32::try_from(grid.steps_per_season() / grid.steps_per_stride()).expect("is 1 or 7");
    let steps = grid.steps_up_to(coverage.first_target, coverage.last_target) + 1;
    // Series come and go and have gaps: the mean number of values per step says what an origin yields.
    let points_per_origin = f64::from(horizon_steps) * coverage.rows as f64 / steps as f64;
    let for_tail = (100.0 * Tail::LEAST_POINTS as f64 / points_per_origin).ceil();
    let for_tail = if for_tail < f64::from(possible) { whole_number(for_tail) } else { possible };
    let for_gate = needed.next_multiple_of(season);
    let whole_seasons = for_tail.next_multiple_of(season).min(possible - possible % season);
    // A history that allows the needed origins and not the whole season around them is still enough.
    if for_gate > possible { needed } else { whole_seasons.max(for_gate) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against a u32 before")]
fn whole_number(number: f64) -> u32 {
    number as u32
}

/// The last step of the grid through `through` whose value is known at `origin`.
pub(super) fn last_known_step(
    grid: &Grid,
    delay: SignedDuration,
    through: Timestamp,
    origin: Timestamp,
) -> Timestamp {
    let recorded = origin.checked_sub(delay).unwrap_or(Timestamp::MIN);
    grid.advance(grid.floor(through, recorded), -1)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::evaluation) fn at(text: &str) -> Timestamp {
        text.parse().expect("tests write time stamps")
    }

    pub(in crate::evaluation) fn dataset(frequency: &str, zone: &str, delay: &str) -> DatasetSpec {
        let toml = format!(
            "name = 'd'\nfrequency = '{frequency}'\ntime_zone = '{zone}'\navailability_delay = '{delay}'"
        );
        toml::from_str(&toml).expect("is a dataset")
    }

    pub(in crate::evaluation) fn model(horizon: u32, gate: &str) -> ModelSpec {
        let toml = format!(
            "name = 'm'\ndataset = 'd'\nhorizon = {horizon}\nlearners = [{{ learner = 'weekly-mean' }}]\n[gate]\n{gate}"
        );
        toml::from_str(&toml).expect("is a model")
    }

    fn coverage(dataset: &DatasetSpec, steps: i64, series: i64) -> FrameCoverage {
        let grid = dataset.grid();
        let first_target = grid.start_of_day(at("2023-01-10T12:00:00Z"), 0);
        let rows = u64::try_from(steps * series).expect("is positive");
        FrameCoverage { rows, first_target, last_target: grid.advance(first_target, steps - 1) }
    }

    #[test]
    fn sub_daily_origins_are_local_midnights_in_weeks_of_23_and_25_hours_too() {
        let berlin = dataset("PT1H", "Europe/Berlin", "PT0S").grid();
        let (cut_off, last) = (at("2025-03-28T23:00:00+01:00"), at("2025-04-01T14:00:00+02:00"));
        let origins = holdout_origins(&berlin, cut_off, SignedDuration::ZERO, last, 24);
        let midnights =
            ["2025-03-29T00:00:00+01:00", "2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00"];
        assert_eq!(origins, midnights.map(at));
    }

    #[test]
    fn the_last_horizon_ends_within_the_data() {
        let utc = dataset("PT1H", "UTC", "PT0S").grid();
        let count = |last| {
            holdout_origins(&utc, at("2025-01-01T23:00:00Z"), SignedDuration::ZERO, at(last), 24).len()
        };
        assert_eq!(count("2025-01-02T22:00:00Z"), 0);
        assert_eq!(count("2025-01-02T23:00:00Z"), 1);
        assert_eq!(count("2025-01-03T22:00:00Z"), 1);
        assert_eq!(count("2020-01-01T00:00:00Z"), 0, "data that ends before the cut-off has no origins");
    }

    #[test]
    fn the_first_origin_waits_until_the_cut_off_is_known() {
        let utc = dataset("PT1H", "UTC", "PT0S").grid();
        let first = |delay_minutes| {
            let delay = SignedDuration::from_mins(delay_minutes);
            let (cut_off, last) = (at("2025-01-01T22:00:00Z"), at("2025-02-01T00:00:00Z"));
            holdout_origins(&utc, cut_off, delay, last, 24)[0]
        };
        assert_eq!(first(0), at("2025-01-02T00:00:00Z"));
        assert_eq!(first(60), at("2025-01-02T00:00:00Z"));
        assert_eq!(first(61), at("2025-01-03T00:00:00Z"));
    }

    #[test]
    fn every_step_of_daily_data_is_an_origin() {
        let daily = dataset("P1D", "Pacific/Auckland", "PT0S").grid();
        let (cut_off, last) = (at("2025-09-25T00:00:00+12:00"), at("2025-09-30T00:00:00+13:00"));
        let origins = holdout_origins(&daily, cut_off, SignedDuration::ZERO, last, 3);
        let starts = ["2025-09-26T00:00:00+12:00", "2025-09-27T00:00:00+12:00", "2025-09-28T00:00:00+12:00"];
        assert_eq!(origins, starts.map(at));
    }

    #[test]
    fn the_holdout_is_as_short_as_the_gate_and_its_tail_allow() {
        let year = 365;
        let cases = [
            ("PT1H", 24, 2 * year * 24, 21, 28),  // 14,112 points
            ("PT1H", 24, 2 * year * 24, 1, 126),  // 125 origins have the 3,000 points of a tail
            ("PT1H", 168, 2 * year * 24, 21, 28), // overlapping: 4 x 7
            ("P1D", 1, 2 * year, 20, 154),        // 150 origins, in whole weeks
            ("P1D", 28, 2 * year, 20, 112),       // overlapping: 4 x 28
            ("P1D", 1, 300, 20, 98),              // a third of the history, in whole weeks
            ("P7D", 4, 520, 10, 75),              // a step is a season
        ];
        for (frequency, horizon, steps, series, origins) in cases {
            let dataset = dataset(frequency, "Pacific/Auckland", "PT0S");
            let plan = size_holdout(&model(horizon, ""), &dataset, &coverage(&dataset, steps, series));
            assert_eq!(plan.expect("is enough").origins, origins, "{frequency} {horizon} {steps} {series}");
        }
    }

    #[test]
    fn a_policy_may_say_how_many_origins() {
        let dataset = dataset("PT1H", "UTC", "PT0S");
        let coverage = coverage(&dataset, 365 * 24, 21);
        let plan = size_holdout(&model(24, "holdout_origins = 57"), &dataset, &coverage).expect("is enough");
        assert_eq!(plan.origins, 57);
        let plan = size_holdout(&model(24, "min_origins = 40"), &dataset, &coverage).expect("is enough");
        assert_eq!(plan.origins, 42, "in whole weeks");
    }

    #[test]
    fn too_little_history_says_how_little() {
        let dataset = dataset("P1D", "UTC", "PT0S");
        let problem =
            size_holdout(&model(1, ""), &dataset, &coverage(&dataset, 60, 3)).expect_err("is short");
        let text = "the holdout needs 28 origins, but 33 % of the history from 2023-01-10T00:00:00Z to \
                    2023-03-10T00:00:00Z has 20";
        assert_eq!(problem.to_string(), text);
        let single = coverage(&dataset, 1, 1);
        assert_eq!(size_holdout(&model(1, ""), &dataset, &single).expect_err("is short").possible_origins, 0);
    }

    #[test]
    fn two_origins_may_share_a_cut_off_when_clocks_go_forward() {
        let dataset = dataset("P1D", "America/New_York", "PT48H");
        let coverage = coverage(&dataset, 643, 1);
        let plan =
            size_holdout(&model(43, "max_holdout_share = 0.428_579_064_929_605_1"), &dataset, &coverage)
                .expect("is enough");
        let delay = dataset.availability_delay;
        let origins = holdout_origins(&dataset.grid(), plan.cut_off, delay, coverage.last_target, 43);
        assert_eq!((origins.len(), origins[0]), (plan.origins as usize, plan.first_origin));
    }

    proptest! {
        #[test]
        fn a_plan_yields_the_origins_that_it_promises(
            frequency in prop::sample::select(vec!["PT30M", "PT1H", "PT12H", "P1D", "P7D"]),
            delay in prop::sample::select(vec!["PT0S", "PT1H30M", "PT48H"]),
            days in 30_i64..900, horizon in 1_u32..60, series in 1_i64..30, share in 0.05_f64..0.5
        ) {
            let dataset = dataset(frequency, "America/New_York", delay);
            let grid = dataset.grid();
            let steps = days * i64::try_from(grid.steps_per_stride()).expect("is small");
            let coverage = coverage(&dataset, steps, series);
            let model = model(horizon, &format!("max_holdout_share = {share}"));
            if let Ok(plan) = size_holdout(&model, &dataset, &coverage) {
                let delay = dataset.availability_delay;
                let origins = holdout_origins(&grid, plan.cut_off, delay, coverage.last_target, horizon);
                prop_assert_eq!(origins.len(), plan.origins as usize);
                prop_assert_eq!(origins[0], plan.first_origin);
                prop_assert!(plan.origins >= model.gate.needed_origins(&grid, horizon));
                let training = grid.steps_between(coverage.first_target, plan.cut_off).expect("on the grid") + 1;
                prop_assert!(training as f64 >= steps as f64 * (1.0 - share) - 1e-6);
            }
        }
    }
}
