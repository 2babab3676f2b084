//! The certified table.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    bench::Bench,
    cells::Wish,
    fits::{Effort, FitTask, Fits},
    spread::Work,
    tally::Share,
};
use crate::{learning::Stopped, series::Frame, spec::ModelSpec};

/// How thoroughly is certified.
#[derive(Debug, Clone, PartialEq)]
pub struct CertifySettings<'a> {
    /// Of it count horizon, gate policy and seed. Of the policy's slices series, weekends and peak hours: holidays and
    /// attributes are not known here. What is no comparison of losses is not asked: ranges, coverage, cost, contracts.
    pub model: &'a ModelSpec,
    /// Windows drawn for each cell.
    pub draws: usize,
    /// Windows drawn for each longer length; they cost more.
    pub draws_per_length: usize,
    /// Candidates that are followed until they are promoted.
    pub walks: usize,
    /// Trees of a fit.
    pub trees: u32,
    /// Fits of each of the four recipes.
    pub fits_per_recipe: usize,
}

impl<'a> CertifySettings<'a> {
    /// The table that is published.
    pub fn full(model: &'a ModelSpec) -> Self {
        Self { model, draws: 2000, draws_per_length: 500, walks: 100, trees: 100, fits_per_recipe: 3 }
    }

    /// Enough to see whether a change broke the gate, within a minute.
    pub fn quick(model: &'a ModelSpec) -> Self {
        Self { model, draws: 200, draws_per_length: 40, walks: 10, trees: 20, fits_per_recipe: 2 }
    }
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CertifyError {
    /// The history is too short.
    #[error("the newer half of the history has {has} origins, at least {needed} are needed")]
    TooShort {
        /// Origins that there are.
        has: usize,
        /// Origins that are needed.
        needed: usize,
    },
    /// Too few of the recipes can be fitted.
    #[error("{fitted} of the fits can forecast this history, at least 8 are needed ({})", left_out.join("; "))]
    TooFewFits {
        /// How many can.
        fitted: usize,
        /// Why the others cannot.
        left_out: Vec<String>,
    },
    /// The fits are too different.
    #[error("no two of the fits can be made equally good")]
    NoPairs,
    /// Asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Error rates of the gate, measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// Starts every random choice.
    pub seed: u64,
    /// Windows drawn for each cell.
    pub draws: usize,
    /// Origins of a window.
    pub window_origins: usize,
    /// Origins that windows are drawn from.
    pub origins: usize,
    /// The first of them.
    pub first_origin: Timestamp,
    /// Series with points.
    pub series: usize,
    /// Points of a window, on average.
    pub window_points: f64,
    /// The fits.
    pub fits: Vec<String>,
    /// Fits that could not be made.
    pub left_out: Vec<String>,
    /// The pairs of different fits.
    pub pairs: Pairs,
    /// What became of each kind of candidate.
    pub rows: Vec<Row>,
    /// What longer windows make of candidates that need time.
    pub longer: Vec<Longer>,
    /// Nights until a candidate that is 5 % better is promoted, for each rule.
    pub nights: Vec<NightsToPromote>,
}

/// Pairs of different fits, made equally good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pairs {
    /// How many.
    pub pairs: usize,
    /// Pairs that cannot be made equally good and were left out.
    pub unmatched: usize,
    /// The mean correlation of their errors.
    pub correlation: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// Pairs with a correlation of at least 0.9.
    pub alike: usize,
}

/// One kind of candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub cell: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What a perfect gate would do.
    pub wish: Wish,
    /// One for each of [`RULES`](super::RULES).
    pub outcomes: Vec<Outcome>,
}

/// What a rule made of one kind of candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outcome {
    /// The rule.
    pub rule: &'static str,
    /// How many were promoted.
    pub promoted: Share,
    /// How many of the pairs with a correlation of at least 0.9 were; `None` without such pairs.
    pub promoted_alike: Option<f64>,
    /// How many were told to come back with more evidence.
    pub not_enough: f64,
}

/// What Gatecast's gate makes of a candidate on longer windows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Longer {
    /// The kind of candidate.
    pub cell: &'static str,
    /// Origins of a window, and the share that is promoted on them.
    pub promoted: Vec<(usize, f64)>,
    /// The first of these lengths from which on at most 0.05 are, or at least 0.9 of what is better; `None` if that
    /// is none of them.
    pub needed_origins: Option<usize>,
}

/// How long a rule takes to see a gain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NightsToPromote {
    /// The rule.
    pub rule: &'static str,
    /// Half of the candidates are promoted by this night; `None` if half never are.
    pub median: Option<usize>,
    /// The share that is promoted at all within [`MOST_NIGHTS`].
    pub promoted: f64,
}

/// Candidates are followed for so many nights.
pub const MOST_NIGHTS: usize = 90;
const LEAST_FITS: usize = 8;
const LEAVES: u32 = 31;

/// Draws windows from the errors of real fits, plants effects, and counts what the rules make of them.
///
/// # Errors
/// A history that is too short for windows or fits, or [`Stopped`].
pub fn certify(
    frame: &Frame,
    settings: &CertifySettings<'_>,
    work: &Work<'_>,
) -> Result<Certificate, CertifyError> {
    let model = settings.model;
    let effort = Effort { trees: settings.trees, leaves: LEAVES, fits_per_recipe: settings.fits_per_recipe };
    let task = FitTask { horizon_steps: model.horizon_steps, seed: model.train.seed, effort };
    let needed = 2 * model.gate.needed_origins(&frame.grid, model.horizon_steps) as usize;
    let fits = Fits::make(frame, &task, work)?.ok_or(CertifyError::TooShort { has: 0, needed })?;
    let has = fits.points.of_origin.len();
    if has < needed {
        return Err(CertifyError::TooShort { has, needed });
    }
    if fits.fitted.len() < LEAST_FITS {
        return Err(CertifyError::TooFewFits { fitted: fits.fitted.len(), left_out: fits.left_out });
    }
    let bench = Bench::new(frame, &fits, settings, work)?;
    if bench.pairs().pairs == 0 {
        return Err(CertifyError::NoPairs);
    }
    let (rows, longer) = bench.judge_all(work)?;
    let nights = bench.follow(work)?;
    let series: std::collections::BTreeSet<u32> = fits.points.series.iter().copied().collect();
    Ok(Certificate {
        seed: model.train.seed,
        draws: settings.draws,
        window_origins: bench.window,
        origins: has,
        first_origin: fits.first_origin,
        series: series.len(),
        window_points: (fits.points.actual.len() * bench.window) as f64 / has as f64,
        fits: fits.fitted.iter().map(|fit| fit.name.clone()).collect(),
        left_out: fits.left_out.clone(),
        pairs: bench.pairs(),
        rows,
        longer,
        nights,
    })
}
