//! The nights of one rule.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Range,
};

use super::{
    super::{
        rules::Rule,
        trial::{GateTerms, Ruling, Trial},
    },
    NightsSettings,
    entry::{Entry, Key},
    timeline::{FOLLOW, Timeline},
    trained::Trained,
};
use crate::learning::{StopFlag, Stopped};

/// What is the same for all rules.
#[derive(Clone, Copy)]
pub(super) struct Replaying<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) trained: &'a Trained<'a>,
    pub(super) settings: &'a NightsSettings<'a>,
    pub(super) stop: &'a StopFlag,
}

/// What came of a rule.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) promotions: Vec<Promotion>,
    /// Nights whose incumbent was harmful.
    pub(super) harmful_nights: usize,
    /// What was served, night by night.
    pub(super) served: Vec<Served>,
}

#[derive(Debug)]
pub(super) struct Promotion {
    pub(super) is_harmful: bool,
    /// Whether its mean error on the days that followed was larger than that of what it replaced.
    pub(super) turned_out_worse: bool,
}

/// The forecasts of one night.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// Sum of the absolute errors, in the unit of the values.
    pub(super) off_by: f64,
    /// Sum of the absolute actuals.
    pub(super) actual: f64,
    /// The scaled absolute error of each point.
    pub(super) losses: Vec<f64>,
}

impl Replaying<'_> {
    pub(super) fn play(self, rule: &Rule) -> Result<Played, Stopped> {
        let mut errors = Errors { replaying: self, known: BTreeMap::new() };
        let mut played = Played::default();
        let mut incumbent = Key::first(self.timeline);
        for night in self.timeline.first_night..self.timeline.first_night + self.timeline.nights {
            let entry = Entry::of(self.timeline, self.settings, rule, night);
            if entry.key != incumbent && errors.promotes(rule, &entry, incumbent)? {
                let follow = night..night + FOLLOW;
                let turned_out_worse =
                    errors.mean(entry.key, follow.clone())? > errors.mean(incumbent, follow)?;
                played.promotions.push(Promotion { is_harmful: entry.key.harm.is_some(), turned_out_worse });
                incumbent = entry.key;
            }
            played.harmful_nights += usize::from(incumbent.harm.is_some());
            played.served.push(self.serve(night, errors.of(incumbent, night)?));
        }
        Ok(played)
    }

    fn terms(&self) -> GateTerms<'_> {
        let count = |origins: usize| u32::try_from(origins).expect("was a number of steps");
        GateTerms {
            policy: &self.settings.model.gate,
            points: &self.trained.points,
            overlap: count(self.timeline.overlap),
            block_origins: count(self.timeline.block_origins),
            seed: self.settings.model.train.seed,
        }
    }

    fn serve(&self, night: usize, errors: &[f64]) -> Served {
        let points = &self.trained.points;
        let mut served = Served::default();
        for (&error, point) in errors.iter().zip(points.of_origin[night].clone()) {
            // No forecast is one of nothing.
            let loss = if error.is_nan() { points.actual[point].abs() } else { error.abs() };
            served.off_by += loss * points.scale[point];
            served.actual += (points.actual[point] * points.scale[point]).abs();
            served.losses.push(loss);
        }
        served
    }
}

/// Errors of models, each computed once.
struct Errors<'a> {
    replaying: Replaying<'a>,
    known: BTreeMap<(Key, usize), Vec<f64>>,
}

impl Errors<'_> {
    fn promotes(&mut self, rule: &Rule, entry: &Entry, incumbent: Key) -> Result<bool, Stopped> {
        let origins: Vec<usize> = entry.judged.clone().collect();
        let mut trial = Trial::on(&self.replaying.trained.points, &origins);
        for &origin in &origins {
            trial.candidate.extend_from_slice(self.of(entry.key, origin)?);
            trial.incumbent.extend_from_slice(self.of(incumbent, origin)?);
        }
        let terms = self.replaying.terms();
        Ok(if entry.since_shift {
            trial.promotes_since_shift(&terms)
        } else {
            (rule.decide)(&trial, &terms) == Ruling::Promote
        })
    }

    fn mean(&mut self, key: Key, origins: Range<usize>) -> Result<f64, Stopped> {
        let (mut sum, mut count) = (0.0, 0.0);
        for origin in origins {
            for error in self.of(key, origin)? {
                sum += error.abs();
                count += 1.0;
            }
        }
        Ok(sum / count)
    }

    fn of(&mut self, key: Key, origin: usize) -> Result<&[f64], Stopped> {
        let replaying = self.replaying;
        Ok(match self.known.entry((key, origin)) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(unknown) => {
                let errors = replaying.trained.errors(key, origin..origin + 1, replaying.stop)?;
                unknown.insert(errors.concat())
            }
        })
    }
}
