//! What an operator may choose about the gate. The floor is not among it.

use std::{
    collections::BTreeSet,
    ops::{Not, RangeInclusive},
};

use serde::{Deserialize, Serialize};

use super::{DatasetSpec, SpecError, check_range};
use crate::{artifact::Bundle, names::CovariateName, series::Grid};

/// How much evidence the gate wants, how much history it may take for it, and how strict its legs are.
///
/// That a candidate must be strictly better on average *and* in its worst case is no setting.
///
/// ```toml
/// [gate]
/// alpha = 0.05                       # how often luck may pass each leg, over all looks at a candidate
/// tail_margin = 0.1                  # the worst case is, with confidence, at most 10 % worse
/// slice_margin = 0.1                 # no slice is, with confidence, more than 10 % worse
/// bootstrap = 2000                   # resamples
/// max_ratio = 2.0                    # of the largest losses of both sides
/// max_error = 500.0                  # the largest error, in units of the values; by default any
/// range = [0, 20000]                 # what a forecast may be; by default anything
/// coverage_tolerance = 0.1           # how far off the coverage of intervals may be
/// exceedances = false                # whether a count of horrible errors is a leg
/// search_slices = true               # whether bad slices are searched among series, weekends and hours
/// max_artifact_bytes = 67108864      # the largest artifact
/// max_load_seconds = 30.0            # until a forecaster has it in memory
/// max_answer_seconds = 10.0          # for a request of up to 100 series
///
/// [gate.slices]
/// series = true                      # each series is a slice
/// weekend = true                     # Saturdays and Sundays
/// peak_hours = [7, 9]                # local hours, both included
/// holidays = true                    # holidays of the dataset's region
/// attributes = ["city"]              # each value of a static covariate is a slice
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, into = "WrittenPolicy")]
pub struct GatePolicy {
    /// Paired origins without which nothing is promoted: 28 (the default and the least) to 3660.
    pub min_origins: u32,
    /// Origins to keep for the holdout; by default the trainer counts out how many are needed.
    pub holdout_origins: Option<u32>,
    /// The largest part of the history that the holdout may take: 0.05 to 0.5, default a third.
    pub max_holdout_share: f64,
    /// How often luck may decide a leg, over all looks at a candidate: 0.001 to 0.2, default 0.05. An appetite for
    /// risk: with less of it better candidates are held back longer. With more, slices and intervals that are off
    /// are proven sooner, too.
    pub alpha: f64,
    /// By how much the worst-case error may be larger for all that is known with confidence `1 - alpha`: 0 to
    /// 1, default 0.1. (It must be lower as measured; this bounds what it may truly be.)
    pub tail_margin: f64,
    /// By how much the error on a slice may be larger: 0 to 2, default 0.1. A slice is held against a
    /// candidate if the error there is larger than this with confidence `1 - alpha`.
    pub slice_margin: f64,
    /// Resamples of the bootstrap: 2000 (the default) to 20,000.
    pub bootstrap: u32,
    /// How many times as large as the incumbent's the candidate's largest loss may be: 1 to 100, default 2.
    pub max_ratio: f64,
    /// How large an error of a single point may be, in the unit of the values; by default any.
    pub max_error: Option<f64>,
    /// What a forecast may be at least and at most, for all series; by default anything.
    pub range: Option<[f64; 2]>,
    /// How far the share of actuals that intervals hold may be from their level: 0.01 to 1, default 0.1.
    pub coverage_tolerance: f64,
    /// Whether a candidate is refused that exceeds the incumbent's 99.9 % quantile more often than the
    /// incumbent; counted in any case. Default: no.
    pub exceedances: bool,
    /// Whether bad slices are also searched among series, weekends and each three hours of the day. Default: yes.
    pub search_slices: bool,
    /// How large an artifact may be: 1 byte to the most that any may have (the default, 64 MiB and a header).
    pub max_artifact_bytes: u64,
    /// How long loading a candidate may take, the fastest of several times: 0.001 to 600 s. By default 30, after which
    /// a forecaster gives up.
    pub max_load_seconds: f64,
    /// How much computing one answer may take, the fastest of several times: 0.001 to 600 s, default 10. The request is for
    /// at most 100 series, fewer where their reply would not fit into a message.
    pub max_answer_seconds: f64,
    /// The slices that are looked at one by one.
    pub slices: SlicePolicy,
}

