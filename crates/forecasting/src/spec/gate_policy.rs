//! What an operator may choose about the gate. The floor is not among it.

use serde::{Deserialize, Serialize};

use super::{SpecError, check_range};
use crate::series::Grid;

/// How much evidence the gate wants and how much history it may take for it.
///
/// That a candidate must be strictly better on average *and* in its worst case is no setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatePolicy {
    /// Paired origins without which nothing is promoted: 28 (the default and the least) to 3660.
    pub min_origins: u32,
    /// Origins to keep for the holdout; by default the trainer counts out how many are needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout_origins: Option<u32>,
    /// The largest part of the history that the holdout may take: 0.05 to 0.5, default a third.
    pub max_holdout_share: f64,
}

impl GatePolicy {
    /// With fewer paired origins no comparison means anything, so no policy goes below.
    pub const LEAST_ORIGINS: u32 = 28;
    const MOST_ORIGINS: u32 = 3660;

    /// The paired origins without which nothing is promoted on this grid: [`GatePolicy::min_origins`], and
    /// enough for overlapping horizons.
    pub fn needed_origins(&self, grid: &Grid, horizon_steps: u32) -> u32 {
        self.min_origins.max(Self::LEAST_ORIGINS).max(Self::origins_for_horizon(grid, horizon_steps))
    }

    /// Four times the strides that a horizon covers: neighbouring origins whose horizons overlap say
    /// nearly the same, so longer horizons need more of them.
    pub(super) fn origins_for_horizon(grid: &Grid, horizon_steps: u32) -> u32 {
        let stride = u32::try_from(grid.steps_per_stride()).expect("a day has at most 1440 steps");
        horizon_steps.div_ceil(stride).saturating_mul(4)
    }

    pub(super) fn validate(&self) -> Result<(), SpecError> {
        check_range("min_origins", self.min_origins, Self::LEAST_ORIGINS..=Self::MOST_ORIGINS)?;
        if let Some(origins) = self.holdout_origins {
            check_range("holdout_origins", origins, self.min_origins..=Self::MOST_ORIGINS)?;
        }
        check_range("max_holdout_share", self.max_holdout_share, 0.05..=0.5)
    }
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self { min_origins: Self::LEAST_ORIGINS, holdout_origins: None, max_holdout_share: 1.0 / 3.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn problem(toml: &str) -> Option<String> {
        let policy: GatePolicy = toml::from_str(toml).expect("is a policy");
        policy.validate().err().map(|error| error.to_string())
    }

    #[test]
    fn no_policy_asks_for_fewer_than_28_origins() {
        assert_eq!(problem(""), None);
        let text = "min_origins = 27: must be from 28 to 3660";
        assert_eq!(problem("min_origins = 27").as_deref(), Some(text));
        let text = "holdout_origins = 27: must be from 28 to 3660";
        assert_eq!(problem("holdout_origins = 27").as_deref(), Some(text));
        assert_eq!(problem("min_origins = 28\nholdout_origins = 28"), None);
    }

    #[test]
    fn overlapping_horizons_need_more_origins() {
        let hourly = Grid::new(Frequency::Minutes(60), "UTC").expect("UTC is known");
        let daily = Grid::new(Frequency::Days(1), "UTC").expect("UTC is known");
        let policy = GatePolicy::default();
        for (grid, horizon_steps, origins) in
            [(&hourly, 24, 28), (&hourly, 7 * 24, 28), (&hourly, 7 * 24 + 1, 32), (&daily, 28, 112)]
        {
            assert_eq!(policy.needed_origins(grid, horizon_steps), origins);
        }
    }

    #[test]
    fn the_holdout_takes_a_sensible_share() {
        for bad in ["0.0", "0.51", "nan", "-1.0", "inf"] {
            assert!(problem(&format!("max_holdout_share = {bad}")).is_some(), "{bad}");
        }
        assert_eq!(problem("max_holdout_share = 0.5"), None);
    }

    #[test]
    fn the_floor_is_no_setting() {
        for key in ["floor = false", "worst_case = false", "tail_margin = 0.1"] {
            assert!(toml::from_str::<GatePolicy>(key).is_err(), "{key}");
        }
    }
}
