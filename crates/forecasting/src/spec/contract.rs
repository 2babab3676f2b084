//! What must hold for a candidate, however small its errors are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DatasetSpec, SpecError, check_range};
use crate::{
    learners::is_linear,
    names::{CovariateName, SeriesId},
    preprocessing::{Feature, FeatureSpec},
    series::{Attribute, Covariates, SeriesCovariates},
};

/// What people know about demand and no candidate may contradict; tested by the gate with inputs of the holdout.
///
/// One that says nothing about a learner (of a coefficient about trees, of a feature about a mean of weeks) is no
/// reason against what that learner makes.
///
/// ```toml
/// [[contracts]]
/// contract = "covariate-effect"      # of what is known in advance, on the forecasts of any learner
/// covariate = "price"
/// direction = "decreasing"
/// tolerance = 0.02                   # by how much of its size a forecast may go the other way
///
/// [[contracts]]
/// contract = "feature-effect"        # of one feature alone, for learners with features
/// feature = "same-time-of-week-0"
/// direction = "increasing"
///
/// [[contracts]]
/// contract = "coefficient"           # of a feature in a linear model: least, most or both
/// feature = "known-price"
/// most = 0.0
///
/// [[contracts]]
/// contract = "holiday-effect"        # of a working day that becomes a holiday
/// direction = "decreasing"
///
/// [[contracts]]
/// contract = "scaling"               # a history times 2 has forecasts times 2
/// factor = 2.0
/// tolerance = 0.1
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "contract", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Contract {
    /// What one more unit of a feature adds to the forecasts of a linear model, in ratios to the recent level, is
    /// bounded: by 0 on one side, that is its sign.
    Coefficient {
        /// Which feature, as features are displayed.
        feature: String,
        /// The least that it may be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least: Option<f64>,
        /// The most that it may be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<f64>,
    },
    /// Forecasts go one way with a feature while all others stay as they are.
    FeatureEffect {
        /// Which feature, as features are displayed.
        feature: String,
        /// Which way.
        direction: Direction,
        /// By how much of its size the mean of a forecast may go the other way: 0 to 1, default 0.01.
        #[serde(default = "a_hundredth")]
        tolerance: f64,
    },
    /// Forecasts go one way with a covariate that is known in advance, if it has another number over the horizon.
    CovariateEffect {
        /// Which covariate.
        covariate: CovariateName,
        /// Which way.
        direction: Direction,
        /// As of a feature.
        #[serde(default = "a_hundredth")]
        tolerance: f64,
    },
    /// Forecasts of a working day go one way if it becomes a holiday.
    HolidayEffect {
        /// Which way.
        direction: Direction,
        /// As of a feature.
        #[serde(default = "a_hundredth")]
        tolerance: f64,
    },
    /// A history times a factor has forecasts times that factor.
    Scaling {
        /// Which factor: 0.01 to 100, and not 1.
        factor: f64,
        /// How far off, as a part of its size, the forecast may be: 0 to 1, default 0.01.
        #[serde(default = "a_hundredth")]
        tolerance: f64,
    },
}

/// Which way forecasts may go with an input. They may always stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Up with it.
    Increasing,
    /// Down with it.
    Decreasing,
}

/// Each asks a candidate for some hundred forecasts.
pub(super) const MOST_CONTRACTS: usize = 32;

fn a_hundredth() -> f64 {
    0.01
}

impl Contract {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        match self {
            Contract::Coefficient { least, most, .. } => check_bounds(*least, *most),
            Contract::FeatureEffect { tolerance, .. }
            | Contract::CovariateEffect { tolerance, .. }
            | Contract::HolidayEffect { tolerance, .. } => check_range("tolerance", *tolerance, 0.0..=1.0),
            Contract::Scaling { factor, tolerance } => {
                check_range("factor", *factor, 0.01..=100.0)?;
                if *factor == 1.0 {
                    return Err(SpecError::new("factor", factor, "changes nothing"));
                }
                check_range("tolerance", *tolerance, 0.0..=1.0)
            }
        }
    }

    /// Refuses what no learner could know of the dataset.
    pub(super) fn validate_with(&self, dataset: &DatasetSpec) -> Result<(), SpecError> {
        match self {
            Contract::Coefficient { feature, .. } => check_feature(feature, dataset, is_linear),
            Contract::FeatureEffect { feature, .. } => check_feature(feature, dataset, |_| true),
            Contract::CovariateEffect { covariate, .. } => check_covariate(covariate, dataset),
            Contract::HolidayEffect { .. } if dataset.holidays.is_none() => {
                let problem = format!("dataset {} declares no holidays", dataset.name);
                Err(SpecError::new("contract", "holiday-effect", problem))
            }
            Contract::HolidayEffect { .. } | Contract::Scaling { .. } => Ok(()),
        }
    }
}

