//! How a request is answered: by the incumbent where it can, else by the fallback, and why.

mod integrity;

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use crate::{
    artifact::{ArtifactName, Bundle},
    intervals::{Band, Intervals},
    models::{Covered, Model, Predict, PredictError, WeeklyMean},
    names::{DatasetName, SeriesId},
    series::{Covariates, Frame, Grid, MissingCovariate, Series, SeriesCovariates},
    spec::{DatasetSpec, ModelSpec},
};

pub use integrity::{Flaw, flaw};

/// Answers a question from values alone. Every series gets a forecast or a refusal.
pub fn answer(serving: &Serving, question: &Question, history: &Frame) -> Answer {
    let at_hand = AtHand { history, covariates: None };
    answer_while(serving, question, at_hand, || true).expect("it is wanted to the end")
}

/// What a question is answered from.
#[derive(Debug, Clone, Copy)]
pub struct AtHand<'a> {
    /// The values.
    pub history: &'a Frame,
    /// What is known of their series besides; `None`: the values came without.
    pub covariates: Option<&'a Covariates>,
}

/// As [`answer`], from whatever is at hand and for as long as that `is_wanted`, which is asked before each series;
/// `None` once it is not.
pub fn answer_while(
    serving: &Serving,
    question: &Question,
    at_hand: AtHand<'_>,
    is_wanted: impl Fn() -> bool,
) -> Option<Answer> {
    let mut answer = Answer { forecasts: Vec::new(), refused: Vec::new() };
    let asked: Vec<&SeriesId> = if question.series.is_empty() {
        at_hand.history.series.iter().map(|series| &series.id).collect()
    } else {
        question.series.iter().collect()
    };
    for id in asked {
        if !is_wanted() {
            return None;
        }
        match answer_series(serving, question, at_hand, id) {
            Ok(forecast) => answer.forecasts.push(forecast),
            Err(refusal) => answer.refused.push((id.clone(), refusal)),
        }
    }
    Some(answer)
}

/// What a forecaster serves for one model.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The model.
    pub model: ModelSpec,
    /// The dataset that it forecasts.
    pub dataset: DatasetSpec,
    /// The version in use; `None` before the first promotion.
    pub incumbent: Option<Live>,
}

impl Serving {
    /// Generation of the incumbent; 0 before the first promotion.
    pub fn generation(&self) -> u64 {
        self.incumbent.as_ref().map_or(0, |live| live.generation)
    }

    /// The steps before an origin that whoever answers makes use of: the newest are not known by then.
    pub fn liked_steps(&self) -> usize {
        let fallback = self.fallback().requirement().liked_steps;
        let primary = self.incumbent.as_ref().map(|live| live.bundle.primary.requirement().liked_steps);
        fallback.max(primary.unwrap_or(0)) + self.dataset.delay_steps() as usize
    }

    /// See [`Predict::fits_at_origin`].
    pub fn fits_at_origin(&self) -> bool {
        self.incumbent.as_ref().is_some_and(|live| live.bundle.primary.fits_at_origin())
    }

    /// What answers without an incumbent.
    fn fallback(&self) -> WeeklyMean {
        WeeklyMean::new(self.model.fallback.weeks, &self.dataset.grid())
    }
}

/// The version in use.
#[derive(Debug, Clone)]
pub struct Live {
    /// Number of the version within the model.
    pub version: u32,
    /// Counts the model's changes of incumbent, from 1.
    pub generation: u64,
    /// Since when it is in use.
    pub since: Timestamp,
    /// The artifact that it was loaded from.
    pub artifact: ArtifactName,
    /// What the version is made of.
    pub bundle: Arc<Bundle>,
}

/// What is to be forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which series; all of the history if empty.
    pub series: Vec<SeriesId>,
    /// How many steps.
    pub horizon_steps: u32,
    /// The first of the steps; by default, for each series, the one at which its last known value has just
    /// become known: the step after it, and as many more as values are late.
    pub origin: Option<Timestamp>,
    /// Which intervals are wanted, in percent: each one of [`Intervals::LEVELS`].
    pub levels: Vec<u8>,
}

/// The answer to a [`Question`]: each series once per time it was asked for, here or there.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Forecasts, in the order of the question.
    pub forecasts: Vec<SeriesForecast>,
    /// Series that nothing can be said about, and why.
    pub refused: Vec<(SeriesId, Refusal)>,
}

/// The forecast of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesForecast {
    /// Which series.
    pub id: SeriesId,
    /// The first step that is forecast.
    pub origin: Timestamp,
    /// One finite value per step of the horizon.
    pub values: Vec<f64>,
    /// One per level asked for; none where the version in use knows too little of its errors.
    pub bands: Vec<Band>,
    /// The version in use, whose primary or fallback answered; `None` if there was none.
    pub version: Option<u32>,
    /// Generation of the incumbent; 0 if there was none.
    pub generation: u64,
    /// Who answered.
    pub route: Route,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The learned model.
    Primary,
    /// The simple model.
    Fallback(FallbackReason),
}

