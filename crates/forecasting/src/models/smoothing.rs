//! Methods that smooth what the newest steps of one series brought: they learn nothing across series, and
//! start anew at every origin.

use jiff::Timestamp;

use super::{PredictError, Requirement, finite, past::Past};
use crate::series::{Grid, Series};

/// How far back such a method looks. The weight of older steps is nothing, and a forecaster keeps that many
/// in memory.
const MEMORY_STEPS: usize = 2_000;

/// What a method for intermittent demand needs: `season` steps, so that demand of every time was possible.
pub(crate) fn intermittent_requirement(season_steps: u32) -> Requirement {
    Requirement { required_steps: season_steps as usize, liked_steps: MEMORY_STEPS }
}

/// The same value for every step of the horizon: the mean demand per step that `rate` makes of the known
/// values up to the origin, oldest first, at least one.
pub(crate) fn flat(
    requirement: Requirement,
    history: &Series,
    grid: &Grid,
    (origin, horizon_steps): (Timestamp, usize),
    rate: impl FnOnce(&[f64]) -> f64,
) -> Result<Vec<f64>, PredictError> {
    let Requirement { required_steps, liked_steps } = requirement;
    let past = Past::before(history, grid, origin, liked_steps)?;
    if past.known_steps < required_steps {
        let (needed_steps, has_steps) = (required_steps, past.known_steps);
        return Err(PredictError::HistoryTooShort { needed_steps, has_steps });
    }
    // A step without a value says nothing about demand, not that there was none.
    let known: Vec<f64> = past.values.iter().copied().filter(|value| !value.is_nan()).collect();
    if known.is_empty() {
        let value = past.anything()?;
        return finite(vec![value; horizon_steps]);
    }
    finite(vec![rate(&known); horizon_steps])
}
