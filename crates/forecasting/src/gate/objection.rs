//! Why a candidate does not go live.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Prospect, SliceName, Timed};
use crate::names::SeriesId;

/// What one leg of the gate holds against a candidate; displayed as a sentence with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "objection", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Objection {
    /// The average error is not lower.
    AverageNotBetter {
        /// Average error of the candidate.
        candidate: f64,
        /// Average error of the side that it competes with.
        opponent: f64,
        /// Which side that is.
        against: Side,
    },
    /// The average error is lower, but luck may have made it so.
    AverageMayBeLuck {
        /// Average error of the candidate.
        candidate: f64,
        /// Average error of the side that it competes with.
        opponent: f64,
        /// Which side that is.
        against: Side,
        /// How often luck alone does as well.
        p: f64,
        /// How often it may.
        alpha: f64,
        /// When it would be told from luck; where it is waited for, it and the worst case. `None`: not within years, or no
        /// look is left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prospect: Option<Prospect>,
    },
    /// So few origins that luck cannot be told from anything.
    TooFewOrigins {
        /// Origins that were compared.
        origins: u32,
        /// Origins that are needed.
        needed: u32,
    },
    /// The worst-case error is not lower.
    WorstCaseNotBetter {
        /// Worst-case error of the candidate.
        candidate: f64,
        /// Worst-case error of the side that it competes with.
        opponent: f64,
        /// Which side that is.
        against: Side,
        /// Points in the tail.
        tail_points: u64,
        /// All points.
        points: u64,
    },
    /// The worst-case error is lower, but may truly be much higher.
    WorstCaseUnsure {
        /// Candidate over opponent, as measured.
        ratio: f64,
        /// What the ratio may be with confidence `1 - alpha`.
        upper: f64,
        /// What it must be below.
        allowed: f64,
        /// One less the confidence.
        alpha: f64,
        /// Which side it competes with.
        against: Side,
        /// When that and the average would be told; `None` likewise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prospect: Option<Prospect>,
    },
    /// The error on a slice is much higher, and not by luck.
    WorseOnSlice {
        /// Which slice.
        slice: SliceName,
        /// Mean loss there, candidate over opponent, as measured.
        ratio: f64,
        /// What the ratio is at least with confidence `1 - alpha`.
        lower: f64,
        /// What that may be at most.
        allowed: f64,
        /// One less the confidence.
        alpha: f64,
        /// Which side it competes with.
        against: Side,
        /// Of how many slices that were searched it is the worst; `None` if it was declared.
        searched: Option<u32>,
    },
    /// The largest loss is far beyond the other side's.
    LargestTooLarge {
        /// Largest loss of the candidate.
        candidate: f64,
        /// Largest loss of the side that it competes with.
        opponent: f64,
        /// How many times as large it may be.
        allowed_ratio: f64,
        /// Which side it competes with.
        against: Side,
    },
    /// Huge errors are more frequent.
    ExceedsTooOften {
        /// The 99.9 % quantile of the losses of the side that it competes with.
        above: f64,
        /// Points where the candidate alone exceeds it.
        candidate_alone: u32,
        /// Points where the other side alone does.
        opponent_alone: u32,
        /// How often luck alone has as large a part.
        p: f64,
        /// How often it may.
        alpha: f64,
        /// Which side it competes with.
        against: Side,
    },
    /// The candidate forecast what cannot be.
    OutOfRange {
        /// Of which series: the first such forecast.
        series: SeriesId,
        /// From when.
        origin: Timestamp,
        /// For when.
        target: Timestamp,
        /// What it said.
        value: f64,
        /// The least that is possible.
        least: f64,
        /// The most that is possible.
        most: f64,
        /// How many more points are out of range.
        others: u64,
    },
    /// The candidate is further off than it may ever be.
    ErrorTooLarge {
        /// On which series: the first such error.
        series: SeriesId,
        /// From when it was forecast.
        origin: Timestamp,
        /// When that was.
        target: Timestamp,
        /// The absolute error, in the unit of the values.
        error: f64,
        /// The largest that is allowed.
        allowed: f64,
        /// How many more errors are as large.
        others: u64,
    },
    /// Intervals hold fewer or more of the actuals than they say.
    CoverageOff {
        /// How many they say, in percent.
        level: u8,
        /// How many they did, from 0 to 1.
        held: f64,
        /// How far off that may be by luck with confidence `1 - alpha`.
        reach: f64,
        /// How far from the level is allowed.
        tolerance: f64,
        /// One less the confidence.
        alpha: f64,
    },
    /// The candidate has no intervals, and the version in use has some.
    NoIntervals,
    /// The artifact is larger than a forecaster is asked to hold.
    ArtifactTooLarge {
        /// Its size.
        size_bytes: u64,
        /// The largest that is allowed.
        allowed_bytes: u64,
    },
    /// The candidate takes longer than anybody is asked to wait.
    TooSlow {
        /// To do what.
        timed: Timed,
        /// How long it took, the fastest of several times.
        seconds: f64,
        /// The longest that is allowed.
        allowed_seconds: f64,
    },
    /// The candidate repeats a failure that was put into the bank of edge cases.
    EdgeCaseFailed {
        /// Number of the edge case.
        case: u32,
        /// On which series: the largest error of the case.
        series: SeriesId,
        /// From when it was forecast.
        origin: Timestamp,
        /// When that was.
        target: Timestamp,
        /// The absolute error, in the unit of the values.
        error: f64,
        /// The largest that the case allows.
        limit: f64,
        /// How many more points of the case are off by more.
        others: u64,
        /// Whether the candidate's training reached into the case.
        seen_in_training: bool,
    },
    /// The candidate has no forecast of an edge case, or one that is no number.
    EdgeCaseUnanswered {
        /// Number of the edge case.
        case: u32,
        /// Of which series: the first such forecast.
        series: SeriesId,
        /// From when.
        origin: Timestamp,
        /// What is wrong with it: continues "the forecast …".
        problem: String,
    },
    /// An edge case cannot be tested any more, by no candidate, until it is mended or retired.
    EdgeCaseWithoutData {
        /// Number of the edge case.
        case: u32,
        /// The first series without anything to compare.
        series: SeriesId,
    },
    /// With another input a forecast of the candidate moves as a contract of its model excludes.
    ContractBroken {
        /// The contract, as a sentence.
        contract: String,
        /// Of which series: the worst such forecast.
        series: SeriesId,
        /// From when.
        origin: Timestamp,
        /// What is other about the input: continues "with …".
        change: String,
        /// Which way it moves.
        course: Course,
        /// By which part of its size.
        part: f64,
        /// Which part is allowed.
        tolerance: f64,
        /// How many other forecasts move by more than that.
        others: u64,
    },
    /// A coefficient of the candidate is beyond what a contract of its model says.
    CoefficientOff {
        /// The contract, as a sentence.
        contract: String,
        /// What the coefficient is.
        coefficient: f64,
        /// What it is beyond.
        bound: f64,
    },
    /// A contract is about a feature that the candidate should have and has not.
    NoSuchFeature {
        /// The contract, as a sentence.
        contract: String,
        /// The feature that it names.
        feature: String,
    },
    /// A side left out a forecast, or gave one that is no number.
    ForecastUnusable {
        /// Whose forecast.
        side: Side,
        /// Of which series: the first such forecast of the side.
        series: SeriesId,
        /// From when.
        origin: Timestamp,
        /// What is wrong with it: continues "the forecast …".
        problem: String,
        /// How many more forecasts of the side cannot be used.
        others: u64,
    },
    /// The two sides cannot be compared in numbers.
    NotComparable {
        /// Why.
        problem: String,
    },
    /// A side was made for another model, dataset or grid.
    WrongArtifact {
        /// Which side.
        side: Side,
        /// What it was made for, and what would be right.
        problem: String,
    },
    /// The candidate's artifact says something else about its training than the registry.
    NotAsRecorded {
        /// About what: `cut_off`, `as_of` or `spec_hash`.
        field: String,
        /// What the artifact says.
        candidate: String,
        /// What was recorded for the job.
        recorded: String,
    },
}

/// One of those that compete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The version that wants to go live.
    Candidate,
    /// The version in use.
    Incumbent,
    /// The simple model that a first candidate competes with.
    Fallback,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Candidate => "candidate",
            Side::Incumbent => "incumbent",
            Side::Fallback => "fallback",
        })
    }
}

/// Which way a forecast moves with an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// Up, and it should not.
    Rises,
    /// Down, and it should not.
    Falls,
    /// Not as far, or not the way, that it should.
    IsOff,
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Course::Rises => "rises",
            Course::Falls => "falls",
            Course::IsOff => "is off",
        })
    }
}
