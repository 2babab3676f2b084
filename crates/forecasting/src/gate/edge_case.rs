//! Past failures that no candidate may repeat: what is asked for, and what came of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::EdgeReplay;
use crate::{
    names::SeriesId,
    series::{Grid, Series},
};

/// A bound that every candidate of a model has to keep, under its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeCase {
    /// Counts the edge cases of the model, from 1.
    pub number: u32,
    /// What has to hold.
    pub bound: ErrorBound,
}

/// How far off the forecasts of some targets may be, each made from the latest origin that is not after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorBound {
    /// Of which series: at least one, each once.
    pub series: Vec<SeriesId>,
    /// Targets begin at this instant or later.
    pub from: Timestamp,
    /// Targets begin before this instant.
    pub to: Timestamp,
    /// How large the absolute error of a single target may be, in the unit of the values: above 0.
    pub limit: f64,
}

/// What an edge case was, and what the candidate made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeCaseTest {
    /// The case, whole: it may be retired by the time that somebody judges again.
    pub case: EdgeCase,
    /// Targets that have an actual to compare with.
    pub points: u32,
    /// The largest absolute error; `None` if nothing could be compared.
    pub error: Option<f64>,
    /// Whether the candidate's training reached into the case: it then tests for a relapse, and is no evidence.
    pub seen_in_training: bool,
    /// Whether the case says nothing against the candidate.
    pub passed: bool,
}

/// Why a bound cannot be tested.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidBound {
    /// It is about nothing.
    #[error("series: none is named")]
    NoSeries,
    /// It names a series more than once.
    #[error("series: {series} is named twice")]
    SeriesTwice {
        /// The series.
        series: SeriesId,
    },
    /// It ends before it begins.
    #[error("to: {to} is not after from: {from}")]
    EndsBeforeItBegins {
        /// Where it begins.
        from: Timestamp,
        /// Where it ends.
        to: Timestamp,
    },
    /// Its limit is none.
    #[error("limit: {limit} is not a number above 0")]
    NoLimit {
        /// The limit.
        limit: f64,
    },
    /// The dataset has no such series.
    #[error("series: the dataset has no series {series}")]
    UnknownSeries {
        /// The series.
        series: SeriesId,
    },
    /// It lies outside what is known, with one of its ends at least.
    #[error("{field}: {at} lies outside the history of series {series}, {first} to {end}")]
    OutsideHistory {
        /// Which end: `from` or `to`.
        field: &'static str,
        /// Where that is.
        at: Timestamp,
        /// The series.
        series: SeriesId,
        /// Where the history of the series begins.
        first: Timestamp,
        /// Where it ends: after its last step.
        end: Timestamp,
    },
    /// Nothing that it is about was recorded.
    #[error("series {series} has no value from {from} to {to}")]
    NoActuals {
        /// The series.
        series: SeriesId,
        /// Where it begins.
        from: Timestamp,
        /// Where it ends.
        to: Timestamp,
    },
    /// Nobody can have forecast what it is about.
    #[error("series {series}: nothing of it was known before {from} that a forecast could be made from")]
    NothingToGoOn {
        /// The series.
        series: SeriesId,
        /// Where it begins.
        from: Timestamp,
    },
    /// It is about more than a verdict can replay for every candidate.
    #[error("{points} points from {from} to {to}, at most {} make an edge case", ErrorBound::MOST_POINTS)]
    TooManyPoints {
        /// Points that it is about.
        points: u32,
        /// Where it begins.
        from: Timestamp,
        /// Where it ends.
        to: Timestamp,
    },
}

impl ErrorBound {
    /// The most points, of all series together, that every candidate has to forecast for one edge case.
    pub const MOST_POINTS: u32 = 1_000;

