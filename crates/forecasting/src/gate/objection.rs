//! Why a candidate does not go live.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Objection::AverageNotBetter { candidate, opponent, against } => {
                write!(f, "average error {}", not_below(*candidate, *opponent, *against))
            }
            Objection::WorstCaseNotBetter { candidate, opponent, against, tail_points, points } => {
                let numbers = not_below(*candidate, *opponent, *against);
                write!(f, "worst-case error (mean of the worst {tail_points} of {points} points) {numbers}")
            }
            Objection::ForecastUnusable { side, series, origin, problem, others } => {
                write!(f, "the {side}'s forecast of series {series} from {origin} {problem}")?;
                match others {
                    0 => Ok(()),
                    1 => write!(f, "; 1 other forecast cannot be used either"),
                    _ => write!(f, "; {others} other forecasts cannot be used either"),
                }
            }
            Objection::NotComparable { problem } => write!(f, "the two sides cannot be compared: {problem}"),
            Objection::WrongArtifact { side, problem } => write!(f, "the {side} {problem}"),
            Objection::NotAsRecorded { field, candidate, recorded } => {
                write!(f, "the candidate's {field} is {candidate}, but {recorded} is recorded for its job")
            }
        }
    }
}

/// The two numbers with as many digits as show their difference.
fn not_below(candidate: f64, opponent: f64, against: Side) -> String {
    if candidate == opponent {
        return format!("{candidate:.4} equals the {against}'s; a tie keeps the {against}");
    }
    let digits = (4..17).find(|&digits| format!("{candidate:.digits$}") != format!("{opponent:.digits$}"));
    let digits = digits.unwrap_or(17);
    let percent = 100.0 * (candidate / opponent - 1.0);
    let change = if percent.is_finite() { format!(" ({percent:+.1} %)") } else { String::new() };
    format!("{candidate:.digits$} is not below the {against}'s {opponent:.digits$}{change}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_objection_is_a_sentence_with_its_numbers() {
        let series = SeriesId::new("akl-1").expect("is an id");
        let origin = "2025-03-01T00:00:00Z".parse().expect("is a time");
        let unusable = |others| Objection::ForecastUnusable {
            side: Side::Candidate,
            series: series.clone(),
            origin,
            problem: "is NaN at step 3".to_owned(),
            others,
        };
        let cases = [
            (
                Objection::AverageNotBetter { candidate: 0.82, opponent: 0.8, against: Side::Incumbent },
                "average error 0.8200 is not below the incumbent's 0.8000 (+2.5 %)",
            ),
            (
                Objection::AverageNotBetter { candidate: 0.8, opponent: 0.8, against: Side::Fallback },
                "average error 0.8000 equals the fallback's; a tie keeps the fallback",
            ),
            (
                Objection::WorstCaseNotBetter {
                    candidate: 7.500_001,
                    opponent: 7.500_000,
                    against: Side::Incumbent,
                    tail_points: 142,
                    points: 14_112,
                },
                "worst-case error (mean of the worst 142 of 14112 points) 7.500001 is not below the incumbent's \
                 7.500000 (+0.0 %)",
            ),
            (
                unusable(0),
                "the candidate's forecast of series akl-1 from 2025-03-01T00:00:00Z is NaN at step 3",
            ),
            (
                unusable(12),
                "the candidate's forecast of series akl-1 from 2025-03-01T00:00:00Z is NaN at step 3; 12 other \
                 forecasts cannot be used either",
            ),
        ];
        for (objection, sentence) in cases {
            assert_eq!(objection.to_string(), sentence);
        }
    }
}
