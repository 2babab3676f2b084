//! Where training ends and the holdout begins, from what the history holds.

use forecasting::{
    evaluation::{FrameCoverage, HoldoutPlan, check_shift, size_holdout, size_holdout_since},
    spec::{DatasetSpec, ModelSpec},
};
use history::{History, ReadError};
use jiff::Timestamp;

/// Sizes the holdout of a train job from what was recorded by `as_of`; after a declared shift from what there is since
/// then.
///
/// # Errors
/// The outer error is a fault of the history; the inner one says, as a sentence, why there is too little
/// of it.
pub async fn plan(
    history: &dyn History,
    dataset: &DatasetSpec,
    model: &ModelSpec,
    as_of: Timestamp,
    shift: Option<Timestamp>,
) -> Result<Result<HoldoutPlan, String>, ReadError> {
    let covered = covered(history, dataset, as_of).await?;
    Ok(covered.and_then(|covered| match shift {
        None => size_holdout(model, dataset, &covered).map_err(|too_little| too_little.to_string()),
        Some(shift) => size_holdout_since(shift, model, dataset, &covered).map_err(|none| none.to_string()),
    }))
}

/// Checks the cut-off that a train job brings along: a declared shift must lie in the history even so, as the gate is
/// content with fewer origins after one.
///
/// # Errors
/// As for [`plan`].
pub async fn check(
    history: &dyn History,
    dataset: &DatasetSpec,
    as_of: Timestamp,
    shift: Option<Timestamp>,
) -> Result<Result<(), String>, ReadError> {
    let Some(shift) = shift else { return Ok(Ok(())) };
    let covered = covered(history, dataset, as_of).await?;
    Ok(covered.and_then(|covered| check_shift(shift, &covered).map_err(|none| none.to_string())))
}

async fn covered(
    history: &dyn History,
    dataset: &DatasetSpec,
    as_of: Timestamp,
) -> Result<Result<FrameCoverage, String>, ReadError> {
    let coverage = history.coverage(&dataset.name, Some(as_of)).await?;
    let covered = coverage.and_then(|covered| {
        let (rows, first_target, last_target) = (covered.rows, covered.first()?, covered.last()?);
        Some(FrameCoverage { rows, first_target, last_target })
    });
    let nothing = || format!("dataset {} has no observations that were recorded by {as_of}", dataset.name);
    Ok(covered.ok_or_else(nothing))
}
