//! `blend`: boosted trees with a little of a tree of another kind.
//!
//! The other tree keeps quantile classes of the target apart instead of squared errors (see
//! `learning/class_tree.rs`), so its errors are others. Whether the mean of both is better depends on the data:
//! in backtests of a day ahead its average error was between 2 % lower and 1 % higher than that of the boosted
//! trees alone. Let them compete.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aim, BoostedTrees, BoostedTreesSpec};
use crate::{
    learning::{BinnedColumns, ClassGrowth, FitError, Learner, Material, Ratios, class_tree, features},
    models::{
        Covered, Forest, InvalidModel, Predict, PredictError, Regression, Relative, Requirement, Stored,
    },
    series::Grid,
    spec::{SpecError, check_range},
};

/// Settings of `blend`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlendSpec {
    /// What the boosted trees stand for. Default `mean`.
    pub aim: Aim,
    /// How many trees each boosted fit has: 1 to 5000, default 300.
    pub trees: u32,
    /// How many leaves a boosted tree has at most: 2 to 1024, default 63.
    pub leaves: u32,
    /// How much the tree of classes counts: 0.01 to 0.5, default 0.15.
    pub class_share: f64,
    /// How many classes of equal weight the target is cut into: 2 to 64, default 32.
    pub classes: u32,
    /// How deep the tree of classes is at most: 1 to 12, default 9.
    pub class_depth: u32,
}

/// Of mean weight: under two days of hours.
const LEAST_ROWS_IN_A_LEAF: f64 = 40.0;

impl Default for BlendSpec {
    fn default() -> Self {
        let BoostedTreesSpec { aim, trees, leaves, .. } = BoostedTreesSpec::default();
        Self { aim, trees, leaves, class_share: 0.15, classes: 32, class_depth: 9 }
    }
}

impl BlendSpec {
    fn boosted(&self) -> BoostedTreesSpec {
        let (aim, trees, leaves) = (self.aim, self.trees, self.leaves);
        BoostedTreesSpec { aim, trees, leaves, ..BoostedTreesSpec::default() }
    }

    fn class_growth(&self) -> ClassGrowth {
        ClassGrowth {
            classes: self.classes as usize,
            depth: self.class_depth,
            least_weight: LEAST_ROWS_IN_A_LEAF,
        }
    }
}

impl Learner for BlendSpec {
    type Model = Blend;

    fn validate(&self) -> Result<(), SpecError> {
        self.boosted().validate()?;
        check_range("class_share", self.class_share, 0.01..=0.5)?;
        check_range("classes", self.classes, 2..=64)?;
        check_range("class_depth", self.class_depth, 1..=12)
    }

    fn fit(&self, material: &Material<'_>) -> Result<Blend, FitError> {
        let features = features(material)?;
        let Ratios { columns, targets, weights, non_negative } = Ratios::collect(material, &features)?;
        let columns = BinnedColumns::new(columns, &weights, material.stop)?;
        let classes = class_tree(&columns, &targets, &weights, &self.class_growth(), material.stop)?;
        let forests = self.boosted().grow(&columns, &targets, &weights, material)?;
        let boosted = BoostedTrees { features, forests, non_negative };
        Ok(Blend { boosted, classes, class_share: self.class_share })
    }
}

/// The weighted mean of boosted trees and of a tree of classes, over the same features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    boosted: BoostedTrees,
    classes: Forest,
    class_share: f64,
}

impl Regression for Blend {
    fn relative(&self) -> Relative<'_> {
        self.boosted.relative()
    }

    fn ratios(&self, cells: &[f32]) -> Vec<f64> {
        let mix = |(boosted, class): (f64, f64)| boosted + self.class_share * (class - boosted);
        let classes = self.classes.predict(cells, self.boosted.features.width());
        self.boosted.ratios(cells).into_iter().zip(classes).map(mix).collect()
    }
}

impl Stored for Blend {
    fn regression(&self) -> Option<&dyn Regression> {
        Some(self)
    }

    fn validate(&self) -> Result<(), InvalidModel> {
        self.boosted.validate()?;
        self.classes.validate(self.boosted.features.width()).map_err(InvalidModel::new)?;
        if (0.0..=1.0).contains(&self.class_share) {
            return Ok(());
        }
        Err(InvalidModel::new(format!("a share of {} for the tree of classes", self.class_share)))
    }
}

impl Predict for Blend {
    fn requirement(&self) -> Requirement {
        self.relative().requirement()
    }

    fn needs_covariates(&self) -> bool {
        self.relative().needs_covariates()
    }

    fn predict(
        &self,
        series: Covered<'_>,
        grid: &Grid,
        origin: Timestamp,
        horizon_steps: usize,
    ) -> Result<Vec<f64>, PredictError> {
        self.forecast(series, grid, origin, horizon_steps)
    }
}
