//! How a forecast moves while one of its inputs rises.

use crate::{learning::Stopped, models::PredictError, spec::Direction};

/// How many values of an input are tried at most.
const MOST_VALUES: usize = 9;

/// At most nine of these values, evenly by rank, from the lowest to the highest; each once.
pub(super) fn tried<T: Copy + PartialEq>(ascending: &[T]) -> Vec<T> {
    let last = ascending.len().saturating_sub(1);
    let places = (0..MOST_VALUES).map(|part| part * last / (MOST_VALUES - 1));
    let mut values: Vec<T> = places.filter_map(|place| ascending.get(place).copied()).collect();
    values.dedup();
    values
}

/// The forecasts of one horizon under rising values of an input.
#[derive(Debug)]
pub(super) struct Curve<T> {
    points: Vec<Point<T>>,
}

#[derive(Debug)]
struct Point<T> {
    input: T,
    /// Mean of the forecast: single steps of trees may go up and down a little.
    mean: f64,
    /// Mean of its sizes.
    size: f64,
}

/// The largest move of a forecast the wrong way.
#[derive(Debug, PartialEq)]
pub(super) struct Move<T> {
    /// The input where it begins,
    pub(super) from: T,
    /// and where it ends.
    pub(super) to: T,
    /// By which part of the size that the forecast has on average.
    pub(super) part: f64,
}

impl<T: Copy> Curve<T> {
    /// Asks for a forecast under each value, at least one, in ascending order. Those that cannot be had are an error.
    pub(super) fn along(
        values: &[T],
        mut forecast: impl FnMut(T) -> Result<Result<Vec<f64>, PredictError>, Stopped>,
    ) -> Result<Result<Self, PredictError>, Stopped> {
        let mut points = Vec::with_capacity(values.len());
        for &input in values {
            match forecast(input)? {
                Ok(values) => points.push(Point::of(input, &values)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(Self { points }))
    }

    /// The largest move against a direction, over however many values; of 0 if there is none.
    pub(super) fn against(&self, direction: Direction) -> Move<T> {
        let height = |point: &Point<T>| match direction {
            Direction::Increasing => -point.mean,
            Direction::Decreasing => point.mean,
        };
        let mut lowest = self.points.first().expect("at least one value was tried");
        let (mut from, mut to, mut highest_rise) = (lowest.input, lowest.input, 0.0);
        for point in &self.points {
            let rise = height(point) - height(lowest);
            if rise > highest_rise {
                (from, to, highest_rise) = (lowest.input, point.input, rise);
            }
            if rise < 0.0 {
                lowest = point;
            }
        }
        let size = self.points.iter().map(|point| point.size / self.points.len() as f64).sum();
        Move { from, to, part: part(highest_rise, size) }
    }
}

impl<T> Point<T> {
    fn of(input: T, forecast: &[f64]) -> Self {
        let steps = forecast.len() as f64;
        // Divided first: the sum of enormous values would be no number.
        let mean = forecast.iter().map(|value| value / steps).sum();
        let size = forecast.iter().map(|value| value.abs() / steps).sum();
        Self { input, mean, size }
    }
}

/// Which part of a size an amount is, as far as that can be stored.
pub(super) fn part(amount: f64, size: f64) -> f64 {
    const MOST: f64 = 1e6;
    let part = amount / size;
    if amount == 0.0 {
        0.0
    } else if part.is_nan() {
        MOST
    } else {
        part.min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forecasts of a step each.
    fn curve(forecasts: &[f64]) -> Curve<usize> {
        let inputs: Vec<usize> = (0..forecasts.len()).collect();
        let curve = Curve::along(&inputs, |input| Ok(Ok(vec![forecasts[input]])));
        curve.expect("nobody stops it").expect("are forecasts")
    }

    #[track_caller]
    fn check(forecasts: &[f64], direction: Direction, from: usize, to: usize, part: f64) {
        let found = curve(forecasts).against(direction);
        assert_eq!((found.from, found.to), (from, to), "{forecasts:?}");
        assert!((found.part - part).abs() < 1e-12, "{forecasts:?}: {}", found.part);
    }

    #[test]
    fn the_largest_move_the_wrong_way_is_found_over_several_values() {
        let (increasing, decreasing) = (Direction::Increasing, Direction::Decreasing);
        check(&[1.0, 2.0, 3.0], increasing, 0, 0, 0.0);
        check(&[1.0, 2.0, 3.0], decreasing, 0, 2, 1.0);
        check(&[3.0, 3.0, 3.0], decreasing, 0, 0, 0.0);
        // Down, up by 2 in two moves, down.
        check(&[5.0, 3.0, 4.0, 5.0, 3.0], decreasing, 1, 3, 0.5);
        check(&[5.0, 3.0, 4.0, 5.0, 3.0], increasing, 0, 1, 0.5);
        check(&[4.0], increasing, 0, 0, 0.0);
    }

    #[test]
    fn a_horizon_moves_by_its_mean() {
        let forecasts = [vec![1.0, 5.0], vec![4.0, 2.0], vec![-6.0, 6.0]];
        let curve = Curve::along(&[0, 1, 2], |input: usize| Ok(Ok(forecasts[input].clone())));
        let found = curve.expect("nobody stops it").expect("are forecasts").against(Direction::Increasing);
        assert_eq!(found, Move { from: 0, to: 2, part: 0.75 });
    }

    #[test]
    fn every_part_can_be_stored() {
        assert_eq!([part(0.0, 0.0), part(1.0, 0.0), part(1e308, 1e-300)], [0.0, 1e6, 1e6]);
        assert_eq!(part(f64::INFINITY, f64::INFINITY), 1e6);
        check(&[0.0, 0.0], Direction::Decreasing, 0, 0, 0.0);
        check(&[-f64::MAX, f64::MAX], Direction::Decreasing, 0, 1, 1e6);
    }

    #[test]
    fn a_forecast_that_cannot_be_had_has_no_curve() {
        let curve = Curve::along(&[0, 1], |_| Ok(Err(PredictError::NothingKnown)));
        assert_eq!(curve.expect("nobody stops it").err(), Some(PredictError::NothingKnown));
        assert_eq!(Curve::along(&[0, 1], |_| Err(Stopped)).err(), Some(Stopped));
    }

    #[test]
    fn nine_values_are_tried_from_the_lowest_to_the_highest() {
        assert_eq!(tried(&[] as &[u8]), [0; 0]);
        assert_eq!(tried(&[3]), [3]);
        assert_eq!(tried(&[0, 0, 0, 1]), [0, 1]);
        let hundred: Vec<u32> = (0..=96).collect();
        assert_eq!(tried(&hundred), [0, 12, 24, 36, 48, 60, 72, 84, 96]);
    }
}
