//! What is planted in a candidate that is otherwise as good as the incumbent.

use serde::Serialize;

use super::{
    horror::{HORRIBLE, plant_points, take_off},
    points::Points,
    trial::Trial,
};
use crate::random::Random;

/// A candidate of a known kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) wish: Wish,
    pub(super) effect: Effect,
}

/// What a perfect gate would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// Let it in.
    Promote,
    /// Keep it out.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Effect {
    Nothing,
    /// All errors are larger or smaller by a factor.
    Scaled(f64),
    /// Better in bulk; now and then a point is off by so many scales more.
    HorriblePoints(f64),
    /// Better in bulk; now and then a whole forecast is off by so many scales more.
    HorribleForecasts(f64),
    /// Better in bulk, worse in one series; of a single series, at weekends.
    WorseSlice,
    /// Better in bulk, worse in three months of the year.
    WorseSeason,
    /// The first value of each forecast is repeated.
    Stuck,
    /// Each value of a forecast comes one step late.
    Shifted,
    /// The candidate knows half of what is to come.
    Leak,
    /// One forecast is missing.
    Missing,
    /// The candidate is the incumbent.
    Duplicate,
}

/// The bulk of a horrible candidate is this much better.
const BETTER: f64 = 0.9;
/// Where a candidate is worse in a part, it is this much worse.
const WORSE: f64 = 1.3;

const fn refuse(name: &'static str, what: &'static str, effect: Effect) -> Cell {
    Cell { name, what, wish: Wish::Refuse, effect }
}

const fn promote(name: &'static str, what: &'static str, effect: Effect) -> Cell {
    Cell { name, what, wish: Wish::Promote, effect }
}

/// All cells of the table.
pub(super) const CELLS: [Cell; 16] = [
    refuse("equal", "another fit, as good", Effect::Nothing),
    promote("better-10", "errors × 0.9", Effect::Scaled(0.9)),
    promote("better-5", "errors × 0.95", Effect::Scaled(0.95)),
    refuse("worse-3", "errors × 1.03", Effect::Scaled(1.03)),
    refuse("points-5", "10 % better, 1 point in 1000 off by 5 scales", Effect::HorriblePoints(5.0)),
    refuse("points-10", "10 % better, 1 point in 1000 off by 10 scales", Effect::HorriblePoints(10.0)),
    refuse("points-15", "10 % better, 1 point in 1000 off by 15 scales", Effect::HorriblePoints(15.0)),
    refuse("points-25", "10 % better, 1 point in 1000 off by 25 scales", Effect::HorriblePoints(25.0)),
    refuse("forecasts-10", "10 % better, 1 forecast in 1000 all off by 10", Effect::HorribleForecasts(10.0)),
    refuse("worse-slice", "10 % better, 30 % worse in one slice", Effect::WorseSlice),
    refuse("worse-season", "10 % better, 30 % worse in three months", Effect::WorseSeason),
    refuse("stuck", "the first value of a forecast repeated", Effect::Stuck),
    refuse("shifted", "each forecast one step late", Effect::Shifted),
    refuse("leak", "half of the actual is known in advance", Effect::Leak),
    refuse("missing", "one forecast is missing", Effect::Missing),
    refuse("duplicate", "the incumbent itself", Effect::Duplicate),
];

impl Cell {
    /// Whether it is judged on longer windows too: what is rare, small or nothing at all.
    pub(super) fn needs_time(&self) -> bool {
        matches!(
            self.effect,
            Effect::Nothing | Effect::Scaled(_) | Effect::HorriblePoints(_) | Effect::HorribleForecasts(_)
        )
    }
}

impl Effect {
    /// Changes the candidate's errors.
    pub(super) fn plant(self, trial: &mut Trial<'_>, points: &Points, random: &mut Random) {
        match self {
            Effect::Nothing => {}
            Effect::Scaled(factor) => scale(trial, |_, _| factor),
            Effect::HorriblePoints(size) => {
                scale(trial, |_, _| BETTER);
                plant_points(&mut trial.candidate, size, random);
            }
            Effect::HorribleForecasts(size) => {
                scale(trial, |_, _| BETTER);
                each_forecast(trial, points, |errors, _| {
                    if random.share() < HORRIBLE {
                        for error in errors {
                            take_off(error, size);
                        }
                    }
                });
            }
            Effect::WorseSlice => {
                let worse = worse_slice(trial, points, random);
                scale(trial, |point, _| if worse(point) { WORSE } else { BETTER });
            }
            Effect::WorseSeason => {
                let first = i8::try_from(random.below(12)).expect("is below 12");
                let is_worse = |month: i8| (month - 1 - first).rem_euclid(12) < 3;
                scale(trial, |_, origin| if is_worse(points.month[origin]) { WORSE } else { BETTER });
            }
            Effect::Stuck => each_forecast(trial, points, |errors, actual| {
                let first = errors[0] + actual[0];
                for (error, actual) in errors.iter_mut().zip(actual) {
                    *error = first - actual;
                }
            }),
            Effect::Shifted => each_forecast(trial, points, |errors, actual| {
                for step in (1..errors.len()).rev() {
                    errors[step] = errors[step - 1] + actual[step - 1] - actual[step];
                }
            }),
            Effect::Leak => scale(trial, |_, _| 0.5),
            Effect::Missing => {
                let missing = random.place(trial.candidate.len());
                trial.candidate[missing] = f64::NAN;
            }
            Effect::Duplicate => trial.candidate.clone_from(&trial.incumbent),
        }
    }
}

