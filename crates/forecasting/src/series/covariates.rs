//! What is known about series besides their values. It stands beside a frame and not in it: most learners
//! look at values alone, and a frame without covariates needs nothing to say so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Grid;
use crate::names::{AttributeText, CovariateName, SeriesId};

/// The covariates of the series of a frame.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Covariates {
    series: BTreeMap<SeriesId, SeriesCovariates>,
}

/// What is known about one series besides its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesCovariates {
    /// The step of the first number of each column, on the grid of the series.
    pub start: Timestamp,
    /// Known in advance, like a price list: one number per step, also of steps to come; `NaN` where missing.
    pub known: BTreeMap<CovariateName, Vec<f64>>,
    /// Known as late as the values of the series, like visitors of a web page: one number per step, `NaN` where
    /// missing. A forecast sees those before its origin.
    pub past: BTreeMap<CovariateName, Vec<f64>>,
    /// What never changes, like the region of a shop.
    pub attributes: BTreeMap<CovariateName, Attribute>,
}

/// What a static attribute says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Attribute {
    /// A size, say.
    Number(f64),
    /// One of several kinds.
    Text(AttributeText),
}

/// A covariate that is known in advance is not known where a forecast needs it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{covariate} is declared as known in advance, and is missing for series {series} at {at}, in the horizon of \
     a forecast"
)]
pub struct MissingCovariate {
    /// Which covariate.
    pub covariate: CovariateName,
    /// Of which series.
    pub series: SeriesId,
    /// The first step without it.
    pub at: Timestamp,
}

/// Of a series that nothing is known of.
static NOTHING: SeriesCovariates = SeriesCovariates::none(Timestamp::UNIX_EPOCH);

impl Covariates {
    /// What each series has; what none has is not needed for it.
    pub fn new(series: BTreeMap<SeriesId, SeriesCovariates>) -> Self {
        Self { series }
    }

    /// No covariates at all.
    pub fn none() -> &'static Self {
        static NONE: Covariates = Covariates { series: BTreeMap::new() };
        &NONE
    }

    /// Whether nothing is known of any series.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Those of each series that has any, in ascending order of the ids.
    pub fn all(&self) -> impl Iterator<Item = (&SeriesId, &SeriesCovariates)> {
        self.series.iter()
    }

    /// Those of one series; empty for one that is not here.
    pub fn of(&self, series: &SeriesId) -> &SeriesCovariates {
        self.series.get(series).unwrap_or(&NOTHING)
    }

    /// The names of what is known in advance for any series.
    pub fn known(&self) -> BTreeSet<&CovariateName> {
        self.series.values().flat_map(|covariates| covariates.known.keys()).collect()
    }

    /// The names of what is known of the past only.
    pub fn past(&self) -> BTreeSet<&CovariateName> {
        self.series.values().flat_map(|covariates| covariates.past.keys()).collect()
    }

    /// What the static attributes of all series say, each once; `None` stands for a number.
    pub fn attributes(&self) -> BTreeSet<(&CovariateName, Option<&AttributeText>)> {
        let all = self.series.values().flat_map(|covariates| &covariates.attributes);
        let said = all.map(|(name, attribute)| match attribute {
            Attribute::Number(_) => (name, None),
            Attribute::Text(text) => (name, Some(text)),
        });
        said.collect()
    }

    /// Refuses forecasts that what is known in advance does not reach: each is of a series from an origin.
    pub fn check_horizons<'a>(
        &self,
        forecasts: impl Iterator<Item = (&'a SeriesId, Timestamp)>,
        grid: &Grid,
        horizon_steps: usize,
    ) -> Result<(), MissingCovariate> {
        let known = self.known();
        if known.is_empty() {
            return Ok(());
        }
        for (series, origin) in forecasts {
            let covariates = self.of(series);
            for at in (0..).map(|step| grid.advance(origin, step)).take(horizon_steps) {
                let is_missing = |name: &&&CovariateName| covariates.known_at(name, grid, at).is_nan();
                if let Some(&covariate) = known.iter().find(is_missing) {
                    return Err(MissingCovariate {
                        covariate: covariate.clone(),
                        series: series.clone(),
                        at,
                    });
                }
            }
        }
        Ok(())
    }
}

impl SeriesCovariates {
    /// Nothing yet; numbers will begin at `start`.
    pub const fn none(start: Timestamp) -> Self {
        Self { start, known: BTreeMap::new(), past: BTreeMap::new(), attributes: BTreeMap::new() }
    }