/// Which parts of the rows are looked at on their own. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlicePolicy {
    /// Each series is a slice.
    pub series: bool,
    /// Saturdays and Sundays, in the dataset's time zone, are a slice.
    pub weekend: bool,
    /// The local hours from the first to the second, both included, are a slice; past midnight if the second is
    /// the smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_hours: Option<[u8; 2]>,
    /// Holidays of the dataset's region are a slice, and days that are free in the place of one. Of longer steps than a
    /// day those that hold one.
    #[serde(skip_serializing_if = "Not::not")]
    pub holidays: bool,
    /// Of each of these static covariates each value is a slice, and so are the series without one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub attributes: BTreeSet<CovariateName>,
}

impl SlicePolicy {
    fn validate(&self) -> Result<(), SpecError> {
        self.peak_hours.iter().flatten().try_for_each(|&hour| check_range("peak_hours", hour, 0..=23))
    }

    /// Refuses slices of what the dataset does not declare.
    fn validate_with(&self, dataset: &DatasetSpec) -> Result<(), SpecError> {
        if self.holidays && dataset.holidays.is_none() {
            let problem = format!("dataset {} does not say whose holidays it follows", dataset.name);
            return Err(SpecError::new("holidays", &self.holidays, problem));
        }
        let unknown = self.attributes.iter().find(|name| !dataset.covariates.attributes().contains(*name));
        unknown.map_or(Ok(()), |name| {
            let problem = format!("dataset {} declares no such static covariate", dataset.name);
            Err(SpecError::new("attributes", name, problem))
        })
    }
}

impl GatePolicy {
    /// With fewer paired origins no comparison means anything, so no policy goes below.
    pub const LEAST_ORIGINS: u32 = 28;
    const MOST_ORIGINS: u32 = 3660;
    const SECONDS: RangeInclusive<f64> = 0.001..=600.0;

    /// The paired origins without which nothing is promoted on this grid: [`GatePolicy::min_origins`], and
    /// enough for overlapping horizons.
    pub fn needed_origins(&self, grid: &Grid, horizon_steps: u32) -> u32 {
        self.needed_origins_for(grid.strides_of(horizon_steps))
    }

    /// The same where a horizon covers so many strides.
    pub fn needed_origins_for(&self, overlap: u32) -> u32 {
        self.min_origins.max(Self::LEAST_ORIGINS).max(Self::origins_for_overlap(overlap))
    }

    /// Four times the strides that a horizon covers: neighbouring origins whose horizons overlap say
    /// nearly the same, so longer horizons need more of them.
    pub(super) fn origins_for_overlap(overlap: u32) -> u32 {
        overlap.saturating_mul(4)
    }

    pub(super) fn validate(&self) -> Result<(), SpecError> {
        check_range("min_origins", self.min_origins, Self::LEAST_ORIGINS..=Self::MOST_ORIGINS)?;
        if let Some(origins) = self.holdout_origins {
            check_range("holdout_origins", origins, self.min_origins..=Self::MOST_ORIGINS)?;
        }
        check_range("max_holdout_share", self.max_holdout_share, 0.05..=0.5)?;
        check_range("alpha", self.alpha, 0.001..=0.2)?;
        check_range("tail_margin", self.tail_margin, 0.0..=1.0)?;
        check_range("slice_margin", self.slice_margin, 0.0..=2.0)?;
        check_range("bootstrap", self.bootstrap, 2_000..=20_000)?;
        check_range("max_ratio", self.max_ratio, 1.0..=100.0)?;
        check_range("coverage_tolerance", self.coverage_tolerance, 0.01..=1.0)?;
        check_range("max_artifact_bytes", self.max_artifact_bytes, 1..=Bundle::MOST_BYTES)?;
        check_range("max_load_seconds", self.max_load_seconds, Self::SECONDS)?;
        check_range("max_answer_seconds", self.max_answer_seconds, Self::SECONDS)?;
        self.check_max_error()?;
        self.check_forecast_range()?;
        self.slices.validate().map_err(|error| error.within("slices"))
    }

