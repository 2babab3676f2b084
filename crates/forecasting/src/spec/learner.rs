//! Which learners compete for a model, and their settings.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};

use super::{SpecError, check_range};
use crate::names::LearnerName;

/// A learner of a model: an algorithm with its settings, under a name.
///
/// ```toml
/// [[learners]]
/// learner = "boosted-trees"
/// name = "trees-mean"                # default: the algorithm's name
/// aim = "mean"                       # and other settings of the algorithm
/// ```
///
/// Read from and written to self-describing formats only (TOML, JSON, MessagePack with names).
#[derive(Debug, Clone, PartialEq)]
pub struct LearnerSpec {
    /// Tells the learners of a model apart.
    pub name: LearnerName,
    /// What it does.
    pub algorithm: Algorithm,
}

/// The algorithms that Gatecast has.
#[derive(Debug, Clone, PartialEq)]
pub enum Algorithm {
    /// `seasonal-naive`: the value a season earlier.
    SeasonalNaive,
    /// `weekly-mean`: the mean of the last weeks at the same hour of the week.
    WeeklyMean(WeeklyMeanSpec),
    /// `boosted-trees`: gradient boosting on calendar, lags and levels.
    BoostedTrees(BoostedTreesSpec),
}

/// Settings of `weekly-mean`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeeklyMeanSpec {
    /// How many weeks are averaged: 1 to 52, default 4.
    pub weeks: u32,
}

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

impl Algorithm {
    /// The names of all algorithms, as written in TOML.
    pub const NAMES: [&'static str; 3] = ["seasonal-naive", "weekly-mean", "boosted-trees"];

    /// The name as written in TOML.
    pub fn name(&self) -> &'static str {
        match self {
            Algorithm::SeasonalNaive => Self::NAMES[0],
            Algorithm::WeeklyMean(_) => Self::NAMES[1],
            Algorithm::BoostedTrees(_) => Self::NAMES[2],
        }
    }

    fn from_settings(name: &str, settings: Value) -> Result<Self, String> {
        let algorithm = match name {
            "seasonal-naive" => serde_json::from_value::<NoSettings>(settings).map(|_| Self::SeasonalNaive),
            "weekly-mean" => serde_json::from_value(settings).map(Self::WeeklyMean),
            "boosted-trees" => serde_json::from_value(settings).map(Self::BoostedTrees),
            unknown => {
                let known = Self::NAMES.join(", ");
                return Err(format!("learner = {unknown:?}: is not one of {known}"));
            }
        };
        algorithm.map_err(|error| format!("learner {name}: {error}"))
    }

    fn settings(&self) -> serde_json::Result<Value> {
        match self {
            Algorithm::SeasonalNaive => serde_json::to_value(NoSettings {}),
            Algorithm::WeeklyMean(settings) => serde_json::to_value(settings),
            Algorithm::BoostedTrees(settings) => serde_json::to_value(settings),
        }
    }
}

impl LearnerSpec {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        match &self.algorithm {
            Algorithm::SeasonalNaive => Ok(()),
            Algorithm::WeeklyMean(settings) => settings.validate(),
            Algorithm::BoostedTrees(settings) => settings.validate(),
        }
    }
}

impl WeeklyMeanSpec {
    fn validate(&self) -> Result<(), SpecError> {
        check_weeks(self.weeks)
    }
}

/// The fallback averages weeks, too.
pub(super) fn check_weeks(weeks: u32) -> Result<(), SpecError> {
    check_range("weeks", weeks, 1..=52)
}

impl BoostedTreesSpec {
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

impl Default for WeeklyMeanSpec {
    fn default() -> Self {
        Self { weeks: 4 }
    }
}

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

// By hand, because serde cannot flatten one of several structs and still refuse unknown keys.
impl<'de> Deserialize<'de> for LearnerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::<String, Value>::deserialize(deserializer)?;
        let mut take_text = |key: &str| match table.remove(key) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(de::Error::custom(format!("{key} = {other}: must be a text"))),
            None => Ok(None),
        };
        let algorithm = take_text("learner")?.ok_or_else(|| de::Error::missing_field("learner"))?;
        let name = take_text("name")?.unwrap_or_else(|| algorithm.clone());
        let algorithm =
            Algorithm::from_settings(&algorithm, Value::Object(table)).map_err(de::Error::custom)?;
        let name = LearnerName::new(name).map_err(de::Error::custom)?;
        Ok(Self { name, algorithm })
    }
}

