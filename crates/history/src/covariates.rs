//! Covariates on their way in and out. The numbers of each are kept as values are, as if they were the series of a
//! dataset beside that of the values.

use std::collections::{BTreeMap, BTreeSet};

use forecasting::{
    names::{CovariateName, SeriesId},
    series::{Attribute, Covariates, Grid, Series, SeriesCovariates},
    spec::CovariateSpec,
};
use jiff::Timestamp;

use crate::{MAX_STEPS, Observation, RecordError, Recorded};

/// What is said about series of one dataset.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Their values.
    pub observations: &'a [Observation],
    /// What is known besides: a number that is missing (`NaN`) says nothing, and takes nothing back.
    pub covariates: &'a Covariates,
}

/// What [`Rows`] told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordedRows {
    /// About values.
    pub values: Recorded,
    /// About covariates: each number and each static attribute counts.
    pub covariates: Recorded,
}

/// The numbers that are not missing, by covariate.
pub(crate) fn numbers<'a>(
    covariates: &'a Covariates,
    grid: &Grid,
) -> BTreeMap<&'a CovariateName, Vec<Observation>> {
    let mut by_name: BTreeMap<&CovariateName, Vec<Observation>> = BTreeMap::new();
    for (series, of_series) in covariates.all() {
        for (name, numbers) in of_series.known.iter().chain(&of_series.past) {
            let numbers = (0..).zip(numbers).filter(|(_, number)| !number.is_nan());
            by_name.entry(name).or_default().extend(numbers.map(|(step, &y)| Observation {
                series: series.clone(),
                ds: grid.advance(of_series.start, step),
                y,
            }));
        }
    }
    by_name
}

/// What static attributes say, each of its series.
pub(crate) fn attributes(
    covariates: &Covariates,
) -> Result<Vec<(&SeriesId, &CovariateName, &Attribute)>, RecordError> {
    let mut all = Vec::new();
    for (series, of_series) in covariates.all() {
        for (name, attribute) in &of_series.attributes {
            if matches!(attribute, Attribute::Number(number) if !number.is_finite()) {
                return Err(RecordError::NotFinite { series: series.clone(), ds: of_series.start });
            }
            all.push((series, name, attribute));
        }
    }
    Ok(all)
}

/// What was read of covariates, series by series.
pub(crate) struct Columns<'a> {
    grid: &'a Grid,
    declared: &'a CovariateSpec,
    series: BTreeMap<SeriesId, OneSeries>,
}

#[derive(Default)]
struct OneSeries {
    numbers: BTreeMap<CovariateName, Series>,
    attributes: BTreeMap<CovariateName, Attribute>,
}

impl<'a> Columns<'a> {
    /// Nothing yet about these series: what is declared and not recorded is missing.
    pub(crate) fn of(
        series: impl IntoIterator<Item = SeriesId>,
        grid: &'a Grid,
        declared: &'a CovariateSpec,
    ) -> Self {
        let series = series.into_iter().map(|id| (id, OneSeries::default())).collect();
        Self { grid, declared, series }
    }

    /// Takes the numbers of a covariate, laid on the grid through their first one.
    pub(crate) fn add_numbers(&mut self, name: &CovariateName, numbers: Series) {
        let series = self.series.entry(numbers.id.clone()).or_default();
        series.numbers.insert(name.clone(), numbers);
    }

    /// Takes a static attribute; what is not declared as one, or of a series that was not asked for, is left out.
    pub(crate) fn add_attribute(&mut self, series: &SeriesId, name: CovariateName, attribute: Attribute) {
        if let Some(series) =
            self.series.get_mut(series).filter(|_| self.declared.attributes().contains(&name))
        {
            series.attributes.insert(name, attribute);
        }
    }

    /// Lays the columns of each series side by side.
    pub(crate) fn lay(self) -> Covariates {
        let Self { grid, declared, series } = self;
        let lay = |OneSeries { numbers, attributes }: OneSeries| {
            let start = numbers.values().map(|column| column.start).min().unwrap_or(Timestamp::UNIX_EPOCH);
            let column = |name: &CovariateName| {
                let laid = numbers.get(name).and_then(|column| laid_from(start, column, grid));
                (name.clone(), laid.unwrap_or_default())
            };
            let columns = |names: &BTreeSet<CovariateName>| names.iter().map(column).collect();
            SeriesCovariates {
                start,
                known: columns(declared.known()),
                past: columns(declared.past()),
                attributes,
            }
        };
        Covariates::new(series.into_iter().map(|(id, one)| (id, lay(one))).collect())
    }
}

/// A column with what is missing between `start` and its first number; `None` where its steps are not those of the
/// column that begins there, or lie too far away: then they belong to none.
fn laid_from(start: Timestamp, column: &Series, grid: &Grid) -> Option<Vec<f64>> {
    let before = usize::try_from(grid.steps_between(start, column.start).ok()?).ok()?;
    let fits = before + column.values.len() <= MAX_STEPS;
    fits.then(|| [vec![f64::NAN; before], column.values.clone()].concat())
}
