//! Which learners compete for a model, and their settings.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};

use super::SpecError;
use crate::{learners::Algorithm, names::LearnerName};

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

impl LearnerSpec {
    /// The algorithm of one of [`Algorithm::NAMES`] with its default settings, under its own name.
    ///
    /// # Panics
    /// If there is no such algorithm.
    pub fn with_defaults(algorithm: &str) -> Self {
        let name = LearnerName::new(algorithm).expect("algorithms have names of learners");
        let settings = Value::Object(Map::new());
        let algorithm = Algorithm::from_settings(algorithm, settings).expect("every setting has a default");
        Self { name, algorithm }
    }

    pub(super) fn validate(&self) -> Result<(), SpecError> {
        self.algorithm.validate()
    }
}

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
    use crate::learners::{Aim, BoostedTreesSpec};

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
            assert_eq!(learner.algorithm.name(), *name);
            assert_eq!(learner.validate(), Ok(()));
            let json = serde_json::to_string(&learner).expect("is JSON");
            assert_eq!(serde_json::from_str::<LearnerSpec>(&json).expect("was just written"), learner);
            let toml = toml::to_string(&learner).expect("is TOML");
            assert_eq!(read(&toml).expect("was just written"), learner);
        }
    }
}