impl Serialize for LearnerSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = self.algorithm.settings().map_err(ser::Error::custom)?;
        table["learner"] = self.algorithm.name().into();
        table["name"] = self.name.as_str().into();
        table.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<LearnerSpec, String> {
        toml::from_str(toml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_learner_is_named_after_its_algorithm_unless_it_has_a_name() {
        let plain = read("learner = 'seasonal-naive'").expect("is a learner");
        assert_eq!(plain.name.as_str(), "seasonal-naive");
        let named = read("learner = 'boosted-trees'\nname = 'trees-median'\naim = 'median'\ntrees = 100");
        let named = named.expect("is a learner");
        assert_eq!(named.name.as_str(), "trees-median");
        let settings = BoostedTreesSpec { aim: Aim::Median, trees: 100, ..BoostedTreesSpec::default() };
        assert_eq!(named.algorithm, Algorithm::BoostedTrees(settings));
    }

    #[test]
    fn a_setting_of_another_algorithm_is_refused_by_name() {
        let cases = [
            ("learner = 'seasonal-naive'\ntrees = 3", "learner seasonal-naive: unknown field `trees`"),
            ("learner = 'weekly-mean'\naim = 'mean'", "learner weekly-mean: unknown field `aim`"),
            ("learner = 'boosted-trees'\ntreees = 3", "learner boosted-trees: unknown field `treees`"),
            ("learner = 'boosted-trees'\ntrees = -1", "invalid value: integer `-1`"),
            ("learner = 'boosted-trees'\naim = 'max'", "unknown variant `max`, expected one of `mean`"),
            ("learner = 'xgboost'", "learner = \"xgboost\": is not one of seasonal-naive, weekly-mean"),
            ("learner = 7", "learner = 7: must be a text"),
            ("name = 'trees'", "missing field `learner`"),
            ("learner = 'weekly-mean'\nname = 'My Mean'", "learner \"My Mean\" must match"),
        ];
        for (toml, problem) in cases {
            let error = read(toml).expect_err(toml);
            assert!(error.contains(problem), "{toml}: {error}");
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let cases = [
            ("learner = 'weekly-mean'\nweeks = 0", "weeks = 0: must be from 1 to 52"),
            ("learner = 'boosted-trees'\ntrees = 0", "trees = 0: must be from 1 to 5000"),
            (
                "learner = 'boosted-trees'\ntrees = 5000\nleaves = 201",
                "leaves = 201: must be at most 200 with 1 x 5000 trees",
            ),
            (
                "learner = 'boosted-trees'\naim = 'both'\ntrees = 5000\nleaves = 1024",
                "leaves = 1024: must be at most 100 with 2 x 5000 trees",
            ),
            ("learner = 'boosted-trees'\nlearning_rate = 2", "learning_rate = 2: must be from 0.001 to 1"),
        ];
        for (toml, text) in cases {
            let problem = read(toml).expect("is a learner").validate().expect_err(toml);
            assert_eq!(problem.to_string(), text);
        }
    }

    #[test]
    fn every_learner_survives_serialisation() {
        for name in Algorithm::NAMES {
            let learner = read(&format!("learner = '{name}'")).expect("is a learner");
            assert_eq!(learner.algorithm.name(), name);
            assert_eq!(learner.validate(), Ok(()));
            let json = serde_json::to_string(&learner).expect("is JSON");
            assert_eq!(serde_json::from_str::<LearnerSpec>(&json).expect("was just written"), learner);
            let toml = toml::to_string(&learner).expect("is TOML");
            assert_eq!(read(&toml).expect("was just written"), learner);
        }
    }
}
