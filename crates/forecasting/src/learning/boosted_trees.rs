//! `boosted-trees`: boosted regression trees on relative, step-aware features.

use jiff::SignedDuration;

use super::{
    boosting::{BinnedColumns, Growth, Loss, boost},
    learner::{FitError, Learner, Material},
    rows::TrainingRows,
};
use crate::{
    models::{BoostedTrees, Model},
    names::SeriesId,
    preprocessing::{FeatureSpec, MOST_SERIES},
    series::Series,
    spec::{Aim, BoostedTreesSpec},
};

/// With fewer rows trees would learn the noise; the fallback forecasts better.
const LEAST_ROWS: usize = 500;
/// Of mean weight: under two days of hours.
const LEAST_ROWS_IN_A_LEAF: f32 = 40.0;

impl Learner for BoostedTreesSpec {
    fn fit(&self, material: &Material<'_>) -> Result<Model, FitError> {
        let features = features(material);
        let rows = TrainingRows::collect(material, &features)?;
        if rows.values.len() < LEAST_ROWS {
            return Err(FitError::TooLittleHistory {
                known_rows: rows.values.len(),
                needed_rows: LEAST_ROWS,
            });
        }
        let TrainingRows { columns, values, levels } = rows;
        let ratios: Vec<f64> =
            values.iter().zip(&levels).map(|(value, level)| ratio(*value, *level)).collect();
        let weights = weights(&levels);
        let columns = BinnedColumns::new(columns, &weights, material.stop)?;
        let mut forests = Vec::new();
        for (number, &loss) in (0..).zip(losses(self.aim)) {
            let growth = self.growth(loss, material.seed.wrapping_add(number));
            forests.push(boost(&columns, &ratios, &weights, &growth, material.stop)?);
        }
        let non_negative = values.iter().all(|&value| value >= 0.0);
        Ok(Model::BoostedTrees(BoostedTrees { features, forests, non_negative }))
    }
}

/// What the trees learn. Beyond a million times the level lies no demand but a broken meter, which single
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

fn losses(aim: Aim) -> &'static [Loss] {
    match aim {
        Aim::Mean => &[Loss::Squared],
        Aim::Median => &[Loss::Absolute],
        Aim::Both => &[Loss::Squared, Loss::Absolute],
    }
}

impl BoostedTreesSpec {
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

fn features(material: &Material<'_>) -> FeatureSpec {
    let frame = material.frame;
    let series: Vec<SeriesId> =
        frame.series.iter().map(|series| series.id.clone()).take(MOST_SERIES).collect();
    let year = SignedDuration::from_hours(365 * 24);
    let year_steps = usize::try_from(year.as_secs() / frame.grid.frequency().nominal().as_secs());
    let year_steps = year_steps.expect("a year has fewer than 2^32 steps");
    let knows_year = frame.series.iter().any(|series| known_span(series) >= year_steps);
    FeatureSpec::for_grid(&frame.grid, series, material.delay_steps, knows_year)
}

/// Steps from the first known value to the end.
fn known_span(series: &Series) -> usize {
    let first = series.values.iter().position(|value| !value.is_nan());
    first.map_or(0, |first| series.values.len() - first)
}
