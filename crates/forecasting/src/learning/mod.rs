//! How models are fitted: learners, and the competition among them.

mod train;

mod competition;

mod learner;

mod boosted_trees;
mod seasonal_naive;
mod weekly_mean;

mod boosting;
mod random;
mod rows;

mod data_hash;
mod stop;

pub use competition::Competitor;
pub use learner::{FitError, Material, fit};
pub use stop::{StopFlag, Stopped};
pub use train::{TrainError, Trained, TrainingRequest, train};
