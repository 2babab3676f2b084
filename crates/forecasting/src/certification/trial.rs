//! A window with a candidate and an incumbent, for a rule to decide on.

use super::points::Points;
use crate::{
    evaluation::{PairedLosses, average},
    gate::{GateTerms, Side, compare},
};

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The candidate goes live.
    Promote,
    /// It does not.
    Keep,
    /// It does not, for want of evidence: nothing speaks against it.
    NotEnough,
}

/// The errors of two sides on the points of some origins.
pub(super) struct Trial<'a> {
    /// Forecast − actual, divided by the scale; `NaN` where there is no forecast.
    pub(super) candidate: Vec<f64>,
    pub(super) incumbent: Vec<f64>,
    /// What was, divided by the scale.
    pub(super) actual: Vec<f64>,
    /// The origins, in the order of the window; one may occur twice.
    pub(super) origins: &'a [usize],
    /// The place of each point's origin in the window.
    pub(super) origin_of: Vec<u32>,
    /// The place of each point among all points.
    pub(super) places: Vec<usize>,
}

impl<'a> Trial<'a> {
    /// The points of these origins, without errors.
    pub(super) fn on(points: &Points, origins: &'a [usize]) -> Self {
        let mut trial = Self {
            candidate: Vec::new(),
            incumbent: Vec::new(),
            actual: Vec::new(),
            origins,
            origin_of: Vec::new(),
            places: Vec::new(),
        };
        for (place, &origin) in (0_u32..).zip(origins) {
            let range = points.of_origin[origin].clone();
            trial.actual.extend_from_slice(&points.actual[range.clone()]);
            trial.origin_of.extend(range.clone().map(|_| place));
            trial.places.extend(range);
        }
        trial
    }

    /// The mean errors of candidate and incumbent; `None` if one cannot be computed.
    pub(super) fn means(&self) -> Option<(f64, f64)> {
        let mean = |errors: &[f64]| average(&losses(errors));
        Some((mean(&self.candidate)?, mean(&self.incumbent)?))
    }
}

fn losses(errors: &[f64]) -> Vec<f64> {
    errors.iter().map(|error| error.abs()).collect()
}
