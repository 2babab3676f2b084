//! The legs of the gate as rows of a table: what each computed, what it allowed, and whether it passed.

use forecasting::gate::{
    AverageTest, CoverageTest, Exceedances, Judgement, Largest, Objection, SearchedTest, SliceTest,
    Statistics, Verdict, WorstCaseTest, beside, confidence,
};

use crate::terminal::cut;

/// Widest name of a leg.
const NAME: usize = 20;

/// One leg.
pub(super) struct Leg {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// What it computed and what it allowed.
    pub(super) told: String,
}

/// What a leg said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passes,
    Fails,
    /// It was measured and decides nothing.
    Counted,
    /// The candidate had failed before.
    NotAsked,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Passes => "passes",
            Outcome::Fails => "fails",
            Outcome::Counted => "counted",
            Outcome::NotAsked => "not asked",
        }
    }

    fn unless(fails: bool) -> Self {
        if fails { Outcome::Fails } else { Outcome::Passes }
    }
}

/// Every leg; none where a fact, or too little evidence, came before all of them.
pub(super) fn of(judgement: &Judgement) -> Vec<Leg> {
    let objections = Objections::of(judgement);
    let Statistics {
        average, worst_case, bootstrap, slices, searched, largest, exceedances, coverage, ..
    } = &judgement.statistics;
    if largest.is_none() {
        return Vec::new(); // it is measured first of all
    }
    let alpha = bootstrap.as_ref().map(|bootstrap| bootstrap.alpha);
    let mut legs = Vec::new();
    legs.extend(average.as_ref().map(|test| average_leg(test, &objections)));
    legs.push(worst_case_leg(worst_case.as_ref(), alpha, &objections));
    if bootstrap.is_none() {
        legs.push(Leg { name: "slices".to_owned(), outcome: Outcome::NotAsked, told: RESAMPLED.to_owned() });
    }
    legs.extend(slices.iter().map(|test| slice_leg(test, alpha, &objections)));
    legs.extend(searched.as_ref().map(|test| searched_leg(test, &objections)));
    legs.extend(largest.as_ref().map(|measured| largest_leg(measured, &objections)));
    legs.extend(exceedances.as_ref().map(|counted| {
        let alpha = average.as_ref().map(|test| test.alpha);
        exceedances_leg(counted, alpha, &objections)
    }));
    legs.extend(coverage.iter().map(|test| coverage_leg(test, &objections)));
    legs
}

const RESAMPLED: &str = "only a candidate that has not failed yet is resampled";

/// What the gate held against the candidate.
struct Objections<'a>(&'a [Objection]);

impl<'a> Objections<'a> {
    fn of(judgement: &'a Judgement) -> Self {
        if let Verdict::KeepIncumbent(objections) = &judgement.verdict { Self(objections) } else { Self(&[]) }
    }

    fn any(&self, is_its: impl Fn(&Objection) -> bool) -> bool {
        self.0.iter().any(is_its)
    }
}

fn average_leg(test: &AverageTest, objections: &Objections<'_>) -> Leg {
    let AverageTest {
        origins,
        mean_gain,
        standard_error,
        statistic,
        critical,
        degrees_of_freedom,
        p,
        alpha,
        ..
    } = test;
    let luck = match (statistic, p) {
        (Some(statistic), Some(p)) => format!(
            "t = {}, above {critical:.2} needed ({degrees_of_freedom:.1} degrees of freedom); p = {p:.4}, {alpha} \
             allowed",
            beside(*statistic, *critical)
        ),
        _ => "the same at every origin".to_owned(),
    };
    let fails = objections.any(|objection| {
        matches!(
            objection,
            Objection::AverageNotBetter { .. }
                | Objection::AverageMayBeLuck { .. }
                | Objection::TooFewOrigins { .. }
        )
    });
    Leg {
        name: "average".to_owned(),
        outcome: Outcome::unless(fails),
        told: format!("gain {mean_gain:.4} ± {standard_error:.4} per origin, {origins} origins; {luck}"),
    }
}

