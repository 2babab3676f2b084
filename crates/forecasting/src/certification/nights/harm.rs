//! Candidates that must not go live.

use super::super::{horror::plant_points, points::Points, windows::random_of};

/// What is wrong with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Harm {
    /// It was trained on a week (of origins; what they look back at is there).
    LastWeek,
    /// Its forecasts are still divided by the scale of the series.
    Unscaled,
    /// One of its points in 1000 is off by 25 scales.
    Horrible,
}

const OFF_BY: f64 = 25.0;

impl Harm {
    /// Which one is planted in the candidate of a night, counted from 0.
    pub(super) fn of_night(night: usize, every: usize) -> Option<Self> {
        let count = (night + 1).checked_rem(every).filter(|rest| *rest == 0).map(|_| (night + 1) / every)?;
        Some([Harm::LastWeek, Harm::Unscaled, Harm::Horrible][(count - 1) % 3])
    }

    /// Changes the errors of the points of one origin.
    pub(super) fn apply(self, errors: &mut [f64], origin: usize, points: &Points, seed: u64) {
        let of_origin = points.of_origin[origin].clone();
        match self {
            Harm::LastWeek => {}
            Harm::Unscaled => {
                for (error, point) in errors.iter_mut().zip(of_origin) {
                    let (actual, scale) = (points.actual[point], points.scale[point]);
                    *error = (*error + actual) / scale - actual;
                }
            }
            Harm::Horrible => plant_points(errors, OFF_BY, &mut random_of(seed, [origin, 0])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_so_many_nights_another_harm_is_planted() {
        let planted: Vec<_> = (0..9).map(|night| Harm::of_night(night, 2)).collect();
        let expected = [Harm::LastWeek, Harm::Unscaled, Harm::Horrible, Harm::LastWeek].map(Some);
        assert_eq!([planted[1], planted[3], planted[5], planted[7]], expected);
        assert_eq!([planted[0], planted[2], planted[8]], [None; 3]);
        assert_eq!(Harm::of_night(3, 0), None);
    }
}