    /// Whether the bound makes sense at all.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn validate(&self) -> Result<(), InvalidBound> {
        let mut named = BTreeSet::new();
        if self.series.is_empty() {
            return Err(InvalidBound::NoSeries);
        }
        if let Some(twice) = self.series.iter().find(|series| !named.insert(*series)) {
            return Err(InvalidBound::SeriesTwice { series: twice.clone() });
        }
        if self.to <= self.from {
            return Err(InvalidBound::EndsBeforeItBegins { from: self.from, to: self.to });
        }
        if !(self.limit.is_finite() && self.limit > 0.0) {
            return Err(InvalidBound::NoLimit { limit: self.limit });
        }
        Ok(())
    }

    /// Whether a [valid](Self::validate) bound can be tested on a history: each series was known before, and has an
    /// actual to compare with.
    ///
    /// # Errors
    /// The first thing that keeps it from that.
    pub fn validate_with(&self, replay: &EdgeReplay<'_>) -> Result<(), InvalidBound> {
        let (from, to) = (self.from, self.to);
        let (mut all, mut points) = (Vec::new(), 0_u32);
        for id in &self.series {
            let unknown = || InvalidBound::UnknownSeries { series: id.clone() };
            let series = replay.frame.series(id).ok_or_else(unknown)?;
            points = points.saturating_add(self.actuals(series, &replay.frame.grid)?);
            all.push(series);
        }
        if points > Self::MOST_POINTS {
            return Err(InvalidBound::TooManyPoints { points, from, to });
        }
        match all.into_iter().find(|series| replay.points(self, series) == 0) {
            Some(series) => Err(InvalidBound::NothingToGoOn { series: series.id.clone(), from }),
            None => Ok(()),
        }
    }

    /// How many values a series has between the two ends, which lie within its history.
    fn actuals(&self, series: &Series, grid: &Grid) -> Result<u32, InvalidBound> {
        let (id, from, to) = (&series.id, self.from, self.to);
        let no_actuals = || InvalidBound::NoActuals { series: id.clone(), from, to };
        let (first, last) = series.first_target(grid).zip(series.last_target(grid)).ok_or_else(no_actuals)?;
        let end = grid.advance(last, 1);
        let outside = [("from", from), ("to", to)].into_iter().find(|(_, at)| !(first..=end).contains(at));
        if let Some((field, at)) = outside {
            return Err(InvalidBound::OutsideHistory { field, at, series: id.clone(), first, end });
        }
        let between = series.window(grid, from, to).values;
        match between.iter().filter(|value| !value.is_nan()).count() {
            0 => Err(no_actuals()),
            count => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        examples::{dataset, history, id, model, start},
        learning::StopFlag,
        series::{Covariates, Frame},
    };

    const DAYS: i64 = 60;

    /// That many hours after the beginning of the history.
    fn hour(hours: i64) -> Timestamp {
        start() + SignedDuration::from_hours(hours)
    }

    fn bound() -> ErrorBound {
        ErrorBound { series: vec![id("arcade"), id("court")], from: hour(240), to: hour(288), limit: 30.0 }
    }

    fn check(bound: &ErrorBound, frame: &Frame) -> Result<(), String> {
        let (model, dataset, stop) = (model(), dataset(), StopFlag::default());
        let covariates = Covariates::none();
        let replay = EdgeReplay { model: &model, dataset: &dataset, frame, covariates, stop: &stop };
        let checked = bound.validate().and_then(|()| bound.validate_with(&replay));
        checked.map_err(|invalid| invalid.to_string())
    }

    #[track_caller]
    fn refused(bound: &ErrorBound, frame: &Frame, says: &str) {
        assert_eq!(check(bound, frame), Err(says.to_owned()));
    }

    #[test]
    fn a_bound_on_known_targets_can_be_tested() {
        assert_eq!(check(&bound(), &history(DAYS)), Ok(()));
        let (to, from) = (hour(24 * DAYS), hour(24 * DAYS - 24));
        assert_eq!(
            check(&ErrorBound { from, to, ..bound() }, &history(DAYS)),
            Ok(()),
            "to the end of the data"
        );
    }

    #[test]
    fn a_bound_that_makes_no_sense_says_why() {
        let frame = history(DAYS);
        refused(&ErrorBound { series: Vec::new(), ..bound() }, &frame, "series: none is named");
        let twice = vec![id("court"), id("arcade"), id("court")];
        refused(&ErrorBound { series: twice, ..bound() }, &frame, "series: court is named twice");
        let empty = ErrorBound { to: bound().from, ..bound() };
        refused(&empty, &frame, "to: 2025-01-15T23:00:00Z is not after from: 2025-01-15T23:00:00Z");
        for (limit, says) in [
            (0.0, "limit: 0 is not a number above 0"),
            (-1.5, "limit: -1.5 is not a number above 0"),
            (f64::NAN, "limit: NaN is not a number above 0"),
            (f64::INFINITY, "limit: inf is not a number above 0"),
        ] {
            refused(&ErrorBound { limit, ..bound() }, &frame, says);
        }
    }

    #[test]
    fn a_bound_that_nobody_could_test_says_why() {
        let mut frame = history(DAYS);
        refused(
            &ErrorBound { series: vec![id("arcade"), id("docks")], ..bound() },
            &frame,
            "series: the dataset has no series docks",
        );
        refused(
            &ErrorBound { from: hour(-1), ..bound() },
            &frame,
            "from: 2025-01-05T22:00:00Z lies outside the history of series arcade, 2025-01-05T23:00:00Z to \
             2025-03-06T23:00:00Z",
        );
        let late = ErrorBound { to: hour(24 * DAYS + 1), ..bound() };
        refused(
            &late,
            &frame,
            "to: 2025-03-07T00:00:00Z lies outside the history of series arcade, 2025-01-05T23:00:00Z to \
             2025-03-06T23:00:00Z",
        );
        refused(
            &ErrorBound { from: hour(0), to: hour(5), ..bound() },
            &frame,
            "series arcade: nothing of it was known before 2025-01-05T23:00:00Z that a forecast could be made \
             from",
        );
        refused(
            &ErrorBound { to: hour(24 * DAYS), ..bound() },
            &frame,
            "2400 points from 2025-01-15T23:00:00Z to 2025-03-06T23:00:00Z, at most 1000 make an edge case",
        );
        frame.series[2].values[240..288].fill(f64::NAN);
        refused(
            &bound(),
            &frame,
            "series court has no value from 2025-01-15T23:00:00Z to 2025-01-17T23:00:00Z",
        );
    }
}
