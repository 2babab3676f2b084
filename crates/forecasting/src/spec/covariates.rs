//! Which covariates a dataset has.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::SpecError;
use crate::names::CovariateName;

/// The columns beside the value, by what is known of them when. Each name stands once.
///
/// ```toml
/// [covariates]
/// known = ["price", "promotion"]   # in advance: needed over the horizon of every forecast
/// past = ["visits"]                # as late as the value: a forecast sees what lies before its origin
/// static = ["region", "size"]      # never changes within a series
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct CovariateSpec {
    known: BTreeSet<CovariateName>,
    past: BTreeSet<CovariateName>,
    #[serde(rename = "static")]
    attributes: BTreeSet<CovariateName>,
}

/// Each makes two or three features, or one for every text of an attribute, of the 256 that a model may have.
const MOST_COVARIATES: usize = 50;

impl CovariateSpec {
    /// Refuses a name that is given twice, and too many of them.
    pub fn new(
        known: Vec<CovariateName>,
        past: Vec<CovariateName>,
        attributes: Vec<CovariateName>,
    ) -> Result<Self, SpecError> {
        let count = known.len() + past.len() + attributes.len();
        if count > MOST_COVARIATES {
            let problem = format!("at most {MOST_COVARIATES} names are possible");
            return Err(SpecError::new("covariates", &count, problem));
        }
        refuse_repeated([("known", &known), ("past", &past), ("static", &attributes)])?;
        Ok(Self {
            known: known.into_iter().collect(),
            past: past.into_iter().collect(),
            attributes: attributes.into_iter().collect(),
        })
    }

    /// Numbers that are known in advance.
    pub fn known(&self) -> &BTreeSet<CovariateName> {
        &self.known
    }

    /// Numbers that are known as late as the values.
    pub fn past(&self) -> &BTreeSet<CovariateName> {
        &self.past
    }

    /// What never changes within a series: static attributes.
    pub fn attributes(&self) -> &BTreeSet<CovariateName> {
        &self.attributes
    }

    /// Each kind as it is called in TOML, with its names.
    pub fn kinds(&self) -> [(&'static str, &BTreeSet<CovariateName>); 3] {
        [("known", &self.known), ("past", &self.past), ("static", &self.attributes)]
    }

    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.kinds().iter().all(|(_, names)| names.is_empty())
    }
}

fn refuse_repeated(kinds: [(&str, &Vec<CovariateName>); 3]) -> Result<(), SpecError> {
    let mut declared: BTreeMap<&CovariateName, &str> = BTreeMap::new();
    for (kind, names) in kinds {
        for name in names {
            if let Some(before) = declared.insert(name, kind) {
                let problem = format!("is declared as {before} already");
                return Err(SpecError::new(format!("covariates.{kind}"), name, problem));
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    known: Vec<CovariateName>,
    #[serde(default)]
    past: Vec<CovariateName>,
    #[serde(default, rename = "static")]
    attributes: Vec<CovariateName>,
}

impl TryFrom<Written> for CovariateSpec {
    type Error = SpecError;
    fn try_from(written: Written) -> Result<Self, SpecError> {
        Self::new(written.known, written.past, written.attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<CovariateSpec, String> {
        toml::from_str(toml).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_refused(toml: &str, says: &str) {
        let problem = read(toml).expect_err(toml);
        assert!(problem.contains(says), "{toml}: {problem}");
    }

    #[test]
    fn a_covariate_is_of_one_kind_and_has_a_name() {
        let spec = read("known = ['price', 'rain']\nstatic = ['region']").expect("is fine");
        let names =
            |names: &BTreeSet<CovariateName>| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(spec.kinds().map(|(_, all)| names(all)), [vec!["price", "rain"], vec![], vec!["region"]]);
        check_refused("known = ['price', 'price']", "covariates.known = price: is declared as known already");
        check_refused("known = ['price']\npast = ['price']", "covariates.past = price: is declared as known");
        check_refused("past = ['']", "must not be empty");
        check_refused("future = ['price']", "unknown field `future`");
        let many = (0..51).map(|column| format!("'column-{column}'")).collect::<Vec<_>>().join(",");
        check_refused(&format!("known = [{many}]"), "covariates = 51: at most 50 names are possible");
    }

    #[test]
    fn the_order_of_names_says_nothing() {
        assert_eq!(read("known = ['a', 'b']\npast = []"), read("known = ['b', 'a']"));
        assert!(read("past = []").expect("is fine").is_empty());
    }

    #[test]
    fn a_specification_survives_both_kinds_of_files() {
        let spec = read("known = ['price']\nstatic = ['region']").expect("is fine");
        let json = serde_json::to_string(&spec).expect("is JSON");
        assert_eq!(json, r#"{"known":["price"],"past":[],"static":["region"]}"#);
        assert_eq!(serde_json::from_str::<CovariateSpec>(&json).expect("was just written"), spec);
        let bytes = postcard::to_stdvec(&spec).expect("is plain data");
        assert_eq!(postcard::from_bytes::<CovariateSpec>(&bytes).expect("was just written"), spec);
    }
}
