//! The covariates of a series, in the place of the features that are made of them.

use std::ops::Range;

use jiff::Timestamp;

use super::{Feature, FeatureSpec};
use crate::{
    names::CovariateName,
    series::{Attribute, Grid, SeriesCovariates},
};

/// What covariates say, feature by feature and step by step of a view.
#[derive(Debug, Clone, Default)]
pub struct CovariateColumns<'a> {
    /// One per feature; none at all where no feature is made of a covariate.
    columns: Vec<Column<'a>>,
    /// Steps from the first number of the covariates to the first step of the view.
    offset: i64,
}

#[derive(Debug, Clone, Copy)]
enum Column<'a> {
    /// Not of a covariate, or of one that the series lacks.
    Nothing,
    Steps(&'a [f64]),
    Attribute(f64),
}

impl<'a> CovariateColumns<'a> {
    /// What the features are made of, for a view whose first step begins at `start`.
    pub fn of(spec: &FeatureSpec, covariates: &'a SeriesCovariates, grid: &Grid, start: Timestamp) -> Self {
        if !spec.needs_covariates() {
            return Self::default();
        }
        // Numbers between the steps belong to none of them.
        let offset = grid.steps_between(covariates.start, start).ok();
        let steps = |column: Option<&'a Vec<f64>>| match column {
            Some(numbers) if offset.is_some() => Column::Steps(numbers),
            _ => Column::Nothing,
        };
        let attributes = &covariates.attributes;
        let columns = spec.features.iter().map(|feature| match feature {
            Feature::Known(name) | Feature::KnownRecently(name) => steps(covariates.known.get(name)),
            Feature::PastNewest(name) | Feature::PastRecently(name) | Feature::PastSameTimeOfWeek(name) => {
                steps(covariates.past.get(name))
            }
            Feature::Attribute(name) => match attributes.get(name) {
                Some(Attribute::Number(number)) => Column::Attribute(*number),
                _ => Column::Nothing,
            },
            Feature::AttributeIs(name, text) => match attributes.get(name) {
                Some(Attribute::Text(said)) => Column::Attribute(f64::from(u8::from(said == text))),
                _ => Column::Nothing,
            },
            _ => Column::Nothing,
        });
        Self { columns: columns.collect(), offset: offset.unwrap_or_default() }
    }

    /// What is said in the place of a feature about a step of the view; `NaN` where that is nothing.
    pub(super) fn at(&self, feature: usize, step: usize) -> f64 {
        match self.columns.get(feature) {
            Some(Column::Steps(numbers)) => {
                let step = i64::try_from(step).expect("a series is shorter than 2^63 steps");
                let index = step.checked_add(self.offset).and_then(|index| usize::try_from(index).ok());
                index.and_then(|index| numbers.get(index).copied()).unwrap_or(f64::NAN)
            }
            Some(Column::Attribute(number)) => *number,
            Some(Column::Nothing) | None => f64::NAN,
        }
    }

    /// The first of some steps at which a covariate that is known in advance is missing, and which one it is.
    pub(crate) fn first_missing<'s>(
        &self,
        spec: &'s FeatureSpec,
        mut steps: Range<usize>,
    ) -> Option<(&'s CovariateName, usize)> {
        if self.columns.is_empty() {
            return None;
        }
        steps.find_map(|step| {
            spec.features.iter().enumerate().find_map(|(place, feature)| match feature {
                Feature::Known(name) if self.at(place, step).is_nan() => Some((name, step)),
                _ => None,
            })
        })
    }
}
