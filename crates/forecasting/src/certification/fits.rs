//! Several fits of several recipes, and how far off each was on days that none of them had seen.

use jiff::{SignedDuration, Timestamp};

use super::{
    points::{Points, errors},
    spread::{Stage, Work},
};
use crate::{
    evaluation::{Forecasts, LossScales, RowSet, holdout_origins},
    learners::{Aim, BlendSpec, BoostedTreesSpec, ElasticNetSpec},
    learning::{FitError, Material, StopFlag, Stopped, fit},
    models::{Model, WeeklyMean},
    names::{DatasetName, LearnerName},
    routing::{Task, answer_with, as_candidate},
    series::{Covariates, Frame, SeriesCovariates},
    spec::{Algorithm, FallbackSpec, LearnerSpec},
};

/// The errors of fits on the same points.
pub(super) struct Fits {
    pub(super) points: Points,
    /// The first origin that was scored.
    pub(super) first_origin: Timestamp,
    pub(super) fitted: Vec<Fitted>,
    /// Fits without errors, and why.
    pub(super) left_out: Vec<String>,
}

/// One fit.
pub(super) struct Fitted {
    pub(super) name: String,
    /// Forecast − actual of each point, divided by the scale of its series.
    pub(super) errors: Vec<f64>,
}

/// How much is fitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    pub(super) trees: u32,
    pub(super) leaves: u32,
    pub(super) fits_per_recipe: usize,
}

/// A year of days: every season once.
const MOST_ORIGINS: usize = 364;
/// One fit sees all of the history and the last this much less of it: nightly candidates differ in what they saw,
/// too, and not every learner has a use for a seed.
const FORGOTTEN: f64 = 0.25;

impl Fits {
    /// Fits the recipes on the beginning of a history and lets them forecast its end: at most the newer half.
    pub(super) fn make(frame: &Frame, task: &FitTask, work: &Work<'_>) -> Result<Option<Self>, Stopped> {
        let Some((cut_off, origins)) = newer_half(frame, task.horizon_steps) else {
            return Ok(None);
        };
        let first_origin = origins[0];
        let rows = RowSet::new(frame, origins, task.horizon_steps, SignedDuration::ZERO);
        let scales = LossScales::in_sample(frame, cut_off);
        let recipes = task.effort.recipes();
        let count = recipes.len() * task.effort.fits_per_recipe;
        let outcomes = work.spread(Stage::Fitting, count, |number| {
            let (recipe, repeat) = (number % recipes.len(), number / recipes.len());
            let name = format!("{}-{}", recipes[recipe].name, repeat + 1);
            let past = remembered(frame, cut_off, repeat as f64 / task.effort.fits_per_recipe as f64);
            let seed = task.seed.wrapping_add(repeat as u64);
            let model = match fit(&recipes[recipe], &task.material(&past, seed, work.stop)) {
                Ok(model) => Forecaster::new(model, frame),
                Err(FitError::Stopped(stopped)) => return Err(stopped),
                Err(error) => return Ok(Err(format!("{name}: {error}"))),
            };
            let forecasts = model.forecast(&rows, work.stop)?;
            Ok(match forecasts.faults.first() {
                Some(fault) => {
                    Err(format!("{name}: {} from {} {}", fault.series, fault.origin, fault.problem))
                }
                None => Ok(Fitted { name, errors: errors(&rows, &forecasts, &scales).concat() }),
            })
        })?;
        let (mut fitted, mut left_out) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Ok(fit) => fitted.push(fit),
                Err(reason) => left_out.push(reason),
            }
        }
        Ok(Some(Self { points: Points::of(&rows, &scales), first_origin, fitted, left_out }))
    }
}

/// What is fitted, and how thoroughly.
pub(super) struct FitTask {
    pub(super) horizon_steps: u32,
    pub(super) seed: u64,
    pub(super) effort: Effort,
}

impl FitTask {
    fn material<'a>(&self, frame: &'a Frame, seed: u64, stop: &'a StopFlag) -> Material<'a> {
        let (covariates, horizon_steps) = (Covariates::none(), self.horizon_steps as usize);
        Material { frame, covariates, holidays: None, horizon_steps, delay_steps: 0, seed, stop }
    }
}

impl Effort {
    /// Small fits of four kinds that are wrong in different ways.
    fn recipes(self) -> [LearnerSpec; 4] {
        let Self { trees, leaves, .. } = self;
        let boosted =
            |aim| BoostedTreesSpec { aim, trees, leaves, learning_rate: 0.1, ..BoostedTreesSpec::default() };
        let blend = BlendSpec { trees, leaves, ..BlendSpec::default() };
        let recipes = [
            ("trees-mean", Algorithm::BoostedTrees(boosted(Aim::Mean))),
            ("trees-median", Algorithm::BoostedTrees(boosted(Aim::Median))),
            ("elastic-net", Algorithm::ElasticNet(ElasticNetSpec::default())),
            ("blend", Algorithm::Blend(blend)),
        ];
        recipes.map(|(name, algorithm)| LearnerSpec {
            name: LearnerName::new(name).expect("is a name"),
            algorithm,
        })
    }
}

/// A model with the fallback beside it, as a forecaster would serve it.
pub(super) struct Forecaster {
    pub(super) model: Model,
    fallback: WeeklyMean,
    dataset: DatasetName,
}

impl Forecaster {
    pub(super) fn new(model: Model, frame: &Frame) -> Self {
        let fallback = WeeklyMean::new(FallbackSpec::default().weeks, &frame.grid);
        Self { model, fallback, dataset: DatasetName::new("history").expect("is a name") }
    }

    pub(super) fn forecast(&self, rows: &RowSet<'_>, stop: &StopFlag) -> Result<Forecasts, Stopped> {
        let horizon_steps = u32::try_from(rows.horizon_steps()).expect("was one");
        rows.forecast(|history, origin| {
            stop.check()?;
            let task = Task {
                dataset: &self.dataset,
                history,
                covariates: SeriesCovariates::nothing(),
                grid: &rows.frame().grid,
                origin,
                horizon_steps,
            };
            Ok(as_candidate(answer_with(&self.model, self.fallback, &task)).map(|(values, _)| values))
        })
    }
}

/// The last step to fit on, and the origins after it.
fn newer_half(frame: &Frame, horizon_steps: u32) -> Option<(Timestamp, Vec<Timestamp>)> {
    let (grid, first, last) = (&frame.grid, frame.first_target()?, frame.last_target()?);
    let middle = grid.advance(first, grid.steps_up_to(first, last) / 2);
    let mut origins = holdout_origins(grid, middle, SignedDuration::ZERO, last, horizon_steps);
    let origins = origins.split_off(origins.len().saturating_sub(MOST_ORIGINS));
    Some((grid.advance(*origins.first()?, -1), origins))
}

/// The history up to the cut-off without that much of what is forgotten.
fn remembered(frame: &Frame, cut_off: Timestamp, share: f64) -> Frame {
    let grid = &frame.grid;
    let first = frame.first_target().unwrap_or(cut_off);
    let steps = grid.steps_up_to(first, cut_off) + 1;
    #[expect(clippy::cast_possible_truncation, reason = "a part of a number of steps")]
    let forgotten = (steps as f64 * share * FORGOTTEN) as i64;
    frame.window(grid.advance(first, forgotten), grid.advance(cut_off, 1))
}