/// Why the fallback answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FallbackReason {
    /// No version was promoted yet.
    #[error("no version has been promoted yet")]
    NoIncumbent,
    /// The primary needs more history.
    #[error("the history has {has_steps} steps, the incumbent needs {needed_steps}")]
    HistoryTooShort {
        /// Steps that the primary needs.
        needed_steps: usize,
        /// Steps from the first known value to the origin; 0 if no recent value is known.
        has_steps: usize,
    },
    /// The primary was trained for a shorter horizon.
    #[error("{asked_steps} steps were asked for, the incumbent forecasts {most_steps}")]
    HorizonTooLong {
        /// Steps asked for.
        asked_steps: u32,
        /// Steps that the primary was trained for.
        most_steps: u32,
    },
    /// The model has got another dataset, or the dataset another grid, since the primary was trained.
    #[error("the incumbent was trained on another dataset, frequency or time zone")]
    TrainedElsewhere,
    /// The primary gave a value that is missing, infinite or not a number.
    #[error("step {step} of the incumbent's forecast is not a finite number")]
    NotFinite {
        /// The first such step; 1 is the one at the origin.
        step: usize,
    },
}

/// Why a series is not forecast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The history has no such series.
    #[error("the series is unknown")]
    UnknownSeries,
    /// No value before the origin is known.
    #[error("no value before the origin is known")]
    NothingToGoOn,
    /// The origin lies between two steps of the series.
    #[error("origin {origin} is not a step of the series")]
    OffGrid {
        /// The origin asked for.
        origin: Timestamp,
    },
    /// The horizon is 0 or too long.
    #[error("horizon = {asked_steps}: must be from 1 to {most_steps} steps")]
    HorizonOutOfRange {
        /// Steps asked for.
        asked_steps: u32,
        /// The most that any model of the dataset may forecast.
        most_steps: u32,
    },
    /// The values of the series are so large that even the fallback gave no finite number.
    #[error("no forecast is a finite number")]
    NotFinite,
    /// The version in use was fitted with covariates, and the values came without.
    #[error("the version in use needs covariates, which only the recorded history has")]
    NeedsCovariates,
    /// What is known in advance does not reach over the horizon.
    #[error(transparent)]
    MissingCovariate(#[from] MissingCovariate),
}

impl Route {
    /// `primary` or `fallback`.
    pub fn name(&self) -> &'static str {
        match self {
            Route::Primary => "primary",
            Route::Fallback(_) => "fallback",
        }
    }

    /// Why not the primary; `None` if it was.
    pub fn reason(&self) -> Option<&FallbackReason> {
        match self {
            Route::Primary => None,
            Route::Fallback(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Primary => f.write_str("primary"),
            Route::Fallback(reason) => write!(f, "fallback: {reason}"),
        }
    }
}

impl FallbackReason {
    /// A short name without numbers, e.g. for a metric label.
    pub fn name(&self) -> &'static str {
        match self {
            FallbackReason::NoIncumbent => "no-incumbent",
            FallbackReason::HistoryTooShort { .. } => "history-too-short",
            FallbackReason::HorizonTooLong { .. } => "horizon-too-long",
            FallbackReason::TrainedElsewhere => "trained-elsewhere",
            FallbackReason::NotFinite { .. } => "not-finite",
        }
    }
}

fn answer_series(
    serving: &Serving,
    question: &Question,
    AtHand { history, covariates }: AtHand<'_>,
    id: &SeriesId,
) -> Result<SeriesForecast, Refusal> {
    let (asked_steps, most_steps) = (question.horizon_steps, serving.dataset.most_horizon_steps());
    if !(1..=most_steps).contains(&asked_steps) {
        return Err(Refusal::HorizonOutOfRange { asked_steps, most_steps });
    }
    let series = history.series(id).ok_or(Refusal::UnknownSeries)?;
    let grid = &history.grid;
    let origin = if let Some(origin) = question.origin {
        origin
    } else {
        let newest = series.last_target(grid).ok_or(Refusal::NothingToGoOn)?;
        grid.advance(newest, 1 + i64::from(serving.dataset.delay_steps()))
    };
    let task = Task {
        dataset: &serving.dataset.name,
        history: series,
        covariates: covariates.map_or(SeriesCovariates::nothing(), |covariates| covariates.of(id)),
        grid,
        origin,
        horizon_steps: asked_steps,
    };
    let incumbent = serving.incumbent.as_ref();
    let lacks = |live: &Live| live.bundle.primary.needs_covariates() && unfit(&live.bundle, &task).is_none();
    if covariates.is_none() && incumbent.is_some_and(lacks) {
        return Err(Refusal::NeedsCovariates);
    }
    let forecast = incumbent.map_or_else(
        || without_incumbent(serving.model.fallback.weeks, &task),
        |live| forecast(&live.bundle, &task),
    );
    let (values, route) = forecast.map_err(|error| match error {
        PredictError::HistoryTooShort { .. } | PredictError::NothingKnown => Refusal::NothingToGoOn,
        PredictError::NotFinite { .. } => Refusal::NotFinite,
        PredictError::OffGrid(_) => Refusal::OffGrid { origin },
        PredictError::MissingCovariate(missing) => Refusal::MissingCovariate(missing),
    })?;
    let intervals = incumbent.and_then(|live| live.bundle.intervals.as_ref());
    let around = |intervals: &Intervals| intervals.around(&values, &task, &question.levels);
    let bands = intervals.filter(|_| !question.levels.is_empty()).map_or_else(Vec::new, around);
    Ok(SeriesForecast {
        id: id.clone(),
        origin,
        values,
        bands,
        version: incumbent.map(|live| live.version),
        generation: incumbent.map_or(0, |live| live.generation),
        route,
    })
}

