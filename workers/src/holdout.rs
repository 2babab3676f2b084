//! Where training ends and the holdout begins, from what the history holds.

use forecasting::{
    evaluation::{FrameCoverage, HoldoutPlan, TooLittleHistory, size_holdout},
    spec::{DatasetSpec, ModelSpec},
};
use history::{History, HistoryError};
use jiff::Timestamp;

/// Sizes the holdout of a train job from what was recorded by `as_of`.
///
/// # Errors
/// The outer error is a fault of the history; the inner one says that there is too little of it.
pub async fn plan(
    history: &dyn History,
    dataset: &DatasetSpec,
    model: &ModelSpec,
    as_of: Timestamp,
) -> Result<Result<HoldoutPlan, TooLittleHistory>, HistoryError> {
    let covered = history.coverage(&dataset.name, Some(as_of)).await?;
    let Some(covered) = covered else { return Ok(Err(TooLittleHistory::none())) };
    let coverage = FrameCoverage {
        series: covered.series.len(),
        first: covered.first(),
        last: covered.last(),
    };
    Ok(size_holdout(model, dataset, &coverage))
}
