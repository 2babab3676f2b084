//! What each leg computed, so that a verdict can be explained, compared and replayed.

use serde::{Deserialize, Serialize};

use super::{EdgeCaseTest, SinceShift, SliceName};

/// Everything that the legs of one comparison computed; what was not computed is `None` or empty.
///
/// Ratios are candidate over opponent: below 1 the candidate is better. Where the opponent has no error at all they are
/// a million.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Statistics {
    /// Of the leg that looks at the average error.
    pub average: Option<AverageTest>,
    /// Of the bets in its place, where few origins lie after a declared shift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_shift: Option<SinceShift>,
    /// Of the leg that looks at the worst case.
    pub worst_case: Option<WorstCaseTest>,
    /// How the bootstrap drew; `None` if it did not run because a candidate had failed before.
    pub bootstrap: Option<Bootstrap>,
    /// The declared slices.
    pub slices: Vec<SliceTest>,
    /// Declared slices that no point is of: nothing is known of them.
    pub absent: Vec<SliceName>,
    /// The worst of the searched slices.
    pub searched: Option<SearchedTest>,
    /// The largest losses.
    pub largest: Option<Largest>,
    /// How often each side exceeds the opponent's 99.9 % quantile.
    pub exceedances: Option<Exceedances>,
    /// Whether the candidate's intervals keep their promise; one per level, none without intervals.
    pub coverage: Vec<CoverageTest>,
    /// The edge cases that were replayed, whole.
    pub edge_cases: Vec<EdgeCaseTest>,
    /// Whether the candidate keeps the contracts of its model; one each, in their order.
    pub contracts: Vec<ContractTest>,
}

/// A one-sided test that the mean over origins of the differences of losses is positive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AverageTest {
    /// Origins.
    pub origins: u32,
    /// Mean over the origins of the opponent's mean loss less the candidate's: positive if the candidate is
    /// better.
    pub mean_gain: f64,
    /// Of the mean gain; 0 if it is the same at every origin.
    pub standard_error: f64,
    /// Strides that a horizon covers.
    pub overlap: u32,
    /// Bartlett's bandwidth: differences fewer origins apart than this may be correlated.
    pub bandwidth: u32,
    /// `mean_gain / standard_error`; `None` if the latter is 0.
    pub statistic: Option<f64>,
    /// Of Student's distribution that it is compared with.
    pub degrees_of_freedom: f64,
    /// What the statistic must exceed.
    pub critical: f64,
    /// How often luck alone has a statistic as large; `None` without one.
    pub p: Option<f64>,
    /// How often it may at this look: a part of the policy's `alpha`.
    pub alpha: f64,
}

/// The ratio of the worst-case errors, and how large it may truly be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorstCaseTest {
    /// Points in the tail: a hundredth of all, or the worst 30 where that is more.
    pub tail_points: u32,
    /// All points.
    pub points: u32,
    /// As measured.
    pub ratio: f64,
    /// Upper bound of the ratio with confidence `1 - alpha`.
    pub upper: f64,
    /// What the bound must be below.
    pub allowed: f64,
    /// One less the confidence at this look: a part of the policy's `alpha`.
    pub alpha: f64,
    /// Of the logarithm of the ratio.
    pub standard_error: f64,
}

/// A paired circular block bootstrap of whole origins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Resamples.
    pub resamples: u32,
    /// What the random numbers start from.
    pub seed: u64,
    /// Bounds on slices hold with confidence `1 - alpha`.
    pub alpha: f64,
    /// Neighbouring origins that are drawn together.
    pub block_origins: u32,
    /// Blocks of a resample; the last one may be cut.
    pub blocks: u32,
    /// By what the distance of bounds from what was measured is stretched, because few blocks vary too little.
    pub stretch: f64,
}

/// The ratio of the mean losses on a slice, and what it may truly be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SliceTest {
    /// Which slice.
    pub slice: SliceName,
    /// Its points.
    pub points: u32,
    /// Origins that have such points.
    pub origins: u32,
    /// As measured.
    pub ratio: f64,
    /// Lower bound with confidence `1 - alpha`: above what is allowed, it is held against the candidate. `None` if
    /// the slice is too small to be judged.
    pub lower: Option<f64>,
    /// Upper bound with confidence `1 - alpha`; `None` likewise.
    pub upper: Option<f64>,
    /// What the lower bound must not be above.
    pub allowed: f64,
    /// Whether the candidate's loss there is so small that it does no harm, whatever the ratio.
    pub is_negligible: bool,
}

impl SliceTest {
    /// Whether it has too few points or origins to say more about the model than about luck.
    pub(super) fn is_small(&self) -> bool {
        self.lower.is_none()
    }

    /// Whether it could be held against a candidate.
    pub(super) fn is_judged(&self) -> bool {
        !self.is_small() && !self.is_negligible
    }
}

/// The worst of many slices, judged as the worst of many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchedTest {
    /// Slices that were searched: not those that are declared, are too small, or have hardly any error.
    pub slices: u32,
    /// The one with the largest statistic. Its bounds hold for all that were searched at once.
    pub worst: SliceTest,
    /// Its distance from what is allowed, in standard errors.
    pub statistic: f64,
    /// What the largest of all statistics exceeds with probability `alpha` by luck.
    pub critical: f64,
}

/// The largest losses of both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Largest {
    /// Of the candidate.
    pub candidate: f64,
    /// Of the opponent.
    pub opponent: f64,
    /// How many times as large the candidate's may be.
    pub allowed_ratio: f64,
}

/// Points with losses above the opponent's 99.9 % quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceedances {
    /// The opponent's 99.9 % quantile.
    pub above: f64,
    /// Points where the candidate alone exceeds it.
    pub candidate_alone: u32,
    /// Points where the opponent alone exceeds it.
    pub opponent_alone: u32,
    /// Points where both do.
    pub both: u32,
    /// How often luck alone gives the candidate as large a part of the points where one side exceeds it.
    pub p: f64,
}

/// How many of the actuals the candidate's intervals hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverageTest {
    /// How many they say, in percent.
    pub level: u8,
    /// How many they did, from 0 to 1: the mean over the origins.
    pub held: f64,
    /// How far off that may be by luck, with confidence `1 - alpha`.
    pub reach: f64,
    /// How far from the level is allowed.
    pub tolerance: f64,
}

/// Whether a candidate keeps a contract of its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractTest {
    /// What was declared, as a sentence.
    pub contract: String,
    /// Forecasts of the holdout (of one series from one origin) that were made again with another input.
    pub probes: u32,
    /// How far on the wrong side the worst of them is, as a part of its size; of a coefficient, how far it is beyond
    /// its bound. 0 where nothing is wrong, `None` where there was no number to look at.
    pub worst: Option<f64>,
    /// Whether nothing speaks against the candidate.
    pub holds: bool,
    /// Why it could not be tested, as what is said after "the candidate"; `None` where it was.
    pub untested: Option<String>,
}
