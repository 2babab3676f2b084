//! One of each objection with its whole sentence. One that is not here fails.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::{
    gate::{Course, SliceName},
    names::SeriesId,
};

const AGAINST: Side = Side::Incumbent;

pub(super) fn series() -> SeriesId {
    SeriesId::new("kiosk").expect("is an id")
}

pub(super) fn origin() -> Timestamp {
    "2025-03-01T00:00:00Z".parse().expect("is a time")
}

pub(super) fn target() -> Timestamp {
    "2025-03-01T05:00:00Z".parse().expect("is a time")
}

/// What losses may say.
fn on_losses() -> Vec<(Objection, &'static str)> {
    let (candidate, opponent, alpha, against) = (0.5, 0.4, 0.05, AGAINST);
    vec![
        (
            Objection::AverageNotBetter { candidate, opponent, against },
            "average error 0.5000 is not below the incumbent's 0.4000 (+25.0 %)",
        ),
        (
            Objection::AverageMayBeLuck {
                candidate: 0.38,
                opponent,
                against,
                p: 0.25,
                alpha,
                prospect: None,
            },
            "average error 0.3800 is below the incumbent's 0.4000 (-5.0 %), but luck alone does as well with a \
             probability of 0.250 (0.05 allowed)",
        ),
        (
            Objection::TooFewOrigins { origins: 3, needed: 28 },
            "3 origins cannot tell a better candidate from a lucky one; 28 are needed",
        ),
        (
            Objection::WorstCaseNotBetter { candidate, opponent, against, tail_points: 30, points: 672 },
            "worst-case error (mean of the worst 30 of 672 points) 0.5000 is not below the incumbent's 0.4000 \
             (+25.0 %)",
        ),
        (
            Objection::WorstCaseUnsure {
                ratio: 0.9,
                upper: 1.25,
                allowed: 1.1,
                alpha,
                against,
                prospect: None,
            },
            "worst-case error 0.90 × the incumbent's, but up to 1.25 × cannot be ruled out with 95 % confidence \
             (1.10 allowed)",
        ),
        (
            Objection::WorseOnSlice {
                slice: SliceName::Holidays,
                ratio: 1.5,
                lower: 1.25,
                allowed: 1.1,
                alpha,
                against,
                searched: None,
            },
            "on holidays, error 1.50 × the incumbent's (at least 1.25 × with 95 % confidence; 1.10 allowed)",
        ),
    ]
}

/// What single points, or the ends of intervals, may say.
fn on_limits() -> Vec<(Objection, &'static str)> {
    let (series, origin, target, others) = (series(), origin(), target(), 0);
    let (alpha, against) = (0.05, AGAINST);
    vec![
        (
            Objection::LargestTooLarge { candidate: 9.0, opponent: 3.0, allowed_ratio: 2.0, against },
            "largest error 9.0000 is more than 2 × the incumbent's 3.0000 (in scales of the series)",
        ),
        (
            Objection::ExceedsTooOften {
                above: 5.25,
                candidate_alone: 14,
                opponent_alone: 1,
                p: 0.012,
                alpha,
                against,
            },
            "the incumbent's 99.9 % quantile 5.2500 is exceeded by the candidate alone at 14 points, by the \
             incumbent alone at 1; luck alone does that with a probability of 0.012 (more than 0.05 is needed)",
        ),
        (
            Objection::CoverageOff { level: 80, held: 0.5, reach: 0.06, tolerance: 0.1, alpha },
            "the candidate's 80 % intervals held 50.0 % of the actuals (± 6.0 with 95 % confidence; 80 ± 10.0 % \
             allowed)",
        ),
        (
            Objection::OutOfRange {
                series: series.clone(),
                origin,
                target,
                value: -3.5,
                least: 0.0,
                most: 900.0,
                others,
            },
            "the candidate's forecast of series kiosk for 2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is -3.50, \
             and only 0 to 900 can be",
        ),
        (
            Objection::ErrorTooLarge { series, origin, target, error: 812.5, allowed: 500.0, others },
            "the candidate's forecast of series kiosk for 2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is off by \
             812.50, and only 500 is allowed",
        ),
    ]
}

