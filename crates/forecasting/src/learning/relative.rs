//! What learners of ratios to the recent level share.

use jiff::SignedDuration;

use super::{FitError, Material, learner::known_span, rows::TrainingRows};
use crate::{
    names::SeriesId,
    preprocessing::{FeatureSpec, MOST_FEATURES, MOST_SERIES},
};

/// Features, and what was observed divided by the recent level.
pub(crate) struct Ratios {
    /// One column per feature, `NaN` where missing.
    pub(crate) columns: Vec<Vec<f32>>,
    /// What is learned.
    pub(crate) targets: Vec<f64>,
    /// How much each row counts: positive, 1 on average.
    pub(crate) weights: Vec<f64>,
    /// Whether no observed value was negative.
    pub(crate) non_negative: bool,
}

/// With fewer rows learners would learn the noise; the fallback forecasts better.
const LEAST_ROWS: usize = 500;

impl Ratios {
    /// The rows that the material has, at least 500.
    pub(crate) fn collect(material: &Material<'_>, features: &FeatureSpec) -> Result<Self, FitError> {
        let TrainingRows { columns, values, levels } = TrainingRows::collect(material, features)?;
        if values.len() < LEAST_ROWS {
            let (known_rows, needed_rows) = (values.len(), LEAST_ROWS);
            return Err(FitError::TooLittleHistory { known_rows, needed_rows });
        }
        Ok(Self {
            columns,
            targets: values.iter().zip(&levels).map(|(value, level)| ratio(*value, *level)).collect(),
            weights: weights(&levels),
            non_negative: values.iter().all(|&value| value >= 0.0),
        })
    }
}

/// What is learned. Beyond a million times the level lies no demand but a broken meter, which single
/// precision could not take.
fn ratio(value: f64, level: f64) -> f64 {
    (value / level).clamp(-1e6, 1e6)
}

/// Relative to the level, an error of a large series looks like one of a small series; the weights, 1 on
/// average, make it count as much more as the series is larger.
fn weights(levels: &[f64]) -> Vec<f64> {
    // Divided by the largest first: the sum of enormous levels would be no number.
    let largest = levels.iter().copied().fold(0.0, f64::max);
    let mean = levels.iter().map(|level| level / largest).sum::<f64>() / levels.len() as f64;
    levels.iter().map(|level| level / largest / mean).collect()
}

/// The features for what the material has.
///
/// # Errors
/// [`FitError::Unsuitable`] if its covariates and holidays make more features than a model may have.
pub(crate) fn features(material: &Material<'_>) -> Result<FeatureSpec, FitError> {
    let frame = material.frame;
    let series: Vec<SeriesId> =
        frame.series.iter().map(|series| series.id.clone()).take(MOST_SERIES).collect();
    let year = SignedDuration::from_hours(365 * 24);
    let year_steps = usize::try_from(year.as_secs() / frame.grid.frequency().nominal().as_secs());
    let year_steps = year_steps.expect("a year has fewer than 2^32 steps");
    let knows_year = frame.series.iter().any(|series| known_span(series) >= year_steps);
    let features = FeatureSpec::for_grid(&frame.grid, series, material.delay_steps, knows_year)
        .with_covariates(material.covariates);
    let features = match material.holidays {
        Some(holidays) => features.with_holidays(holidays, knows_year),
        None => features,
    };
    let width = features.width();
    if width > MOST_FEATURES {
        let problem =
            format!("{width} features with those of covariates, at most {MOST_FEATURES} are possible");
        return Err(FitError::Unsuitable { problem });
    }
    Ok(features)
}
