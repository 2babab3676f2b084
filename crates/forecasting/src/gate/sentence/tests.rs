//! Ties, digits, plurals and what may be left out; each objection's whole sentence is in `every_objection`.

use super::{
    every_objection::{origin, series, target},
    *,
};
use crate::{
    gate::{Course, SliceName},
    names::{AttributeText, CovariateName},
};

fn check(objection: &Objection, sentence: &str) {
    assert_eq!(objection.to_string(), sentence);
    let json = serde_json::to_string(objection).expect("is JSON");
    assert_eq!(&serde_json::from_str::<Objection>(&json).expect("was just written"), objection);
}

fn in_city(city: Option<&str>) -> SliceName {
    let name = CovariateName::new("city").expect("is a name");
    let value = city.map(|city| AttributeText::new(city).expect("is a text"));
    SliceName::Attribute { name, value }
}

#[test]
fn what_is_not_better_says_by_how_much() {
    let against = Side::Fallback;
    check(
        &Objection::AverageNotBetter { candidate: 0.8, opponent: 0.8, against },
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
    Objection::AverageMayBeLuck { candidate: 0.49, opponent: 0.5, against, p: 0.1416, alpha: 0.04, prospect }
}

fn tail(alpha: f64, prospect: Option<Prospect>) -> Objection {
    let against = Side::Incumbent;
    Objection::WorstCaseUnsure { ratio: 0.98, upper: 1.1004, allowed: 1.1, alpha, against, prospect }
}

#[test]
fn what_more_origins_would_tell_says_how_many_and_about_when() {
    let prospect = |needed_origins, expected| Some(Prospect { origins: 28, needed_origins, expected });
    let begin = luck(None).to_string();
    let expected = "2025-03-02T22:00:00Z".parse().expect("is a time");
    check(
        &luck(prospect(47, Some(expected))),
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
    let confidences = [(0.05, "95 %"), (0.16, "84 %"), (0.005, "99.5 %"), (0.0001, "99.99 %"), (0.1, "90 %")];
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
        &worse(SliceName::Hours(6, 8), Some(30)),
        "on hours 6 to 8, error 1.34 × the fallback's (at least 1.12 × with 95 % confidence; 1.10 allowed), \
         the worst of 30 slices that were searched",
    );
    let only = worse(SliceName::Weekend, Some(1)).to_string();
    assert!(only.ends_with("1.10 allowed), the only slice that was searched"), "{only}");
    let names = [
        (SliceName::Series(series()), "on series kiosk, "),
        (SliceName::Weekend, "on weekends, "),
        (SliceName::PeakHours, "on peak hours, "),
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
    let (origin, target) = (origin(), target());
    check(
        &Objection::OutOfRange {
            series: series(),
            origin,
            target,
            value: -3.5,
            least: 0.0,
            most: 900.0,
            others: 1,
        },
        "the candidate's forecast of series kiosk for 2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is -3.50, \
         and only 0 to 900 can be; so it is at 1 other point",
    );
    check(
        &Objection::ErrorTooLarge {
            series: series(),
            origin,
            target,
            error: 812.5,
            allowed: 500.0,
            others: 7,
        },
        "the candidate's forecast of series kiosk for 2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is off \
         by 812.50, and only 500 is allowed; so it is at 7 other points",
    );
    check(
        &Objection::ExceedsTooOften {
            above: 5.25,
            candidate_alone: 14,
            opponent_alone: 1,
            p: 0.0005,
            alpha: 0.05,
            against: Side::Incumbent,
        },
        "the incumbent's 99.9 % quantile 5.2500 is exceeded by the candidate alone at 14 points, by the \
         incumbent alone at 1; luck alone does that with a probability of 0.001 (more than 0.05 is needed)",
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
        series: series(),
        origin: origin(),
        target: target(),
        error: 812.5,
        limit: 500.0,
        others,
        seen_in_training,
    };
    check(
        &failed(1, false),
        "edge case 3: the candidate's forecast of series kiosk for 2025-03-01T05:00:00Z from \
         2025-03-01T00:00:00Z is off by 812.50, and only 500 is allowed; so it is at 1 other point",
    );
    check(
        &failed(0, true),
        "edge case 3, which its training has seen: the candidate's forecast of series kiosk for \
         2025-03-01T05:00:00Z from 2025-03-01T00:00:00Z is off by 812.50, and only 500 is allowed",
    );
}

#[test]
fn a_broken_contract_says_with_what_it_is_broken() {
    let broken = |course, part, others| Objection::ContractBroken {
        contract: "forecasts do not rise with price".to_owned(),
        series: series(),
        origin: origin(),
        change: "price up from 0.8 to 1.2".to_owned(),
        course,
        part,
        tolerance: 0.01,
        others,
    };
    let start = "contract: forecasts do not rise with price; with price up from 0.8 to 1.2, the candidate's \
                 forecast of series kiosk from 2025-03-01T00:00:00Z";
    let text = format!("{start} falls by 1.004 % (1.00 % allowed); 1 other forecast breaks it too");
    check(&broken(Course::Falls, 0.010_04, 1), &text);
    let text = format!("{start} is off by 50.00 % (1.00 % allowed); 63 other forecasts break it too");
    check(&broken(Course::IsOff, 0.5, 63), &text);
    check(
        &Objection::CoefficientOff {
            contract: "the coefficient of known-price is at most 0".to_owned(),
            coefficient: 0.0012,
            bound: 0.0,
        },
        "contract: the coefficient of known-price is at most 0; the candidate's is 0.001",
    );
}

#[test]
fn what_cannot_be_compared_says_why() {
    let unusable = Objection::ForecastUnusable {
        side: Side::Candidate,
        series: series(),
        origin: origin(),
        problem: "is NaN at step 3".to_owned(),
        others: 12,
    };
    check(
        &unusable,
        "the candidate's forecast of series kiosk from 2025-03-01T00:00:00Z is NaN at step 3; 12 other forecasts \
         cannot be used either",
    );
}
