//! The work of a backtest, on a thread of its own, and what came of it.

use std::time::Duration;

use forecasting::{
    evaluation::{Backtest, RowSet, Scores},
    learning::{FitError, StopFlag, Stopped, TrainingRequest, fit_alone},
    names::LearnerName,
    spec::{DatasetSpec, LearnerSpec, ModelSpec},
};
use indicatif::ProgressBar;
use jiff::Timestamp;

use crate::cpu_time::thread_cpu_time;

/// What is to be compared.
pub(super) struct Comparison {
    pub(super) dataset: DatasetSpec,
    pub(super) model: ModelSpec,
    pub(super) backtest: Backtest,
    pub(super) learners: Vec<LearnerSpec>,
    /// Counts forecasts.
    pub(super) progress: ProgressBar,
}

/// What came of it.
pub(super) struct Compared {
    pub(super) backtest: Backtest,
    /// In the order of the learners.
    pub(super) outcomes: Vec<(LearnerName, Outcome)>,
}

/// What came of one learner.
pub(super) enum Outcome {
    Scored(Scored),
    /// It cannot forecast these data.
    LeftOut {
        why: String,
    },
}

/// One learner's forecasts, and what they cost.
pub(super) struct Scored {
    pub(super) scores: Scores,
    /// One per row.
    pub(super) values: Vec<f64>,
    pub(super) fit_cpu: Duration,
    pub(super) artifact_bytes: usize,
    predict_cpu: Duration,
}

impl Scored {
    pub(super) fn microseconds_per_row(&self, rows: usize) -> f64 {
        self.predict_cpu.as_secs_f64() * 1e6 / rows as f64
    }
}

impl Comparison {
    /// Fits and forecasts with one learner after the other, on this thread.
    pub(super) fn run(self, stop: &StopFlag) -> Result<Compared, Stopped> {
        let rows = self.backtest.rows();
        let mut outcomes = Vec::new();
        for (place, learner) in (1_u64..).zip(&self.learners) {
            self.progress.set_message(learner.name.to_string());
            outcomes.push((learner.name.clone(), self.compare(learner, &rows, stop)?));
            self.progress.set_position(place * rows.forecasts() as u64);
        }
        Ok(Compared { outcomes, backtest: self.backtest })
    }

    fn compare(&self, learner: &LearnerSpec, rows: &RowSet<'_>, stop: &StopFlag) -> Result<Outcome, Stopped> {
        let (cut_off, spec_hash) = (self.backtest.cut_off, self.model.hash());
        let request = TrainingRequest {
            dataset: &self.dataset,
            model: &self.model,
            spec_hash: &spec_hash,
            frame: &self.backtest.past,
            covariates: self.backtest.covariates(),
            as_of: cut_off,
            cut_off,
            learners: std::slice::from_ref(learner),
            stop,
        };
        let before = thread_cpu_time();
        let bundle = match fit_alone(&request, learner) {
            Ok(bundle) => bundle,
            Err(FitError::Stopped(stopped)) => return Err(stopped),
            Err(error) => return Ok(Outcome::LeftOut { why: error.to_string() }),
        };
        let fitted = thread_cpu_time();
        let (forecasts, _) = self.backtest.forecast(rows, &bundle, stop, || self.progress.inc(1))?;
        let predict_cpu = thread_cpu_time().saturating_sub(fitted);
        let Some(scores) = Scores::of(rows, &forecasts, &self.backtest.scales) else {
            let fault = forecasts.faults.first();
            let why = fault.map_or_else(
                || "there is no row".to_owned(),
                |fault| format!("its forecast of {} from {} {}", fault.series, fault.origin, fault.problem),
            );
            return Ok(Outcome::LeftOut { why });
        };
        let artifact_bytes = bundle.encode().len();
        let fit_cpu = fitted.saturating_sub(before);
        Ok(Outcome::Scored(Scored { scores, values: forecasts.values, fit_cpu, artifact_bytes, predict_cpu }))
    }
}

impl Compared {
    /// The learners that have forecast every row.
    pub(super) fn scored(&self) -> impl Iterator<Item = (&LearnerName, &Scored)> {
        self.outcomes.iter().filter_map(|(learner, outcome)| match outcome {
            Outcome::Scored(scored) => Some((learner, scored)),
            Outcome::LeftOut { .. } => None,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.backtest.rows().rows().len()
    }

    pub(super) fn series(&self) -> usize {
        self.backtest.rows().scored_series().count()
    }

    pub(super) fn first_origin(&self) -> Timestamp {
        self.backtest.rows().origins()[0]
    }
}