/// What a model is to forecast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) dataset: &'a DatasetName,
    pub(crate) history: &'a Series,
    pub(crate) covariates: &'a SeriesCovariates,
    pub(crate) grid: &'a Grid,
    pub(crate) origin: Timestamp,
    pub(crate) horizon_steps: u32,
}

impl Task<'_> {
    fn ask(&self, model: &dyn Predict) -> Result<Vec<f64>, PredictError> {
        let series = Covered { history: self.history, covariates: self.covariates };
        model.predict(series, self.grid, self.origin, self.horizon_steps as usize)
    }

    /// Whatever a model promises, a caller gets one finite value per step or an error.
    fn check(&self, values: Vec<f64>) -> Result<Vec<f64>, PredictError> {
        let wrong = values.iter().position(|value| !value.is_finite());
        let wrong = wrong.or((values.len() != self.horizon_steps as usize).then_some(values.len()));
        wrong.map_or(Ok(values), |index| Err(PredictError::NotFinite { step: index + 1 }))
    }
}

/// What a version answers as a whole. The gate judges by this very function what a forecaster will serve.
///
/// # Errors
/// That of the fallback, [`PredictError::OffGrid`], or [`PredictError::MissingCovariate`]: whoever declared a
/// covariate as known in advance is told, and not given a forecast without it.
pub(crate) fn forecast(bundle: &Bundle, task: &Task<'_>) -> Result<(Vec<f64>, Route), PredictError> {
    match unfit(bundle, task) {
        Some(reason) => Ok((fall_back(bundle.fallback, task)?, Route::Fallback(reason))),
        None => answer_with(&bundle.primary, bundle.fallback, task),
    }
}

/// What a model answers with a fallback beside it.
///
/// # Errors
/// As for [`forecast`].
pub(crate) fn answer_with(
    primary: &Model,
    fallback: WeeklyMean,
    task: &Task<'_>,
) -> Result<(Vec<f64>, Route), PredictError> {
    let reason = match task.ask(primary).and_then(|values| task.check(values)) {
        Ok(values) => return Ok((values, Route::Primary)),
        Err(PredictError::HistoryTooShort { needed_steps, has_steps }) => {
            FallbackReason::HistoryTooShort { needed_steps, has_steps }
        }
        Err(PredictError::NotFinite { step }) => FallbackReason::NotFinite { step },
        Err(
            error @ (PredictError::NothingKnown
            | PredictError::OffGrid(_)
            | PredictError::MissingCovariate(_)),
        ) => return Err(error),
    };
    Ok((fall_back(fallback, task)?, Route::Fallback(reason)))
}

/// An answer as it counts for who wants to go live: a forecaster hides a number that is none behind the
/// fallback, a judge must not.
///
/// # Errors
/// That of the answer, and [`PredictError::NotFinite`] where the fallback hid one.
pub(crate) fn as_candidate(
    answer: Result<(Vec<f64>, Route), PredictError>,
) -> Result<(Vec<f64>, Route), PredictError> {
    match answer {
        Ok((_, Route::Fallback(FallbackReason::NotFinite { step }))) => Err(PredictError::NotFinite { step }),
        answer => answer,
    }
}

fn without_incumbent(fallback_weeks: u32, task: &Task<'_>) -> Result<(Vec<f64>, Route), PredictError> {
    let values = fall_back(WeeklyMean::new(fallback_weeks, task.grid), task)?;
    Ok((values, Route::Fallback(FallbackReason::NoIncumbent)))
}

/// What the simple model answers alone.
pub(crate) fn fall_back(fallback: WeeklyMean, task: &Task<'_>) -> Result<Vec<f64>, PredictError> {
    task.ask(&fallback).and_then(|values| task.check(values))
}

/// Why the primary of a version is not asked at all.
fn unfit(bundle: &Bundle, task: &Task<'_>) -> Option<FallbackReason> {
    let (asked_steps, most_steps) = (task.horizon_steps, bundle.horizon_steps);
    if asked_steps > most_steps {
        return Some(FallbackReason::HorizonTooLong { asked_steps, most_steps });
    }
    let elsewhere = bundle.grid != *task.grid || bundle.dataset != *task.dataset;
    elsewhere.then_some(FallbackReason::TrainedElsewhere)
}

#[cfg(test)]
mod tests;
