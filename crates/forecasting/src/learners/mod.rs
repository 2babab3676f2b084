//! The learners, one file each: its settings, how it fits, and what it makes.
//!
//! Adding one is a new file here, with its `mod`, and its line in the catalogue below. What several share
//! is elsewhere: features in [`preprocessing`](crate::preprocessing), rows and boosting in
//! [`learning`](crate::learning), forests and what may be looked at in [`models`](crate::models).

mod blend;
mod boosted_trees;
mod croston;
mod elastic_net;
mod mstl;
mod seasonal_naive;
mod tsb;
mod weekly_mean;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    learning::{FitError, Learner, Material},
    models::{InvalidModel, Stored},
    spec::SpecError,
};

pub use blend::{Blend, BlendSpec};
pub use boosted_trees::{Aim, BoostedTrees, BoostedTreesSpec};
pub(crate) use boosted_trees::{MOST_LEAVES, MOST_TREES};
pub use croston::{Croston, CrostonSpec};
pub(crate) use elastic_net::is_linear;
pub use elastic_net::{ElasticNet, ElasticNetSpec};
pub use mstl::{Mstl, MstlSpec, Seasons};
pub use seasonal_naive::{SeasonalNaive, SeasonalNaiveSpec};
pub use tsb::{Tsb, TsbSpec};
pub(crate) use weekly_mean::check_weeks;
pub use weekly_mean::{WeeklyMean, WeeklyMeanSpec};

/// A line per learner: its name in TOML, its settings, and what it makes.
///
/// The order is part of the artifact format: a new learner comes last, and none is ever removed.
macro_rules! catalogue {
    ($($name:literal: $Settings:ident makes $Model:ident;)+) => {
        /// The algorithms that Gatecast has, with their settings.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Algorithm {
            $(#[doc = concat!("`", $name, "`")] $Model($Settings),)+
        }

        /// A fitted model: a closed set, because it is stored in artifacts and read by other versions.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Model {
            $(#[doc = concat!("What `", $name, "` makes.")] $Model($Model),)+
        }

        impl Algorithm {
            /// The names of all algorithms, as written in TOML.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name as written in TOML.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Model(_) => $name,)+ }
            }

            /// Reads the settings of one of the [`Algorithm::NAMES`].
            pub(crate) fn from_settings(name: &str, settings: Value) -> Result<Self, String> {
                let algorithm = match name {
                    $($name => serde_json::from_value(settings).map(Self::$Model),)+
                    unknown => {
                        let known = Self::NAMES.join(", ");
                        return Err(format!("learner = {unknown:?}: is not one of {known}"));
                    }
                };
                algorithm.map_err(|error| format!("learner {name}: {error}"))
            }

            pub(crate) fn settings(&self) -> serde_json::Result<Value> {
                match self { $(Self::$Model(settings) => serde_json::to_value(settings),)+ }
            }

            pub(crate) fn validate(&self) -> Result<(), SpecError> {
                match self { $(Self::$Model(settings) => settings.validate(),)+ }
            }

            pub(crate) fn fit(&self, material: &Material<'_>) -> Result<Model, FitError> {
                match self { $(Self::$Model(settings) => settings.fit(material).map(Model::$Model),)+ }
            }
        }

        impl Model {
            pub(crate) fn stored(&self) -> &dyn Stored {
                match self { $(Self::$Model(model) => model,)+ }
            }
        }
    };
}

catalogue! {
    "seasonal-naive": SeasonalNaiveSpec makes SeasonalNaive;
    "weekly-mean": WeeklyMeanSpec makes WeeklyMean;
    "boosted-trees": BoostedTreesSpec makes BoostedTrees;
    "elastic-net": ElasticNetSpec makes ElasticNet;
    "mstl": MstlSpec makes Mstl;
    "croston": CrostonSpec makes Croston;
    "tsb": TsbSpec makes Tsb;
    "blend": BlendSpec makes Blend;
}

impl Model {
    /// Checks what forecasting relies on; needed once for a model that came from outside.
    pub(crate) fn validate(&self) -> Result<(), InvalidModel> {
        self.stored().validate()
    }
}

#[cfg(test)]
mod covariate_tests;
#[cfg(test)]
mod holiday_tests;
#[cfg(test)]
mod tests;
