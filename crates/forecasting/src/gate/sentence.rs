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
                let Some(slices) = searched else { return Ok(()) };
                write!(f, ", the worst of {slices} slices that were searched")
            }
            Objection::LargestTooLarge { candidate, opponent, allowed_ratio, against } => {
                write!(
                    f,
                    "largest error {candidate:.4} is more than {allowed_ratio} × the {against}'s {opponent:.4}"
                )
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
                shift,
                part,
                tolerance,
                others,
            } => {
                let [part, tolerance] = [part, tolerance].map(|part| 100.0 * part);
                write!(
                    f,
                    "contract: {contract}; with {change}, the candidate's forecast of series {series} "
                )?;
                write!(f, "from {origin} {shift} by {} % ", beside(part, tolerance))?;
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
mod tests {
    use super::*;
    use crate::{
        gate::{Shift, SliceName},
        names::{AttributeText, CovariateName, SeriesId},
    };

    fn check(objection: &Objection, sentence: &str) {
        assert_eq!(objection.to_string(), sentence);
        let json = serde_json::to_string(objection).expect("is JSON");
        assert_eq!(&serde_json::from_str::<Objection>(&json).expect("was just written"), objection);
    }

    fn akl() -> SeriesId {
        SeriesId::new("akl-1").expect("is an id")
    }

    fn in_city(city: Option<&str>) -> SliceName {
        let name = CovariateName::new("city").expect("is a name");
        let value = city.map(|city| AttributeText::new(city).expect("is a text"));
        SliceName::Attribute { name, value }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("is a time")
    }

    #[test]
    fn what_is_not_better_says_by_how_much() {
        let average =
            |candidate, opponent, against| Objection::AverageNotBetter { candidate, opponent, against };
        check(
            &average(0.82, 0.8, Side::Incumbent),
            "average error 0.8200 is not below the incumbent's 0.8000 (+2.5 %)",
        );
        check(
            &average(0.8, 0.8, Side::Fallback),
            "average error 0.8000 equals the fallback's; a tie keeps the fallback",
        );
        check(
            &Objection::WorstCaseNotBetter {
                candidate: 7.500_001,
                opponent: 7.500_000,
                against: Side::Incumbent,
                tail_points: 142,
                points: 14_112,
            },
            "worst-case error (mean of the worst 142 of 14112 points) 7.500001 is not below the incumbent's \
             7.500000 (+0.0 %)",
        );
    }

    fn luck(prospect: Option<Prospect>) -> Objection {
        let against = Side::Incumbent;
        Objection::AverageMayBeLuck {
            candidate: 0.49,
            opponent: 0.5,
            against,
            p: 0.1416,
            alpha: 0.04,
            prospect,
        }
    }

    fn tail(alpha: f64, prospect: Option<Prospect>) -> Objection {
        let against = Side::Incumbent;
        Objection::WorstCaseUnsure { ratio: 0.98, upper: 1.1004, allowed: 1.1, alpha, against, prospect }
    }

    #[test]
    fn what_more_origins_would_tell_says_how_many_and_about_when() {
        let prospect = |needed_origins, expected| Some(Prospect { origins: 28, needed_origins, expected });
        let begin = luck(None).to_string();
        check(
            &luck(prospect(47, Some(at("2025-03-02T22:00:00Z")))),
            &format!("{begin}; 19 more origins would tell, about 2025-03-02"),
        );
        check(&luck(prospect(29, None)), &format!("{begin}; 1 more origin would tell"));
        let begin = tail(0.005, None).to_string();
        assert!(begin.contains("with 99.5 % confidence"), "{begin}");
        check(&tail(0.005, prospect(112, None)), &format!("{begin}; 84 more origins would tell"));
    }

    #[test]
    fn a_level_that_is_a_part_of_another_reads_like_one_that_was_written() {
        // 0.07 · 4 / 5 has 17 digits.
        let numbers = [(4.0 * 0.07 / 5.0, "0.056"), (0.2, "0.2"), (0.005, "0.005"), (0.0001, "0.0001")];
        for (alpha, text) in numbers {
            assert_eq!(probability(alpha), text);
        }
        let confidences =
            [(0.05, "95 %"), (0.16, "84 %"), (0.005, "99.5 %"), (0.0001, "99.99 %"), (0.1, "90 %")];
        for (alpha, text) in confidences {
            assert_eq!(confidence(alpha), text);
        }
    }

    #[test]
    fn what_may_be_luck_says_how_likely_that_is() {
        check(
            &luck(None),
            "average error 0.4900 is below the incumbent's 0.5000 (-2.0 %), but luck alone does as well with a \
             probability of 0.142 (0.04 allowed)",
        );
        check(
            &Objection::TooFewOrigins { origins: 7, needed: 28 },
            "7 origins cannot tell a better candidate from a lucky one; 28 are needed",
        );
        check(
            &tail(0.05, None),
            "worst-case error 0.98 × the incumbent's, but up to 1.1004 × cannot be ruled out with 95 % \
             confidence (1.10 allowed)",
        );
    }

    #[test]
    fn what_is_worse_on_a_slice_names_it() {
        let worse = |slice, searched| Objection::WorseOnSlice {
            slice,
            ratio: 1.34,
            lower: 1.12,
            allowed: 1.1,
            alpha: 0.05,
            against: Side::Fallback,
            searched,
        };
        check(
            &worse(SliceName::Series(akl()), None),
            "on series akl-1, error 1.34 × the fallback's (at least 1.12 × with 95 % confidence; 1.10 allowed)",
        );
        check(
            &worse(SliceName::Hours(6, 8), Some(30)),
            "on hours 6 to 8, error 1.34 × the fallback's (at least 1.12 × with 95 % confidence; 1.10 allowed), \
             the worst of 30 slices that were searched",
        );
        let names = [
            (SliceName::Weekend, "on weekends, "),
            (SliceName::PeakHours, "on peak hours, "),
            (SliceName::Holidays, "on holidays, "),
            (in_city(Some("Kiel")), "on city=Kiel, "),
            (in_city(None), "on series without city, "),
            (SliceName::Small(1), "on 1 small slice, "),
            (SliceName::Small(3), "on 3 small slices together, "),
        ];
        for (name, start) in names {
            assert!(worse(name, None).to_string().starts_with(start));
        }
    }

    #[test]
    fn what_is_too_large_or_too_frequent_says_what_is_allowed() {
        let against = Side::Incumbent;
        let largest =
            Objection::LargestTooLarge { candidate: 9.0, opponent: 3.0, allowed_ratio: 2.0, against };
        check(&largest, "largest error 9.0000 is more than 2 × the incumbent's 3.0000");
        check(
            &Objection::ExceedsTooOften {
                above: 5.25,
                candidate_alone: 14,
                opponent_alone: 1,
                p: 0.0005,
                alpha: 0.05,
                against,
            },
            "the incumbent's 99.9 % quantile 5.2500 is exceeded by the candidate alone at 14 points, by the \
             incumbent alone at 1; luck alone does that with a probability of 0.001 (more than 0.05 is needed)",
        );
        let (origin, target) = (at("2025-03-01T00:00:00Z"), at("2025-03-01T05:00:00Z"));
        check(
            &Objection::OutOfRange {
                series: akl(),
                origin,
                target,
                value: -3.5,
                least: 0.0,
                most: 900.0,
                others: 1,
            },
            "the candidate's forecast of series akl-1 for 2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is -3.50, \
             and only 0 to 900 can be; so it is at 1 other point",
        );
        check(
            &Objection::ErrorTooLarge {
                series: akl(),
                origin,
                target,
                error: 812.5,
                allowed: 500.0,
                others: 7,
            },
            "the candidate's forecast of series akl-1 for 2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is off \
             by 812.50, and only 500 is allowed; so it is at 7 other points",
        );
        check(
            &Objection::CoverageOff { level: 80, held: 0.612, reach: 0.041, tolerance: 0.1, alpha: 0.025 },
            "the candidate's 80 % intervals held 61.2 % of the actuals (± 4.1 with 97.5 % confidence; 80 ± 10.0 % \
             allowed)",
        );
    }

    #[test]
    fn what_repeats_a_failure_names_the_edge_case() {
        let failed = |others, seen_in_training| Objection::EdgeCaseFailed {
            case: 3,
            series: akl(),
            origin: at("2025-03-01T00:00:00Z"),
            target: at("2025-03-01T05:00:00Z"),
            error: 812.5,
            limit: 500.0,
            others,
            seen_in_training,
        };
        check(
            &failed(1, false),
            "edge case 3: the candidate's forecast of series akl-1 for 2025-03-01T05:00:00Z from \
             2025-03-01T00:00:00Z is off by 812.50, and only 500 is allowed; so it is at 1 other point",
        );
        check(
            &failed(0, true),
            "edge case 3, which its training has seen: the candidate's forecast of series akl-1 for \
             2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is off by 812.50, and only 500 is allowed",
        );
        let problem = "is missing: no value before the origin is known".to_owned();
        let origin = at("2025-03-01T00:00:00Z");
        check(
            &Objection::EdgeCaseUnanswered { case: 3, series: akl(), origin, problem },
            "edge case 3: the candidate's forecast of series akl-1 from 2025-03-01T00:00:00Z is missing: no value \
             before the origin is known",
        );
        check(
            &Objection::EdgeCaseWithoutData { case: 3, series: akl() },
            "edge case 3: series akl-1 has nothing to compare with any more; bring its values back, or retire the \
             case",
        );
    }

    #[test]
    fn a_broken_contract_says_with_what_it_is_broken() {
        let broken = |shift, part, others| Objection::ContractBroken {
            contract: "forecasts do not rise with price".to_owned(),
            series: akl(),
            origin: at("2025-03-01T00:00:00Z"),
            change: "price up from 0.8 to 1.2".to_owned(),
            shift,
            part,
            tolerance: 0.01,
            others,
        };
        let start = "contract: forecasts do not rise with price; with price up from 0.8 to 1.2, the candidate's \
                     forecast of series akl-1 from 2025-03-01T00:00:00Z";
        check(&broken(Shift::Rises, 0.032, 0), &format!("{start} rises by 3.20 % (1.00 % allowed)"));
        let text = format!("{start} falls by 1.004 % (1.00 % allowed); 1 other forecast breaks it too");
        check(&broken(Shift::Falls, 0.010_04, 1), &text);
        let text = format!("{start} is off by 50.00 % (1.00 % allowed); 63 other forecasts break it too");
        check(&broken(Shift::IsOff, 0.5, 63), &text);
        check(
            &Objection::CoefficientOff {
                contract: "the coefficient of known-price is at most 0".to_owned(),
                coefficient: 0.0012,
                bound: 0.0,
            },
            "contract: the coefficient of known-price is at most 0; the candidate's is 0.001",
        );
        check(
            &Objection::NoSuchFeature {
                contract: "forecasts do not fall with year-sine-1".to_owned(),
                feature: "year-sine-1".to_owned(),
            },
            "contract: forecasts do not fall with year-sine-1; the candidate has no feature year-sine-1",
        );
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let unusable = |others| Objection::ForecastUnusable {
            side: Side::Candidate,
            series: akl(),
            origin: at("2025-03-01T00:00:00Z"),
            problem: "is NaN at step 3".to_owned(),
            others,
        };
        let sentence = "the candidate's forecast of series akl-1 from 2025-03-01T00:00:00Z is NaN at step 3";
        check(&unusable(0), sentence);
        check(&unusable(12), &format!("{sentence}; 12 other forecasts cannot be used either"));
        let nothing = Objection::NotComparable { problem: "there are no losses".to_owned() };
        check(&nothing, "the two sides cannot be compared: there are no losses");
    }
}