fn check_bounds(least: Option<f64>, most: Option<f64>) -> Result<(), SpecError> {
    for (field, bound) in [("least", least), ("most", most)] {
        if let Some(bound) = bound.filter(|bound| !bound.is_finite()) {
            return Err(SpecError::new(field, &bound, "must be a number"));
        }
    }
    match (least, most) {
        (None, None) => Err(SpecError::new("contract", "coefficient", "needs least, most or both")),
        (Some(least), Some(most)) if least > most => {
            Err(SpecError::new("least", &least, format!("must not be above most = {most}")))
        }
        _ => Ok(()),
    }
}

fn check_feature(
    name: &str,
    dataset: &DatasetSpec,
    counts: impl Fn(&Feature) -> bool,
) -> Result<(), SpecError> {
    let features = every_feature(dataset).features;
    let names: Vec<String> =
        features.iter().filter(|feature| counts(feature)).map(ToString::to_string).collect();
    // Which texts an attribute says, the data tell.
    let of_text = |attribute: &CovariateName| name.starts_with(&format!("static-{attribute}-is-"));
    if names.iter().any(|known| known == name) || dataset.covariates.attributes().iter().any(of_text) {
        return Ok(());
    }
    let problem = format!("is none of the features of dataset {}: {}", dataset.name, names.join(", "));
    Err(SpecError::new("feature", name, problem))
}

fn check_covariate(name: &CovariateName, dataset: &DatasetSpec) -> Result<(), SpecError> {
    let known = dataset.covariates.known();
    if known.contains(name) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(CovariateName::as_str).collect();
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let problem = format!("is not known in advance; of dataset {} that is {names}", dataset.name);
    Err(SpecError::new("covariate", name, problem))
}

/// What a learner may see of a dataset that knows a year.
fn every_feature(dataset: &DatasetSpec) -> FeatureSpec {
    let numbers = |names: &BTreeSet<CovariateName>| -> BTreeMap<CovariateName, Vec<f64>> {
        names.iter().map(|name| (name.clone(), Vec::new())).collect()
    };
    let attributes = dataset.covariates.attributes().iter();
    let of_any_series = SeriesCovariates {
        start: Timestamp::UNIX_EPOCH,
        known: numbers(dataset.covariates.known()),
        past: numbers(dataset.covariates.past()),
        attributes: attributes.map(|name| (name.clone(), Attribute::Number(0.0))).collect(),
    };
    let any_series = SeriesId::new("any").expect("is an id");
    let covariates = Covariates::new(BTreeMap::from([(any_series, of_any_series)]));
    let features = FeatureSpec::for_grid(&dataset.grid(), Vec::new(), 0, true).with_covariates(&covariates);
    match &dataset.holidays {
        Some(region) => features.with_holidays(region.calendar(), true),
        None => features,
    }
}

/// As a sentence that is true of a candidate which keeps it.
impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contract::Coefficient { feature, least, most } => {
                write!(f, "the coefficient of {feature} is ")?;
                match (least, most) {
                    (Some(least), Some(most)) => write!(f, "from {least} to {most}"),
                    (Some(least), None) => write!(f, "at least {least}"),
                    (None, Some(most)) => write!(f, "at most {most}"),
                    (None, None) => f.write_str("any number"),
                }
            }
            Contract::FeatureEffect { feature, direction, .. } => {
                write!(f, "forecasts do not {} with {feature}", direction.excluded())
            }
            Contract::CovariateEffect { covariate, direction, .. } => {
                write!(f, "forecasts do not {} with {covariate}", direction.excluded())
            }
            Contract::HolidayEffect { direction, .. } => {
                write!(f, "forecasts do not {} on a holiday", direction.excluded())
            }
            Contract::Scaling { factor, .. } => {
                write!(f, "a history times {factor} has forecasts times {factor}")
            }
        }
    }
}

