//! `elastic-net`: a linear model of relative features, kept small by penalties on its weights
//! (Zou & Hastie 2005, "Regularization and variable selection via the elastic net"). Fitted by linfa.

use jiff::Timestamp;
use linfa::traits::Fit as _;
use linfa_elasticnet::ElasticNet as Linfa;
use ndarray::{Array1, Array2, ShapeBuilder as _};
use serde::{Deserialize, Serialize};

use crate::{
    bounded::at_most,
    learning::{FitError, Learner, Material, Ratios, features},
    models::{Covered, InvalidModel, Predict, PredictError, Regression, Relative, Requirement, Stored},
    preprocessing::{Clock, Feature, FeatureSpec, HolidayFeature},
    series::Grid,
    spec::{SpecError, check_range},
};

/// Settings of `elastic-net`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticNetSpec {
    /// How strongly weights are kept small: 0 to 10, default 0.0003. Features have a spread of 1.
    pub penalty: f64,
    /// How much of the penalty drives weights to exactly 0: 0 to 1, default 0.5.
    pub l1_ratio: f64,
}

impl Default for ElasticNetSpec {
    fn default() -> Self {
        Self { penalty: 0.0003, l1_ratio: 0.5 }
    }
}

/// More rows change a few dozen weights by nothing, and linfa cannot be stopped while it fits.
const MOST_ROWS: usize = 40_000;
/// Passes over all weights: a few tenths of a second.
const MOST_PASSES: u32 = 100;
const TOLERANCE: f64 = 1e-4;

impl Learner for ElasticNetSpec {
    type Model = ElasticNet;

    fn validate(&self) -> Result<(), SpecError> {
        check_range("penalty", self.penalty, 0.0..=10.0)?;
        check_range("l1_ratio", self.l1_ratio, 0.0..=1.0)
    }

    fn fit(&self, material: &Material<'_>) -> Result<ElasticNet, FitError> {
        let mut features = features(material)?;
        features.features.retain(is_linear);
        let table = Ratios::collect(material, &features)?;
        let every = table.targets.len().div_ceil(MOST_ROWS);
        let thin = |all: &[f64]| -> Vec<f64> { all.iter().step_by(every).copied().collect() };
        let (ratios, weights) = (thin(&table.targets), thin(&table.weights));
        let mut columns = Vec::new();
        let mut standardised = Vec::with_capacity(ratios.len() * table.columns.len());
        for column in table.columns {
            material.stop.check()?;
            let column: Vec<f32> = column.into_iter().step_by(every).collect();
            let fitted = Column::of(&column, &weights);
            // The square root of its weight makes a row count as often in the squared error.
            let cells = column.iter().zip(&weights).map(|(&cell, weight)| fitted.cell(cell) * weight.sqrt());
            standardised.extend(cells);
            columns.push(fitted);
        }
        let intercept = weighted_mean(&ratios, &weights);
        let targets = ratios.iter().zip(&weights).map(|(ratio, weight)| (ratio - intercept) * weight.sqrt());
        let slopes = self.slopes(standardised, targets.collect(), columns.len());
        for (column, slope) in columns.iter_mut().zip(slopes) {
            column.slope = slope;
        }
        Ok(ElasticNet { features, columns, intercept, non_negative: table.non_negative })
    }
}

/// A line through the place of a series or of a holiday in a list, or through the hour of the day, says nothing;
/// and without the level itself a series twice as large has forecasts twice as large.
pub(crate) fn is_linear(feature: &Feature) -> bool {
    !matches!(
        feature,
        Feature::Series
            | Feature::LogLevel
            | Feature::Clock(Clock::HourOfDay | Clock::DayOfWeek | Clock::HourOfWeek)
            | Feature::Holiday(HolidayFeature::Name | HolidayFeature::KindOfDay)
    )
}

