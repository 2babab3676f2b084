//! Errors that are horribly large, now and then.

use crate::random::Random;

/// Of points, or of forecasts, this part goes horribly wrong.
pub(super) const HORRIBLE: f64 = 0.001;

/// Takes one point in 1000 so many scales further off.
pub(super) fn plant_points(errors: &mut [f64], scales: f64, random: &mut Random) {
    for error in errors {
        if random.share() < HORRIBLE {
            take_off(error, scales);
        }
    }
}

/// Takes a point so many scales further off.
pub(super) fn take_off(error: &mut f64, scales: f64) {
    *error += scales.copysign(*error);
}