impl Direction {
    fn excluded(self) -> &'static str {
        match self {
            Direction::Increasing => "fall",
            Direction::Decreasing => "rise",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ModelSpec;

    const MODEL: &str =
        "name = 'shops'\ndataset = 'shops'\nhorizon = 7\nlearners = [{ learner = 'elastic-net' }]\n";

    fn read(contracts: &str) -> Result<ModelSpec, String> {
        toml::from_str(&format!("{MODEL}{contracts}")).map_err(|error| error.to_string())
    }

    fn dataset(more: &str) -> DatasetSpec {
        let toml = format!("name = 'shops'\nfrequency = 'P1D'\ntime_zone = 'America/New_York'\n{more}");
        toml::from_str(&toml).expect("is a dataset")
    }

    fn priced() -> DatasetSpec {
        dataset(
            "holidays = 'US-NY'\n[covariates]\nknown = ['price', 'sale']\npast = ['visits']\nstatic = ['region']",
        )
    }

    fn one(contract: &str) -> ModelSpec {
        read(&format!("[[contracts]]\n{contract}")).expect("is a model")
    }

    #[track_caller]
    fn check_refused(contract: &str, dataset: &DatasetSpec, text: &str) {
        let problem = one(contract).validate_with(dataset).expect_err(contract).to_string();
        assert!(problem.starts_with(text), "{contract}: {problem}");
    }

    const EVERY_KIND: [(&str, &str); 9] = [
        (
            "contract = 'coefficient'\nfeature = 'known-price'\nleast = -2\nmost = 0",
            "the coefficient of known-price is from -2 to 0",
        ),
        (
            "contract = 'coefficient'\nfeature = 'profile-mean'\nleast = 0.0",
            "the coefficient of profile-mean is at least 0",
        ),
        (
            "contract = 'coefficient'\nfeature = 'past-visits-recently'\nmost = 2.5",
            "the coefficient of past-visits-recently is at most 2.5",
        ),
        (
            "contract = 'feature-effect'\nfeature = 'known-price'\ndirection = 'decreasing'",
            "forecasts do not rise with known-price",
        ),
        (
            "contract = 'feature-effect'\nfeature = 'static-region-is-north'\ndirection = 'increasing'\ntolerance = 0",
            "forecasts do not fall with static-region-is-north",
        ),
        (
            "contract = 'covariate-effect'\ncovariate = 'price'\ndirection = 'decreasing'\ntolerance = 0.05",
            "forecasts do not rise with price",
        ),
        ("contract = 'holiday-effect'\ndirection = 'decreasing'", "forecasts do not rise on a holiday"),
        ("contract = 'scaling'\nfactor = 2", "a history times 2 has forecasts times 2"),
        ("contract = 'scaling'\nfactor = 0.5\ntolerance = 1", "a history times 0.5 has forecasts times 0.5"),
    ];

    #[test]
    fn every_kind_is_read_checked_said_and_written_again() {
        for (contract, sentence) in EVERY_KIND {
            let model = one(contract);
            assert_eq!(model.validate_with(&priced()), Ok(()), "{contract}");
            assert_eq!(model.contracts[0].to_string(), sentence);
            let json = serde_json::to_string(&model).expect("is JSON");
            let again: ModelSpec = serde_json::from_str(&json).expect("was just written");
            assert_eq!((again.hash(), &again), (model.hash(), &model));
            let toml = toml::to_string(&model).expect("is TOML");
            assert_eq!(toml::from_str::<ModelSpec>(&toml).expect("was just written"), model);
        }
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let direction = Direction::Decreasing;
        let contract = Contract::HolidayEffect { direction, tolerance: 0.01 };
        assert_eq!(one("contract = 'holiday-effect'\ndirection = 'decreasing'").contracts, [contract]);
        let contract = Contract::Scaling { factor: 2.0, tolerance: 0.01 };
        assert_eq!(one("contract = 'scaling'\nfactor = 2").contracts, [contract]);
    }

    #[test]
    fn a_model_without_contracts_keeps_its_hash() {
        let (without, empty) = (read("").expect("is a model"), read("contracts = []").expect("is a model"));
        assert!(!serde_json::to_string(&without).expect("is JSON").contains("contracts"));
        assert_eq!(empty.hash(), without.hash());
        assert_ne!(one("contract = 'scaling'\nfactor = 2").hash(), without.hash());
    }

    #[test]
    fn keys_that_a_kind_does_not_have_are_named() {
        for (contract, says) in [
            ("contract = 'monotone'", "unknown variant `monotone`, expected one of `coefficient`"),
            ("contract = 'scaling'\nfactor = 2\ndirection = 'increasing'", "unknown field `direction`"),
            ("contract = 'scaling'", "missing field `factor`"),
            ("contract = 'coefficient'\nfeature = 'step'\nrange = [0, 1]", "unknown field `range`"),
            ("contract = 'holiday-effect'\ndirection = 'down'", "unknown variant `down`"),
            ("feature = 'step'", "missing field `contract`"),
        ] {
            let problem = read(&format!("[[contracts]]\n{contract}")).expect_err(contract);
            assert!(problem.contains(says), "{contract}: {problem}");
        }
    }

    #[test]
    fn a_number_that_cannot_be_is_refused_with_its_field() {
        let cases = [
            ("contract = 'scaling'\nfactor = 1", "contracts[0].factor = 1: changes nothing"),
            ("contract = 'scaling'\nfactor = 0", "contracts[0].factor = 0: must be from 0.01 to 100"),
            ("contract = 'scaling'\nfactor = nan", "contracts[0].factor = NaN: must be from 0.01 to 100"),
            (
                "contract = 'holiday-effect'\ndirection = 'increasing'\ntolerance = 1.5",
                "contracts[0].tolerance = 1.5: must be from 0 to 1",
            ),
            (
                "contract = 'coefficient'\nfeature = 'step'",
                "contracts[0].contract = coefficient: needs least, most or both",
            ),
            (
                "contract = 'coefficient'\nfeature = 'step'\nleast = 1\nmost = 0.5",
                "contracts[0].least = 1: must not be above most = 0.5",
            ),
            (
                "contract = 'coefficient'\nfeature = 'step'\nmost = inf",
                "contracts[0].most = inf: must be a number",
            ),
        ];
        for (contract, text) in cases {
            let problem = one(contract).validate().expect_err(contract).to_string();
            assert_eq!(problem, text);
        }
        let many = "[[contracts]]\ncontract = 'scaling'\nfactor = 2\n".repeat(33);
        let problem = read(&many).expect("is a model").validate().expect_err("are too many").to_string();
        assert_eq!(problem, "contracts = 33 contracts: at most 32 are possible");
    }

    #[test]
    fn what_no_learner_can_know_of_the_dataset_is_refused() {
        let of_feature = |kind: &str, feature: &str| {
            let rest = if kind == "coefficient" { "most = 0" } else { "direction = 'increasing'" };
            format!("contract = '{kind}'\nfeature = '{feature}'\n{rest}")
        };
        let text = "contracts[0].feature = prices: is none of the features of dataset shops: series, step, ";
        check_refused(&of_feature("feature-effect", "prices"), &priced(), text);
        let text = "contracts[0].feature = hour-of-day: is none of the features of dataset shops: ";
        check_refused(&of_feature("feature-effect", "hour-of-day"), &priced(), text);
        let text = "contracts[0].feature = known-price: is none of the features of dataset shops: ";
        check_refused(&of_feature("feature-effect", "known-price"), &dataset(""), text);
        // A feature, and none that a line could go through.
        assert_eq!(one(&of_feature("feature-effect", "log-level")).validate_with(&priced()), Ok(()));
        let text = "contracts[0].feature = log-level: is none of the features of dataset shops: step, ";
        check_refused(&of_feature("coefficient", "log-level"), &priced(), text);

        let of_covariate = "contract = 'covariate-effect'\ndirection = 'increasing'\ncovariate = ";
        let text =
            "contracts[0].covariate = visits: is not known in advance; of dataset shops that is price, sale";
        check_refused(&format!("{of_covariate}'visits'"), &priced(), text);
        let text =
            "contracts[0].covariate = price: is not known in advance; of dataset shops that is nothing";
        check_refused(&format!("{of_covariate}'price'"), &dataset(""), text);

        let of_holidays = "contract = 'holiday-effect'\ndirection = 'decreasing'";
        let text = "contracts[0].contract = holiday-effect: dataset shops declares no holidays";
        check_refused(of_holidays, &dataset(""), text);
    }
}