    /// Refuses what does not fit the dataset.
    pub(super) fn validate_with(&self, dataset: &DatasetSpec) -> Result<(), SpecError> {
        self.slices.validate_with(dataset).map_err(|error| error.within("slices"))
    }

    fn check_max_error(&self) -> Result<(), SpecError> {
        match self.max_error {
            Some(most) if !(most.is_finite() && most > 0.0) => {
                Err(SpecError::new("max_error", &most, "must be a number above 0"))
            }
            _ => Ok(()),
        }
    }

    fn check_forecast_range(&self) -> Result<(), SpecError> {
        match self.range {
            Some([least, most]) if !(least.is_finite() && most.is_finite() && least < most) => {
                let value = format!("[{least}, {most}]");
                Err(SpecError::new("range", &value, "must be two numbers, the smaller one first"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            min_origins: Self::LEAST_ORIGINS,
            holdout_origins: None,
            max_holdout_share: 1.0 / 3.0,
            alpha: 0.05,
            tail_margin: 0.1,
            slice_margin: 0.1,
            bootstrap: 2_000,
            max_ratio: 2.0,
            max_error: None,
            range: None,
            coverage_tolerance: 0.1,
            exceedances: false,
            search_slices: true,
            max_artifact_bytes: Bundle::MOST_BYTES,
            max_load_seconds: 30.0,
            max_answer_seconds: 10.0,
            slices: SlicePolicy::default(),
        }
    }
}

/// What is written of a policy. Keys that came later are left out where they are at their default, so that a
/// specification which does not name them keeps its hash.
#[derive(Serialize)]
struct WrittenPolicy {
    min_origins: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    holdout_origins: Option<u32>,
    max_holdout_share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail_margin: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slice_margin: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bootstrap: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage_tolerance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exceedances: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_slices: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_artifact_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_load_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_answer_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slices: Option<SlicePolicy>,
}

impl From<GatePolicy> for WrittenPolicy {
    fn from(policy: GatePolicy) -> Self {
        fn unless<T: PartialEq>(value: T, default: &T) -> Option<T> {
            (value != *default).then_some(value)
        }
        let default = GatePolicy::default();
        Self {
            min_origins: policy.min_origins,
            holdout_origins: policy.holdout_origins,
            max_holdout_share: policy.max_holdout_share,
            alpha: unless(policy.alpha, &default.alpha),
            tail_margin: unless(policy.tail_margin, &default.tail_margin),
            slice_margin: unless(policy.slice_margin, &default.slice_margin),
            bootstrap: unless(policy.bootstrap, &default.bootstrap),
            max_ratio: unless(policy.max_ratio, &default.max_ratio),
            max_error: policy.max_error,
            range: policy.range,
            coverage_tolerance: unless(policy.coverage_tolerance, &default.coverage_tolerance),
            exceedances: unless(policy.exceedances, &default.exceedances),
            search_slices: unless(policy.search_slices, &default.search_slices),
            max_artifact_bytes: unless(policy.max_artifact_bytes, &default.max_artifact_bytes),
            max_load_seconds: unless(policy.max_load_seconds, &default.max_load_seconds),
            max_answer_seconds: unless(policy.max_answer_seconds, &default.max_answer_seconds),
            slices: unless(policy.slices, &default.slices),
        }
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
        // Margins bound what may truly be; that both errors are lower as measured stands in no key.
        for key in ["floor = false", "worst_case = false", "average = false", "slack = 0.1"] {
            assert!(toml::from_str::<GatePolicy>(key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_key_outside_its_range_is_refused() {
        let cases = [
            ("alpha = 0.0009", "alpha = 0.0009: must be from 0.001 to 0.2"),
            ("alpha = 0.5", "alpha = 0.5: must be from 0.001 to 0.2"),
            ("alpha = nan", "alpha = NaN: must be from 0.001 to 0.2"),
            ("tail_margin = -0.1", "tail_margin = -0.1: must be from 0 to 1"),
            ("slice_margin = 2.1", "slice_margin = 2.1: must be from 0 to 2"),
            ("bootstrap = 1999", "bootstrap = 1999: must be from 2000 to 20000"),
            ("bootstrap = 20001", "bootstrap = 20001: must be from 2000 to 20000"),
            ("max_ratio = 0.9", "max_ratio = 0.9: must be from 1 to 100"),
            ("max_error = 0.0", "max_error = 0: must be a number above 0"),
            ("max_error = inf", "max_error = inf: must be a number above 0"),
            ("range = [1, 1]", "range = [1, 1]: must be two numbers, the smaller one first"),
            ("range = [0, inf]", "range = [0, inf]: must be two numbers, the smaller one first"),
            ("coverage_tolerance = 0.0", "coverage_tolerance = 0: must be from 0.01 to 1"),
            ("max_artifact_bytes = 0", "max_artifact_bytes = 0: must be from 1 to 67108914"),
            ("max_load_seconds = 0.0", "max_load_seconds = 0: must be from 0.001 to 600"),
            ("max_answer_seconds = 601.0", "max_answer_seconds = 601: must be from 0.001 to 600"),
            ("[slices]\npeak_hours = [7, 24]", "slices.peak_hours = 24: must be from 0 to 23"),
        ];
        for (toml, text) in cases {
            assert_eq!(problem(toml).as_deref(), Some(text));
        }
    }

    const ALL_KEYS: &str = "min_origins = 35\nholdout_origins = 56\nmax_holdout_share = 0.25\nalpha = 0.2\n\
                            tail_margin = 0.0\nslice_margin = 2.0\nbootstrap = 20000\nmax_ratio = 1.0\n\
                            max_error = 500\nrange = [-5, 20000]\ncoverage_tolerance = 1.0\nexceedances = true\n\
                            search_slices = false\nmax_artifact_bytes = 1000000\nmax_load_seconds = 2.5\n\
                            max_answer_seconds = 0.25\n[slices]\nseries = true\nweekend = true\n\
                            peak_hours = [22, 5]\nholidays = true\nattributes = ['city', 'size']";

    #[test]
    fn every_key_can_be_set_and_survives_serialisation() {
        assert_eq!(problem(ALL_KEYS), None);
        let policy: GatePolicy = toml::from_str(ALL_KEYS).expect("is a policy");
        for policy in [policy, GatePolicy::default()] {
            let json = serde_json::to_string(&policy).expect("is JSON");
            assert_eq!(serde_json::from_str::<GatePolicy>(&json).expect("was just written"), policy);
        }
    }

    #[test]
    fn keys_at_their_default_are_not_written_so_that_hashes_last() {
        let json = serde_json::to_string(&GatePolicy::default()).expect("is JSON");
        assert_eq!(json, r#"{"min_origins":28,"max_holdout_share":0.3333333333333333}"#);
        let slices: SlicePolicy = toml::from_str("weekend = true").expect("is a policy");
        let json = serde_json::to_string(&slices).expect("is JSON");
        assert_eq!(json, r#"{"series":false,"weekend":true}"#);
    }

    #[test]
    fn slices_of_what_the_dataset_does_not_declare_are_refused() {
        let dataset = "name = 'shops'\nfrequency = 'P1D'\ntime_zone = 'UTC'";
        let problem = |slices: &str, declared: &str| {
            let policy: GatePolicy = toml::from_str(&format!("[slices]\n{slices}")).expect("is a policy");
            let dataset = toml::from_str(&format!("{dataset}\n{declared}")).expect("is a dataset");
            policy.validate_with(&dataset).err().map(|error| error.to_string())
        };
        let text = "slices.holidays = true: dataset shops does not say whose holidays it follows";
        assert_eq!(problem("holidays = true", "").as_deref(), Some(text));
        assert_eq!(problem("holidays = true", "holidays = 'NZ'"), None);
        let text = "slices.attributes = city: dataset shops declares no such static covariate";
        let declared = "[covariates]\nknown = ['city']\nstatic = ['region']";
        assert_eq!(problem("attributes = ['city', 'region']", declared).as_deref(), Some(text));
        assert_eq!(problem("attributes = ['region']", declared), None);
        assert_eq!(problem("series = true", ""), None);
    }
}
