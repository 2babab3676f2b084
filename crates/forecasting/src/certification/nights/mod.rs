//! Nights of retraining, played over a history with one rule after the other.
//!
//! Every night a model is trained on what is known, the rule judges it against the incumbent, and whoever is the
//! incumbent then forecasts the next day. All rules see the same models: the learner, the seed and the harmful
//! candidates are the same, and a rule that judges on a holdout keeps it from the training. A candidate is judged on its
//! night or never: who lacks evidence is not looked at again, and bets on one do not go on.

mod entry;
mod harm;
mod replaying;
mod report;
mod timeline;
mod trained;

use jiff::{SignedDuration, civil::Date};
use serde::Serialize;

use self::{replaying::Replaying, timeline::Timeline, trained::Trained};
use super::{
    Rule,
    spread::{Stage, Work},
};
use crate::{
    evaluation::TooLittleHistory,
    learning::Stopped,
    series::Frame,
    spec::{DatasetSpec, ModelSpec},
};

pub use report::{Replay, RuleReplay};

/// What is played.
#[derive(Debug, Clone)]
pub struct NightsSettings<'a> {
    /// What the history is of: of it counts only that its values are known at once. Covariates and holidays are left out.
    pub dataset: &'a DatasetSpec,
    /// The horizon, what is trained every night (the first learner and no other), how far it looks back, and the gate
    /// policy, as far as [`CertifySettings::model`](super::CertifySettings::model) says.
    pub model: &'a ModelSpec,
    /// How many nights.
    pub nights: usize,
    /// The rules to play with.
    pub rules: &'a [Rule],
    /// A level shift to plant, and to declare.
    pub shift: Option<LevelShift>,
    /// Every so many nights the candidate is a harmful one; never with 0.
    pub harmful_every: usize,
}

/// From a day on, all values are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LevelShift {
    /// The first local day.
    pub date: Date,
    /// By what; 0.3 takes 70 % away, 1 changes nothing and only declares a drift.
    pub factor: f64,
}

/// Why nights cannot be played.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NightsError {
    /// There is nothing.
    #[error("there is no value")]
    NoValue,
    /// Who forecast these nights would have known less than the replay knows.
    #[error("availability_delay {delay}: nights are played only where values are known at once")]
    Delay {
        /// Of the dataset.
        delay: SignedDuration,
    },
    /// The history does not even have a holdout.
    #[error(transparent)]
    NoHoldout(#[from] TooLittleHistory),
    /// The history is too short.
    #[error(
        "{needed} origins are needed: {nights} nights, {holdout} before them to judge on and {follow} after them; \
         the newer two thirds of the history have {has}"
    )]
    TooShort {
        /// Nights to play.
        nights: usize,
        /// Origins that rules judge on.
        holdout: usize,
        /// Origins that follow the last night.
        follow: usize,
        /// Origins that are needed.
        needed: usize,
        /// Origins that there are.
        has: usize,
    },
    /// The shift is not in one of the nights.
    #[error("shift {date}: is not one of the nights from {first} to {last}")]
    ShiftOutside {
        /// The day of the shift.
        date: Date,
        /// The first night.
        first: Date,
        /// The last.
        last: Date,
    },
    /// A factor that makes no history.
    #[error("shift factor {factor}: must be a positive number")]
    ShiftFactor {
        /// The factor.
        factor: f64,
    },
    /// The learner could not be fitted.
    #[error("learner {learner}: {reason}")]
    NotFitted {
        /// Which.
        learner: String,
        /// Why.
        reason: String,
    },
    /// Asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Plays the nights before the last four weeks of a history.
///
/// # Errors
/// A history that is too short for the nights or the learner, a shift outside of them, or [`Stopped`].
pub fn replay(frame: &Frame, settings: &NightsSettings<'_>, work: &Work<'_>) -> Result<Replay, NightsError> {
    let timeline = Timeline::lay(frame, settings)?;
    let shifted = settings.shift.map(|shift| timeline.shifted(frame, shift)).transpose()?;
    let frame = shifted.as_ref().unwrap_or(frame);
    let trained = Trained::all(frame, &timeline, settings, work)?;
    let replaying = Replaying { timeline: &timeline, trained: &trained, settings, stop: work.stop };
    let played =
        work.spread(Stage::Judging, settings.rules.len(), |rule| replaying.play(&settings.rules[rule]))?;
    Ok(report::sum_up(&timeline, settings, played))
}

#[cfg(test)]
mod tests;