    /// Those of a series that nothing is known of.
    pub fn nothing() -> &'static Self {
        &NOTHING
    }

    /// What is known in advance of the step at `at`; `NaN` if that is nothing.
    fn known_at(&self, name: &CovariateName, grid: &Grid, at: Timestamp) -> f64 {
        let (column, step) = (self.known.get(name), self.step(grid, at));
        column.zip(step).and_then(|(column, step)| column.get(step).copied()).unwrap_or(f64::NAN)
    }

    /// What is known in advance of `steps` steps from `from` on; nothing unless the column reaches over all of them.
    pub(crate) fn known_over(
        &self,
        name: &CovariateName,
        grid: &Grid,
        from: Timestamp,
        steps: usize,
    ) -> &[f64] {
        let (column, first) = (self.known.get(name), self.step(grid, from));
        column.zip(first).and_then(|(column, first)| column.get(first..first + steps)).unwrap_or_default()
    }

    /// [`Self::known_over`], to be changed.
    pub(crate) fn known_over_mut(
        &mut self,
        name: &CovariateName,
        grid: &Grid,
        from: Timestamp,
        steps: usize,
    ) -> &mut [f64] {
        let first = self.step(grid, from);
        let column = self.known.get_mut(name);
        column.zip(first).and_then(|(column, first)| column.get_mut(first..first + steps)).unwrap_or_default()
    }

    /// The place of a step in the columns, if it is on the grid and not before them.
    fn step(&self, grid: &Grid, at: Timestamp) -> Option<usize> {
        grid.steps_between(self.start, at).ok().and_then(|step| usize::try_from(step).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{grid, id, start};

    fn name(text: &str) -> CovariateName {
        CovariateName::new(text).expect("is a name")
    }

    fn after(hours: i64) -> Timestamp {
        grid().advance(start(), hours)
    }

    fn known(columns: &[(&str, &[f64])]) -> SeriesCovariates {
        let known = columns.iter().map(|(column, numbers)| (name(column), numbers.to_vec())).collect();
        SeriesCovariates { known, ..SeriesCovariates::none(start()) }
    }

    fn check(covariates: &Covariates, hours: i64) -> Result<(), String> {
        let bridge = id("bridge");
        let asked = [(&bridge, after(hours))].into_iter();
        covariates.check_horizons(asked, &grid(), 3).map_err(|missing| missing.to_string())
    }

    #[test]
    fn what_is_known_over_some_steps_is_there_whole_or_not_at_all() {
        let (price, mut of_bridge) = (name("price"), known(&[("price", &[1.0, 2.0, 3.0, 4.0])]));
        assert_eq!(of_bridge.known_over(&price, &grid(), after(1), 3), [2.0, 3.0, 4.0]);
        for (hours, steps) in [(2, 3), (-1, 2), (9, 1)] {
            assert_eq!(of_bridge.known_over(&price, &grid(), after(hours), steps), [0.0; 0]);
        }
        assert_eq!(of_bridge.known_over(&name("rain"), &grid(), after(0), 1), [0.0; 0]);
        of_bridge.known_over_mut(&price, &grid(), after(1), 2).fill(9.0);
        assert_eq!(of_bridge.known[&price], [1.0, 9.0, 9.0, 4.0]);
    }

    #[test]
    fn what_is_known_in_advance_must_reach_over_the_horizon() {
        let numbers = [1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0];
        let of_bridge = known(&[("price", &numbers), ("rain", &[0.0; 6])]);
        let covariates = Covariates::new(BTreeMap::from([(id("bridge"), of_bridge)]));
        assert_eq!(check(&covariates, 1), Ok(()));
        let missing = "price is declared as known in advance, and is missing for series bridge at \
                       2025-01-06T03:00:00Z, in the horizon of a forecast";
        assert_eq!(check(&covariates, 2), Err(missing.to_owned()), "the hole");
        let missing = "is missing for series bridge at 2025-01-06T05:00:00Z";
        assert!(check(&covariates, 5).expect_err("it ends").contains(missing));
        assert!(check(&covariates, -1).expect_err("begins later").contains("2025-01-05T22:00:00Z"));
        let half_past = after(0) + jiff::SignedDuration::from_mins(30);
        let bridge = id("bridge");
        let between = covariates.check_horizons([(&bridge, half_past)].into_iter(), &grid(), 1);
        assert!(between.is_err(), "no step begins there");
    }

    #[test]
    fn what_another_series_has_in_advance_a_series_without_it_lacks() {
        let covariates = Covariates::new(BTreeMap::from([(id("arcade"), known(&[("price", &[1.0; 9])]))]));
        assert!(check(&covariates, 0).expect_err("only the arcade has prices").starts_with("price"));
        assert_eq!(check(Covariates::none(), 0), Ok(()), "nothing is declared");
    }

    #[test]
    fn everything_that_attributes_say_is_named_once() {
        let attribute = |said: Attribute| SeriesCovariates {
            attributes: BTreeMap::from([(name("region"), said)]),
            ..SeriesCovariates::none(start())
        };
        let text = |text: &str| Attribute::Text(AttributeText::new(text).expect("is a text"));
        let all = ["a", "b", "c"].map(id).into_iter().zip([text("south"), text("north"), text("south")]);
        let covariates = Covariates::new(all.map(|(id, said)| (id, attribute(said))).collect());
        let said: Vec<Option<&str>> =
            covariates.attributes().into_iter().map(|(_, text)| text.map(AttributeText::as_str)).collect();
        assert_eq!(said, [Some("north"), Some("south")]);
    }
}
