//! `seasonal-naive`: nothing to learn.

use super::learner::{FitError, Learner, Material};
use crate::models::{Model, SeasonalNaive};

/// Makes a [`SeasonalNaive`].
pub(super) struct SeasonalNaiveLearner;

impl Learner for SeasonalNaiveLearner {
    fn fit(&self, material: &Material<'_>) -> Result<Model, FitError> {
        Ok(Model::SeasonalNaive(SeasonalNaive::new(&material.frame.grid)))
    }
}
