//! `boosted-trees`: boosted regression trees on relative, step-aware features.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    bounded::at_most,
    learning::{BinnedColumns, FitError, Growth, Learner, Loss, Material, Ratios, Stopped, boost, features},
    models::{
        Covered, Forest, InvalidModel, Predict, PredictError, Regression, Relative, Requirement, Stored,
    },
    preprocessing::FeatureSpec,
    series::Grid,
    spec::{SpecError, check_range},
};

/// Settings of `boosted-trees`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostedTreesSpec {
    /// What the forecast stands for. Default `mean`.
    pub aim: Aim,
    /// How many trees each fit has: 1 to 5000, default 300.
    pub trees: u32,
    /// How many leaves a tree has at most: 2 to 1024, default 63.
    pub leaves: u32,
    /// How much of each tree counts: 0.001 to 1, default 0.08.
    pub learning_rate: f64,
    /// L2 regularisation of leaf values: 0 to 1000, default 5.
    pub l2: f64,
    /// The share of rows that each tree sees: 0.1 to 1, default 0.5.
    pub row_share: f64,
    /// The share of features that each tree sees: 0.1 to 1, default 0.3.
    pub column_share: f64,
}

/// Trees of a forest.
pub(crate) const MOST_TREES: u32 = 5000;
/// Leaves of all trees of a model together: an artifact takes about 15 bytes for each.
pub(crate) const MOST_LEAVES: u32 = 1_000_000;

/// What a forecast stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// The mean: least squared error, careful about large errors.
    #[default]
    Mean,
    /// The median: least absolute error, better on average and worse in the tail.
    Median,
    /// The mean of a fit aimed at the mean and one aimed at the median.
    Both,
}

/// Of mean weight: under two days of hours.
const LEAST_ROWS_IN_A_LEAF: f32 = 40.0;

impl Default for BoostedTreesSpec {
    fn default() -> Self {
        Self {
            aim: Aim::Mean,
            trees: 300,
            leaves: 63,
            learning_rate: 0.08,
            l2: 5.0,
            row_share: 0.5,
            column_share: 0.3,
        }
    }
}

impl Learner for BoostedTreesSpec {
    type Model = BoostedTrees;

    fn validate(&self) -> Result<(), SpecError> {
        check_range("trees", self.trees, 1..=MOST_TREES)?;
        check_range("leaves", self.leaves, 2..=1024)?;
        check_range("learning_rate", self.learning_rate, 0.001..=1.0)?;
        check_range("l2", self.l2, 0.0..=1000.0)?;
        check_range("row_share", self.row_share, 0.1..=1.0)?;
        check_range("column_share", self.column_share, 0.1..=1.0)?;
        // Every tree may have all its leaves, and an artifact has a largest size.
        let most_leaves = MOST_LEAVES / (self.trees * self.aim.forests());
        if self.leaves > most_leaves {
            let (trees, forests) = (self.trees, self.aim.forests());
            let problem = format!("must be at most {most_leaves} with {forests} x {trees} trees");
            return Err(SpecError::new("leaves", &self.leaves, problem));
        }
        Ok(())
    }

    fn fit(&self, material: &Material<'_>) -> Result<BoostedTrees, FitError> {
        let features = features(material)?;
        let Ratios { columns, targets, weights, non_negative } = Ratios::collect(material, &features)?;
        let columns = BinnedColumns::new(columns, &weights, material.stop)?;
        let forests = self.grow(&columns, &targets, &weights, material)?;
        Ok(BoostedTrees { features, forests, non_negative })
    }
}

fn losses(aim: Aim) -> &'static [Loss] {
    match aim {
        Aim::Mean => &[Loss::Squared],
        Aim::Median => &[Loss::Absolute],
        Aim::Both => &[Loss::Squared, Loss::Absolute],
    }
}

impl BoostedTreesSpec {
    /// One forest per loss of the aim.
    pub(super) fn grow(
        &self,
        columns: &BinnedColumns,
        targets: &[f64],
        weights: &[f64],
        material: &Material<'_>,
    ) -> Result<Vec<Forest>, Stopped> {
        let forest = |(number, &loss): (u64, &Loss)| {
            let growth = self.growth(loss, material.seed.wrapping_add(number));
            boost(columns, targets, weights, &growth, material.stop)
        };
        (0..).zip(losses(self.aim)).map(forest).collect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "forust computes in single precision")]
    fn growth(&self, loss: Loss, seed: u64) -> Growth {
        Growth {
            loss,
            trees: self.trees,
            leaves: self.leaves as usize,
            learning_rate: self.learning_rate as f32,
            l2: self.l2 as f32,
            least_rows: LEAST_ROWS_IN_A_LEAF,
            row_share: self.row_share,
            column_share: self.column_share,
            seed,
        }
    }
}

impl Aim {
    /// How many forests are grown for it.
    fn forests(self) -> u32 {
        match self {
            Aim::Mean | Aim::Median => 1,
            Aim::Both => 2,
        }
    }
}

/// The mean of one or more forests. What they forecast is the value divided by the recent level of the
/// series, so one model serves large and small series, and follows a change of level without a new fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostedTrees {
    /// What the forests see.
    pub features: FeatureSpec,
    /// The forests, 1 to 16; their forecasts are averaged.
    #[serde(deserialize_with = "at_most::<MOST_FORESTS, _, _>")]
    pub forests: Vec<Forest>,
    /// Forecasts below 0 become 0: no value that training saw was negative.
    pub non_negative: bool,
}

const MOST_FORESTS: usize = 16;

impl Stored for BoostedTrees {
    fn regression(&self) -> Option<&dyn Regression> {
        Some(self)
    }

    fn validate(&self) -> Result<(), InvalidModel> {
        self.features.validate().map_err(InvalidModel::new)?;
        if !(1..=MOST_FORESTS).contains(&self.forests.len()) {
            let forests = self.forests.len();
            return Err(InvalidModel::new(format!("{forests} forests, 1 to {MOST_FORESTS} are allowed")));
        }
        let mut forests = self.forests.iter();
        forests.try_for_each(|forest| forest.validate(self.features.width()).map_err(InvalidModel::new))
    }
}

impl Regression for BoostedTrees {
    fn relative(&self) -> Relative<'_> {
        Relative { features: &self.features, non_negative: self.non_negative }
    }

    fn ratios(&self, cells: &[f32]) -> Vec<f64> {
        let width = self.features.width();
        let mut sums = vec![0.0; cells.len() / width];
        for forest in &self.forests {
            for (sum, ratio) in sums.iter_mut().zip(forest.predict(cells, width)) {
                *sum += ratio;
            }
        }
        let forests = self.forests.len() as f64;
        sums.into_iter().map(|sum| sum / forests).collect()
    }
}

impl Predict for BoostedTrees {
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
