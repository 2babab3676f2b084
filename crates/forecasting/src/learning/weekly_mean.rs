//! `weekly-mean`: nothing to learn.

use super::learner::{FitError, Learner, Material};
use crate::{
    models::{Model, WeeklyMean},
    spec::WeeklyMeanSpec,
};

impl Learner for WeeklyMeanSpec {
    fn fit(&self, material: &Material<'_>) -> Result<Model, FitError> {
        Ok(Model::WeeklyMean(WeeklyMean::new(self.weeks, &material.frame.grid)))
    }
}