/// What is a fact.
fn facts() -> Vec<(Objection, &'static str)> {
    let (series, origin, others) = (series(), origin(), 0);
    let (side, problem) = (Side::Candidate, "is NaN at step 3".to_owned());
    vec![
        (Objection::NoIntervals, "the candidate has no intervals, and what is in use has some"),
        (
            Objection::ArtifactTooLarge { size_bytes: 2_000_000, allowed_bytes: 1_000_000 },
            "the candidate's artifact has 2000000 bytes (1000000 allowed)",
        ),
        (
            Objection::TooSlow { timed: Timed::Loading, seconds: 2.5, allowed_seconds: 1.0 },
            "the candidate takes 2.50 s to be loaded (1 s allowed)",
        ),
        (
            Objection::TooSlow { timed: Timed::Answering { series: 21 }, seconds: 2.5, allowed_seconds: 1.0 },
            "the candidate takes 2.50 s to answer a request for 21 series (1 s allowed)",
        ),
        (
            Objection::ForecastUnusable { side, series, origin, problem, others },
            "the candidate's forecast of series kiosk from 2025-03-01T00:00:00Z is NaN at step 3",
        ),
        (
            Objection::NotComparable { problem: "there are no losses".to_owned() },
            "the two sides cannot be compared: there are no losses",
        ),
        (
            Objection::WrongArtifact { side, problem: "is an artifact of model a, not of b".to_owned() },
            "the candidate is an artifact of model a, not of b",
        ),
        (
            Objection::NotAsRecorded {
                field: "cut_off".to_owned(),
                candidate: "2025-03-01".to_owned(),
                recorded: "2025-02-01".to_owned(),
            },
            "the candidate's cut_off is 2025-03-01, but 2025-02-01 is recorded for its job",
        ),
    ]
}

fn on_edge_cases() -> Vec<(Objection, &'static str)> {
    let (series, origin, target, others) = (series(), origin(), target(), 0);
    vec![
        (
            Objection::EdgeCaseFailed {
                case: 3,
                series: series.clone(),
                origin,
                target,
                error: 812.5,
                limit: 500.0,
                others,
                seen_in_training: false,
            },
            "edge case 3: the candidate's forecast of series kiosk for 2025-03-01T05:00:00Z from \
             2025-03-01T00:00:00Z is off by 812.50, and only 500 is allowed",
        ),
        (
            Objection::EdgeCaseUnanswered {
                case: 3,
                series: series.clone(),
                origin,
                problem: "is NaN at step 3".to_owned(),
            },
            "edge case 3: the candidate's forecast of series kiosk from 2025-03-01T00:00:00Z is NaN at step 3",
        ),
        (
            Objection::EdgeCaseWithoutData { case: 3, series },
            "edge case 3: series kiosk has nothing to compare with any more; bring its values back, or retire the \
             case",
        ),
    ]
}

fn on_contracts() -> Vec<(Objection, &'static str)> {
    let contract = |text: &str| text.to_owned();
    vec![
        (
            Objection::ContractBroken {
                contract: contract("forecasts do not rise with price"),
                series: series(),
                origin: origin(),
                change: "price up from 0.8 to 1.2".to_owned(),
                course: Course::Rises,
                part: 0.032,
                tolerance: 0.01,
                others: 0,
            },
            "contract: forecasts do not rise with price; with price up from 0.8 to 1.2, the candidate's forecast of \
             series kiosk from 2025-03-01T00:00:00Z rises by 3.20 % (1.00 % allowed)",
        ),
        (
            Objection::CoefficientOff {
                contract: contract("the coefficient of known-price is at most 0"),
                coefficient: 0.25,
                bound: 0.0,
            },
            "contract: the coefficient of known-price is at most 0; the candidate's is 0.25",
        ),
        (
            Objection::NoSuchFeature {
                contract: contract("forecasts do not fall with year-sine-1"),
                feature: "year-sine-1".to_owned(),
            },
            "contract: forecasts do not fall with year-sine-1; the candidate has no feature year-sine-1",
        ),
    ]
}

/// The names of all kinds, as serde knows them: whatever the enum has, this has.
fn kinds() -> BTreeSet<String> {
    let unknown = serde_json::from_str::<Objection>(r#"{"objection":"?"}"#).expect_err("there is none");
    let unknown = unknown.to_string();
    let (_, expected) = unknown.split_once("expected one of ").expect("lists what it knows");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn kind(objection: &Objection) -> String {
    let json = serde_json::to_value(objection).expect("is JSON");
    json["objection"].as_str().expect("is its name").to_owned()
}

#[test]
fn every_objection_says_its_sentence() {
    let all = [on_losses(), on_limits(), facts(), on_edge_cases(), on_contracts()].concat();
    for (objection, sentence) in &all {
        assert_eq!(objection.to_string(), *sentence);
        let json = serde_json::to_string(objection).expect("is JSON");
        assert_eq!(serde_json::from_str::<Objection>(&json).expect("was just written"), *objection);
    }
    let told: BTreeSet<String> = all.iter().map(|(objection, _)| kind(objection)).collect();
    assert_eq!(told, kinds(), "each kind of objection has its sentence here");
}
