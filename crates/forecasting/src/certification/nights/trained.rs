//! The models of all nights, trained before the first is played: what a model is depends on no rule.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use jiff::Timestamp;

use super::{
    super::{
        fits::Forecaster,
        points::{Points, errors},
        spread::{Stage, Work},
    },
    NightsError, NightsSettings,
    entry::{Entry, Key},
    harm::Harm,
    timeline::Timeline,
};
use crate::{
    evaluation::LossScales,
    learning::{FitError, Material, StopFlag, Stopped, fit},
    models::Model,
    series::{Covariates, Frame},
};

/// The models, and what they are scored on.
pub(super) struct Trained<'a> {
    pub(super) points: Points,
    frame: &'a Frame,
    timeline: &'a Timeline,
    settings: &'a NightsSettings<'a>,
    scales: LossScales,
    models: BTreeMap<Key, Forecaster>,
}

/// What a model of a week is given, in weeks: one more, to look back at; more where a learner asks for more rows.
const WEEKS: [i64; 6] = [2, 4, 8, 16, 32, 64];

impl<'a> Trained<'a> {
    pub(super) fn all(
        frame: &'a Frame,
        timeline: &'a Timeline,
        settings: &'a NightsSettings<'a>,
        work: &Work<'_>,
    ) -> Result<Self, NightsError> {
        let nights = || timeline.first_night..timeline.first_night + timeline.nights;
        let entries = settings
            .rules
            .iter()
            .flat_map(|rule| nights().map(move |night| Entry::of(timeline, settings, rule, night).key));
        let keys: BTreeSet<Key> = entries.chain([Key::first(timeline)]).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let scales = timeline.scales(frame);
        let points = timeline.points(frame, settings.model.horizon_steps);
        let mut trained = Self { points, frame, timeline, settings, scales, models: BTreeMap::new() };
        let fitted =
            work.spread(Stage::Fitting, keys.len(), |index| match trained.train(keys[index], work.stop) {
                Ok(model) => Ok(Ok((keys[index], Forecaster::new(model, frame)))),
                Err(FitError::Stopped(stopped)) => Err(stopped),
                Err(error) => Ok(Err(error)),
            })?;
        let models: Result<_, FitError> = fitted.into_iter().collect();
        trained.models = models.map_err(|error| NightsError::NotFitted {
            learner: settings.model.learners[0].name.to_string(),
            reason: error.to_string(),
        })?;
        Ok(trained)
    }

    /// The errors of a model, one list for each of these origins.
    pub(super) fn errors(
        &self,
        key: Key,
        origins: Range<usize>,
        stop: &StopFlag,
    ) -> Result<Vec<Vec<f64>>, Stopped> {
        let rows = self.timeline.rows(self.frame, origins.clone(), self.settings.model.horizon_steps);
        let mut errors = errors(&rows, &self.models[&key].forecast(&rows, stop)?, &self.scales);
        if let Some(harm) = key.harm {
            for (errors, origin) in errors.iter_mut().zip(origins) {
                harm.apply(errors, origin, &self.points, self.settings.model.train.seed);
            }
        }
        Ok(errors)
    }

    fn train(&self, key: Key, stop: &StopFlag) -> Result<Model, FitError> {
        let memory = self.settings.model.train.memory_days.map(i64::from);
        if key.harm != Some(Harm::LastWeek) {
            return self.train_on(key, memory, stop);
        }
        let enough = |outcome: &Result<Model, FitError>| {
            !matches!(outcome, Err(FitError::TooShort { .. } | FitError::TooLittleHistory { .. }))
        };
        let mut outcomes = WEEKS.iter().map(|weeks| self.train_on(key, Some(7 * weeks), stop));
        outcomes.find(enough).unwrap_or_else(|| self.train_on(key, memory, stop))
    }

    fn train_on(&self, key: Key, memory_days: Option<i64>, stop: &StopFlag) -> Result<Model, FitError> {
        let (grid, end) = (&self.frame.grid, self.timeline.origins[key.cut_off]);
        let from = memory_days.map_or(Timestamp::MIN, |days| grid.start_of_day(end, -days));
        let frame = self.frame.window(from, end);
        let material = Material {
            frame: &frame,
            covariates: Covariates::none(),
            holidays: None,
            horizon_steps: self.settings.model.horizon_steps as usize,
            delay_steps: 0,
            seed: self.settings.model.train.seed,
            stop,
        };
        fit(&self.settings.model.learners[0], &material)
    }
}