/// Multiplies each error by what its point and its origin give.
fn scale(trial: &mut Trial<'_>, factor: impl Fn(usize, usize) -> f64) {
    let places = trial.places.iter().zip(&trial.origin_of);
    for (error, (&point, &origin)) in trial.candidate.iter_mut().zip(places) {
        *error *= factor(point, trial.origins[origin as usize]);
    }
}

/// Shows the errors and the actuals of each forecast: of one series from one origin.
fn each_forecast(trial: &mut Trial<'_>, points: &Points, mut change: impl FnMut(&mut [f64], &[f64])) {
    let of = |at: usize| (trial.origin_of[at], points.series[trial.places[at]]);
    let mut start = 0;
    while start < trial.candidate.len() {
        let end =
            (start..trial.candidate.len()).find(|&at| of(at) != of(start)).unwrap_or(trial.candidate.len());
        change(&mut trial.candidate[start..end], &trial.actual[start..end]);
        start = end;
    }
}

/// One of several series, or the weekends of a single one.
fn worse_slice<'p>(
    trial: &Trial<'_>,
    points: &'p Points,
    random: &mut Random,
) -> impl Fn(usize) -> bool + use<'p> {
    let chosen = points.series[trial.places[random.place(trial.places.len())]];
    let is_single = trial.places.iter().all(|&point| points.series[point] == chosen);
    move |point| if is_single { points.clock[point].is_weekend() } else { points.series[point] == chosen }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certification::{trial::tests::points, windows::random_of};

    /// The candidate's errors on 28 days of two series with 24 points a day, all 1 before; actuals are the hour.
    fn planted(effect: Effect, series: u32) -> Vec<f64> {
        let points = points(28, series);
        let origins: Vec<usize> = (0..28).collect();
        let mut trial = Trial::on(&points, &origins);
        trial.candidate = vec![1.0; trial.places.len()];
        trial.incumbent = vec![2.0; trial.places.len()];
        effect.plant(&mut trial, &points, &mut random_of(1, [0, 0]));
        trial.candidate
    }

    fn count(errors: &[f64], is: impl Fn(f64) -> bool) -> usize {
        errors.iter().filter(|&&error| is(error)).count()
    }

    #[test]
    fn plain_effects_change_every_point_or_none() {
        assert!(planted(Effect::Nothing, 2).iter().all(|&error| error == 1.0));
        assert!(planted(Effect::Scaled(0.9), 2).iter().all(|&error| error == 0.9));
        assert!(planted(Effect::Leak, 2).iter().all(|&error| error == 0.5));
        assert!(planted(Effect::Duplicate, 2).iter().all(|&error| error == 2.0));
        assert_eq!(count(&planted(Effect::Missing, 2), f64::is_nan), 1);
    }

    #[test]
    fn horrors_are_rare_and_whole_forecasts_fail_together() {
        let errors = planted(Effect::HorriblePoints(25.0), 40);
        let horrible = count(&errors, |error| error == 25.9);
        assert!((10..50).contains(&horrible), "{horrible} of 26,880");
        assert_eq!(horrible + count(&errors, |error| error == 0.9), errors.len());
        let errors = planted(Effect::HorribleForecasts(10.0), 40);
        assert_eq!(count(&errors, |error| error == 10.9) % 24, 0);
    }

    #[test]
    fn the_worse_part_is_one_of_several_series_or_the_weekends_of_one() {
        let of_several = planted(Effect::WorseSlice, 2);
        assert_eq!(count(&of_several, |error| error == 1.3), 28 * 24);
        let of_one = planted(Effect::WorseSlice, 1);
        assert_eq!(count(&of_one, |error| error == 1.3), 8 * 24);
        let season = planted(Effect::WorseSeason, 1);
        let worse = count(&season, |error| error == 1.3);
        assert!(worse == 0 || worse == season.len(), "28 days of one month");
    }

    #[test]
    fn a_stuck_forecast_repeats_its_first_value_and_a_shifted_one_comes_late() {
        // Forecasts are actual + 1: 1, 2, 3, …
        let stuck = planted(Effect::Stuck, 2);
        assert_eq!(stuck[..4], [1.0, 0.0, -1.0, -2.0]);
        assert_eq!(stuck[24..26], [1.0, 0.0], "the next forecast begins anew");
        let shifted = planted(Effect::Shifted, 2);
        assert_eq!(shifted[..4], [1.0, 0.0, 0.0, 0.0]);
    }
}