impl ElasticNetSpec {
    /// `cells`: column after column.
    fn slopes(&self, cells: Vec<f64>, targets: Vec<f64>, width: usize) -> Vec<f64> {
        let rows = targets.len();
        let records = Array2::from_shape_vec((rows, width).f(), cells).expect("every column has every row");
        let dataset = linfa::Dataset::new(records, Array1::from(targets));
        let net = Linfa::params()
            .penalty(self.penalty)
            .l1_ratio(self.l1_ratio)
            .with_intercept(false)
            .max_iterations(MOST_PASSES)
            .tolerance(TOLERANCE);
        let fitted = net.fit(&dataset).expect("the settings were checked, and nothing else can fail");
        fitted.hyperplane().to_vec()
    }
}

fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    sum / weights.iter().sum::<f64>()
}

/// A line through every feature, in ratios to the recent level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNet {
    features: FeatureSpec,
    #[serde(deserialize_with = "at_most::<256, _, _>")]
    columns: Vec<Column>,
    intercept: f64,
    non_negative: bool,
}

/// One feature: where its values lie, and how much each spread above the centre adds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Column {
    center: f64,
    spread: f64,
    slope: f64,
}

/// A line goes on for ever; what the features say does not. Beyond that many spreads nothing is added.
const MOST_SPREADS: f64 = 6.0;

impl Column {
    fn of(cells: &[f32], weights: &[f64]) -> Self {
        let known = || cells.iter().zip(weights).filter(|(cell, _)| !cell.is_nan());
        let weight: f64 = known().map(|(_, weight)| weight).sum();
        let mean = |of: &dyn Fn(f64) -> f64| {
            let sum: f64 = known().map(|(&cell, weight)| of(f64::from(cell)) * weight).sum();
            if weight > 0.0 { sum / weight } else { 0.0 }
        };
        let center = mean(&|cell| cell);
        let spread = mean(&|cell| (cell - center) * (cell - center)).sqrt();
        // A column that says nothing must not be divided by nothing.
        let spread = if spread > 1e-9 * center.abs().max(f64::MIN_POSITIVE) { spread } else { 0.0 };
        Self { center, spread, slope: 0.0 }
    }

    /// Spreads above the centre. A missing value lies there.
    fn cell(&self, cell: f32) -> f64 {
        if cell.is_nan() || self.spread == 0.0 {
            return 0.0;
        }
        ((f64::from(cell) - self.center) / self.spread).clamp(-MOST_SPREADS, MOST_SPREADS)
    }
}

impl ElasticNet {
    fn ratio(&self, row: &[f32]) -> f64 {
        let cells = self.columns.iter().zip(row);
        self.intercept + cells.map(|(column, &cell)| column.slope * column.cell(cell)).sum::<f64>()
    }
}

impl Regression for ElasticNet {
    fn relative(&self) -> Relative<'_> {
        Relative { features: &self.features, non_negative: self.non_negative }
    }

    fn ratios(&self, cells: &[f32]) -> Vec<f64> {
        cells.chunks_exact(self.features.width()).map(|row| self.ratio(row)).collect()
    }

    fn coefficient(&self, column: usize) -> Option<f64> {
        let Column { spread, slope, .. } = self.columns.get(column)?;
        let coefficient = if *spread > 0.0 { slope / spread } else { 0.0 };
        // A spread that is hardly any must not make a number that is none.
        Some(coefficient.clamp(f64::MIN, f64::MAX))
    }
}

impl Stored for ElasticNet {
    fn regression(&self) -> Option<&dyn Regression> {
        Some(self)
    }

    fn validate(&self) -> Result<(), InvalidModel> {
        self.features.validate().map_err(InvalidModel::new)?;
        let (columns, width) = (self.columns.len(), self.features.width());
        if columns != width {
            return Err(InvalidModel::new(format!("{columns} slopes for {width} features")));
        }
        let numbers = self.columns.iter().flat_map(|column| [column.center, column.spread, column.slope]);
        let is_finite = numbers.chain([self.intercept]).all(f64::is_finite);
        let is_positive = self.columns.iter().all(|column| column.spread >= 0.0);
        if is_finite && is_positive { Ok(()) } else { Err(InvalidModel::new("a slope that is no number")) }
    }
}

impl Predict for ElasticNet {
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
