//! How models are fitted: learners, and the competition among them.

mod train;

mod competition;

mod learner;

mod boosting;
mod class_tree;
mod relative;
mod rows;

mod data_hash;
mod stop;

pub(crate) use boosting::{BinnedColumns, Growth, Loss, boost};
pub(crate) use class_tree::{ClassGrowth, class_tree};
pub use competition::{Competition, Competitor, LeftOut};
pub(crate) use learner::Learner;
pub use learner::{FitError, Material, fit};
pub(crate) use relative::{Ratios, features};
pub use stop::{StopFlag, Stopped};
pub use train::{TrainError, Trained, TrainingRequest, fit_alone, train};