fn worst_case_leg(test: Option<&WorstCaseTest>, alpha: Option<f64>, objections: &Objections<'_>) -> Leg {
    let name = "worst case".to_owned();
    let fails = objections.any(|objection| {
        matches!(objection, Objection::WorstCaseNotBetter { .. } | Objection::WorstCaseUnsure { .. })
    });
    let Some(WorstCaseTest { tail_points, points, ratio, upper, allowed }) = test else {
        let outcome = if fails { Outcome::Fails } else { Outcome::NotAsked };
        let told = if fails { "not below as measured, and so not resampled" } else { RESAMPLED };
        return Leg { name, outcome, told: told.to_owned() };
    };
    let (ratio, upper) = (beside(*ratio, 1.0), beside(*upper, *allowed));
    Leg {
        name,
        outcome: Outcome::unless(fails),
        told: format!(
            "ratio {ratio}, at most {upper}{}; below {allowed:.2} allowed; the worst {tail_points} of {points} points",
            with(alpha)
        ),
    }
}

fn slice_leg(test: &SliceTest, alpha: Option<f64>, objections: &Objections<'_>) -> Leg {
    let fails = objections.any(|objection| {
        matches!(objection, Objection::WorseOnSlice { slice, searched: None, .. } if *slice == test.slice)
    });
    Leg {
        name: cut(&test.slice.to_string(), NAME),
        outcome: Outcome::unless(fails),
        told: slice(test, &with(alpha)),
    }
}

fn searched_leg(test: &SearchedTest, objections: &Objections<'_>) -> Leg {
    let SearchedTest { slices, worst, statistic, critical } = test;
    let fails =
        objections.any(|objection| matches!(objection, Objection::WorseOnSlice { searched: Some(_), .. }));
    Leg {
        name: "searched".to_owned(),
        outcome: Outcome::unless(fails),
        told: format!(
            "the worst of {slices} slices is {}: {}; t = {statistic:.2} of {critical:.2}",
            worst.slice,
            slice(worst, " for all at once")
        ),
    }
}

fn slice(test: &SliceTest, with: &str) -> String {
    let SliceTest { points, origins, ratio, lower, upper, allowed, is_negligible, .. } = test;
    let bounds = match (lower, upper) {
        (Some(lower), Some(upper)) => {
            format!(", {} to {upper:.2}{with}; {allowed:.2} allowed", beside(*lower, *allowed))
        }
        _ => ", too small to be judged".to_owned(),
    };
    let harmless = if *is_negligible { "; so small that it does no harm" } else { "" };
    format!("ratio {}{bounds}{harmless}; {points} points of {origins} origins", beside(*ratio, 1.0))
}

fn largest_leg(measured: &Largest, objections: &Objections<'_>) -> Leg {
    let Largest { candidate, opponent, allowed_ratio } = measured;
    let fails = objections.any(|objection| matches!(objection, Objection::LargestTooLarge { .. }));
    Leg {
        name: "largest error".to_owned(),
        outcome: Outcome::unless(fails),
        told: format!("{candidate:.4} against {opponent:.4}; {allowed_ratio} × allowed"),
    }
}

/// Only where the policy says so it is a leg; where it found something and nothing was objected, it is not.
fn exceedances_leg(counted: &Exceedances, alpha: Option<f64>, objections: &Objections<'_>) -> Leg {
    let Exceedances { above, candidate_alone, opponent_alone, both, p } = counted;
    let fails = objections.any(|objection| matches!(objection, Objection::ExceedsTooOften { .. }));
    let is_no_leg = !fails && alpha.is_some_and(|alpha| *p <= alpha);
    Leg {
        name: "huge errors".to_owned(),
        outcome: if is_no_leg { Outcome::Counted } else { Outcome::unless(fails) },
        told: format!(
            "above {above:.4}: the candidate alone {candidate_alone}, the other alone {opponent_alone}, both {both}; \
             p = {p:.3}"
        ),
    }
}

fn coverage_leg(test: &CoverageTest, objections: &Objections<'_>) -> Leg {
    let CoverageTest { level, held, reach, tolerance } = test;
    let fails = objections
        .any(|objection| matches!(objection, Objection::CoverageOff { level, .. } if *level == test.level));
    let [held, reach, tolerance] = [held, reach, tolerance].map(|share| 100.0 * share);
    Leg {
        name: format!("{level} % intervals"),
        outcome: Outcome::unless(fails),
        told: format!("held {held:.1} % ± {reach:.1} %; {level} ± {tolerance:.1} % allowed"),
    }
}

fn with(alpha: Option<f64>) -> String {
    alpha.map(|alpha| format!(" with {} confidence", confidence(alpha))).unwrap_or_default()
}
