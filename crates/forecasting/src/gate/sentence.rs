//! Objections as people read them: one sentence each, with its numbers.

use std::fmt::{self, Display, Formatter};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Objection, Prospect, Side, Timed};

impl Display for Objection {
    #[expect(clippy::too_many_lines, reason = "one sentence after the other")]
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Objection::AverageNotBetter { candidate, opponent, against } => {
                write!(f, "average error {}", not_below(*candidate, *opponent, *against))
            }
            Objection::AverageMayBeLuck { candidate, opponent, against, p, alpha, prospect } => {
                let lower = set_against(*candidate, "is below", *opponent, *against);
                write!(
                    f,
                    "average error {lower}, but luck alone does as well with a probability of {p:.3} "
                )?;
                write!(f, "({} allowed){}", probability(*alpha), told(prospect.as_ref()))
            }
            Objection::TooFewOrigins { origins, needed } => {
                write!(
                    f,
                    "{origins} origins cannot tell a better candidate from a lucky one; {needed} are needed"
                )
            }
            Objection::WorstCaseNotBetter { candidate, opponent, against, tail_points, points } => {
                let numbers = not_below(*candidate, *opponent, *against);
                write!(f, "worst-case error (mean of the worst {tail_points} of {points} points) {numbers}")
            }
            Objection::WorstCaseUnsure { ratio, upper, allowed, alpha, against, prospect } => {
                let (ratio, upper) = (beside(*ratio, 1.0), beside(*upper, *allowed));
                write!(
                    f,
                    "worst-case error {ratio} × the {against}'s, but up to {upper} × cannot be ruled out "
                )?;
                let told = told(prospect.as_ref());
                write!(f, "with {} confidence ({allowed:.2} allowed){told}", confidence(*alpha))
            }
            Objection::WorseOnSlice { slice, ratio, lower, allowed, alpha, against, searched } => {
                let (ratio, lower) = (beside(*ratio, *allowed), beside(*lower, *allowed));
                write!(f, "on {slice}, error {ratio} × the {against}'s (at least {lower} × ")?;
                write!(f, "with {} confidence; {allowed:.2} allowed)", confidence(*alpha))?;
                match searched {
                    None => Ok(()),
                    Some(1) => f.write_str(", the only slice that was searched"),
                    Some(slices) => write!(f, ", the worst of {slices} slices that were searched"),
                }
            }
            Objection::LargestTooLarge { candidate, opponent, allowed_ratio, against } => {
                write!(
                    f,
                    "largest error {candidate:.4} is more than {allowed_ratio} × the {against}'s {opponent:.4} "
                )?;
                f.write_str("(in scales of the series)")
            }
            Objection::ExceedsTooOften { above, candidate_alone, opponent_alone, p, alpha, against } => {
                write!(
                    f,
                    "the {against}'s 99.9 % quantile {above:.4} is exceeded by the candidate alone at "
                )?;
                write!(
                    f,
                    "{candidate_alone} points, by the {against} alone at {opponent_alone}; luck alone does "
                )?;
                write!(f, "that with a probability of {p:.3} (more than {alpha} is needed)")
            }
            Objection::OutOfRange { series, origin, target, value, least, most, others } => {
                let value = beside(*value, if value < least { *least } else { *most });
                write!(
                    f,
                    "the candidate's forecast of series {series} for {target} from {origin} is {value}, "
                )?;
                write!(f, "and only {least} to {most} can be{}", and_others(*others))
            }
            Objection::ErrorTooLarge { series, origin, target, error, allowed, others } => {
                let error = beside(*error, *allowed);
                write!(
                    f,
                    "the candidate's forecast of series {series} for {target} from {origin} is off by "
                )?;
                write!(f, "{error}, and only {allowed} is allowed{}", and_others(*others))
            }
            Objection::CoverageOff { level, held, reach, tolerance, alpha } => {
                let [held, reach, tolerance] = [held, reach, tolerance].map(|share| 100.0 * share);
                write!(
                    f,
                    "the candidate's {level} % intervals held {held:.1} % of the actuals (± {reach:.1} "
                )?;
                write!(f, "with {} confidence; {level} ± {tolerance:.1} % allowed)", confidence(*alpha))
            }
            Objection::NoIntervals => {
                f.write_str("the candidate has no intervals, and what is in use has some")
            }
            Objection::ArtifactTooLarge { size_bytes, allowed_bytes } => {
                write!(f, "the candidate's artifact has {size_bytes} bytes ({allowed_bytes} allowed)")
            }
            Objection::TooSlow { timed, seconds, allowed_seconds } => {
                let seconds = beside(*seconds, *allowed_seconds);
                write!(f, "the candidate takes {seconds} s to {} ({allowed_seconds} s allowed)", task(*timed))
            }
            Objection::EdgeCaseFailed {
                case,
                series,
                origin,
                target,
                error,
                limit,
                others,
                seen_in_training,
            } => {
                let seen = if *seen_in_training { ", which its training has seen" } else { "" };
                let error = beside(*error, *limit);
                write!(
                    f,
                    "edge case {case}{seen}: the candidate's forecast of series {series} for {target} from "
                )?;
                write!(f, "{origin} is off by {error}, and only {limit} is allowed{}", and_others(*others))
            }
            Objection::EdgeCaseUnanswered { case, series, origin, problem } => {
                write!(
                    f,
                    "edge case {case}: the candidate's forecast of series {series} from {origin} {problem}"
                )
            }
            Objection::EdgeCaseWithoutData { case, series } => {
                write!(f, "edge case {case}: series {series} has nothing to compare with any more; ")?;
                write!(f, "bring its values back, or retire the case")
            }
            Objection::ContractBroken {
                contract,
                series,
                origin,
                change,
                course,
                part,
                tolerance,
                others,
            } => {
                let [part, tolerance] = [part, tolerance].map(|part| 100.0 * part);
                write!(
                    f,
                    "contract: {contract}; with {change}, the candidate's forecast of series {series} "
                )?;
                write!(f, "from {origin} {course} by {} % ", beside(part, tolerance))?;
                write!(f, "({tolerance:.2} % allowed)")?;
                match others {
                    0 => Ok(()),
                    1 => f.write_str("; 1 other forecast breaks it too"),
                    _ => write!(f, "; {others} other forecasts break it too"),
                }
            }
            Objection::CoefficientOff { contract, coefficient, bound } => {
                write!(f, "contract: {contract}; the candidate's is {}", beside(*coefficient, *bound))
            }
            Objection::NoSuchFeature { contract, feature } => {
                write!(f, "contract: {contract}; the candidate has no feature {feature}")
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

fn not_below(candidate: f64, opponent: f64, against: Side) -> String {
    if candidate == opponent {
        return format!("{candidate:.4} equals the {against}'s; a tie keeps the {against}");
    }
    set_against(candidate, "is not below", opponent, against)
}

/// The two numbers with as many digits as show their difference.
fn set_against(candidate: f64, relation: &str, opponent: f64, against: Side) -> String {
    let digits = telling_digits(candidate, opponent, 4);
    let percent = 100.0 * (candidate / opponent - 1.0);
    let change = if percent.is_finite() { format!(" ({percent:+.1} %)") } else { String::new() };
    format!("{candidate:.digits$} {relation} the {against}'s {opponent:.digits$}{change}")
}

/// A number with as many digits as show on which side of a limit it is.
pub fn beside(number: f64, limit: f64) -> String {
    let digits = telling_digits(number, limit, 2);
    format!("{number:.digits$}")
}

/// What bets are worth and what they must be, as `3.1` and `20`.
pub(super) fn beside_needed(wealth: f64, needed: f64) -> [String; 2] {
    let digits = telling_digits(wealth, needed, 1);
    // What grew by nine tenths every day is a number that nobody can read.
    let worth = if wealth < 1e6 { format!("{wealth:.digits$}") } else { "a million or more".to_owned() };
    [worth, format!("{needed:.1}").trim_end_matches(".0").to_owned()]
}

/// One less `alpha`, as `95 %`.
pub fn confidence(alpha: f64) -> String {
    let percent = format!("{:.2}", 100.0 * (1.0 - alpha));
    format!("{} %", without_zeros(&percent))
}

/// As `0.04`.
fn probability(alpha: f64) -> String {
    without_zeros(&format!("{alpha:.5}")).to_owned()
}

/// Of a number with a point.
fn without_zeros(number: &str) -> &str {
    number.trim_end_matches('0').trim_end_matches('.')
}

fn told(prospect: Option<&Prospect>) -> String {
    let Some(prospect) = prospect else { return String::new() };
    let origins = match prospect.more_origins() {
        1 => "1 more origin".to_owned(),
        more => format!("{more} more origins"),
    };
    let about = prospect.expected.map(|at| format!(", about {}", date(at))).unwrap_or_default();
    format!("; {origins} would tell{about}")
}

/// The day in UTC.
pub(super) fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn telling_digits(one: f64, other: f64, least: usize) -> usize {
    let differ = |digits: &usize| format!("{one:.digits$}") != format!("{other:.digits$}");
    (least..17).find(differ).unwrap_or(least)
}

fn task(timed: Timed) -> String {
    match timed {
        Timed::Loading => "be loaded".to_owned(),
        Timed::Answering { series } => format!("answer a request for {series} series"),
    }
}

fn and_others(others: u64) -> String {
    match others {
        0 => String::new(),
        1 => "; so it is at 1 other point".to_owned(),
        _ => format!("; so it is at {others} other points"),
    }
}

#[cfg(test)]
mod every_objection;

#[cfg(test)]
mod tests;
