//! The legs of the gate as rows of a table: what each computed, what it allowed, and whether it passed.

use forecasting::gate::{
    AverageTest, ContractTest, CoverageTest, EdgeCaseTest, Exceedances, Judgement, Largest, Measured,
    Objection, SearchedTest, SinceShift, SliceTest, Statistics, Verdict, WorstCaseTest, beside, confidence,
};
use jiff::SignedDuration;

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
    /// It may be luck: more evidence is waited for.
    Unsure,
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
            Outcome::Unsure => "unsure",
            Outcome::Counted => "counted",
            Outcome::NotAsked => "not asked",
        }
    }
}

/// Every leg; of those that compare losses none where a fact, or too little evidence, came before all of them.
pub(super) fn of(judgement: &Judgement) -> Vec<Leg> {
    let objections = Objections::of(judgement);
    let Statistics {
        average,
        since_shift,
        worst_case,
        bootstrap,
        slices,
        searched,
        largest,
        exceedances,
        coverage,
        ..
    } = &judgement.statistics;
    let mut legs = facts(judgement);
    legs.extend(since_shift.as_ref().map(|bets| bets_leg(bets, judgement)));
    if largest.is_none() {
        return legs; // it is measured first of all
    }
    let alpha = bootstrap.as_ref().map(|bootstrap| bootstrap.alpha);
    let why_not = if since_shift.is_some() { FEW } else { FAILED };
    legs.extend(average.as_ref().map(|test| average_leg(test, &objections)));
    legs.push(worst_case_leg(worst_case.as_ref(), why_not, &objections));
    if bootstrap.is_none() {
        legs.push(Leg { name: "slices".to_owned(), outcome: Outcome::NotAsked, told: why_not.to_owned() });
    }
    legs.extend(slices.iter().map(|test| slice_leg(test, alpha, &objections)));
    legs.extend(searched.as_ref().map(|test| searched_leg(test, &objections)));
    legs.extend(largest.as_ref().map(|measured| largest_leg(measured, &objections)));
    legs.extend(exceedances.as_ref().map(|counted| exceedances_leg(counted, &objections)));
    legs.extend(coverage.iter().map(|test| coverage_leg(test, &objections)));
    legs
}

/// What was found out about the candidate alone, whatever else is known.
fn facts(judgement: &Judgement) -> Vec<Leg> {
    let Statistics { contracts, edge_cases, .. } = &judgement.statistics;
    let mut legs = Vec::new();
    legs.extend(judgement.evidence.measured.map(|measured| cost_leg(&measured, &Objections::of(judgement))));
    if Objections::of(judgement).outcome(|objection| *objection == Objection::NoIntervals) == Outcome::Fails {
        let told = "none, and what is in use has some".to_owned();
        legs.push(Leg { name: "intervals".to_owned(), outcome: Outcome::Fails, told });
    }
    legs.extend(contracts.iter().map(contract_leg));
    legs.extend(edge_cases.iter().map(edge_case_leg));
    legs
}

fn cost_leg(measured: &Measured, objections: &Objections<'_>) -> Leg {
    let Measured { size_bytes, load, answer, series } = measured;
    let is_its = |objection: &Objection| {
        matches!(objection, Objection::ArtifactTooLarge { .. } | Objection::TooSlow { .. })
    };
    let [load, answer] = [load, answer].map(SignedDuration::as_secs_f64);
    Leg {
        name: "cost".to_owned(),
        outcome: objections.outcome(is_its),
        told: format!("{size_bytes} bytes, loaded in {load:.3} s; {series} series answered in {answer:.3} s"),
    }
}

fn contract_leg(test: &ContractTest) -> Leg {
    let ContractTest { contract, probes, worst, holds, untested } = test;
    let (outcome, found) = match (untested, worst) {
        (Some(why), _) => (Outcome::NotAsked, format!("the candidate {why}")),
        (None, worst) => {
            let worst = worst.map(|part| format!(", at worst by {:.2} %", 100.0 * part)).unwrap_or_default();
            (
                if *holds { Outcome::Passes } else { Outcome::Fails },
                format!("{probes} forecasts tried{worst}"),
            )
        }
    };
    Leg { name: "contract".to_owned(), outcome, told: format!("{contract}: {found}") }
}

fn edge_case_leg(test: &EdgeCaseTest) -> Leg {
    let EdgeCaseTest { case, points, error, seen_in_training, passed } = test;
    let error = error.map_or("nothing to compare".to_owned(), |error| {
        format!("off by {} at most, {} allowed", beside(error, case.bound.limit), case.bound.limit)
    });
    let seen = if *seen_in_training { "; seen in training" } else { "" };
    let keeps_limit = test.error.is_none_or(|error| error <= case.bound.limit);
    let missing = if keeps_limit && !passed { "; a forecast or a value is missing" } else { "" };
    Leg {
        name: format!("edge case {}", case.number),
        outcome: if *passed { Outcome::Passes } else { Outcome::Fails },
        told: format!("{error}; {points} points{seen}{missing}"),
    }
}

/// Why nothing was resampled: the candidate had failed before.
const FAILED: &str = "only a candidate that has not failed yet is resampled";
/// Or there is little to draw from.
const FEW: &str = "so few origins do not bound it: bets since the shift judge";

/// What the gate held against the candidate, or waits for.
struct Objections<'a>(&'a [Objection], Outcome);

impl<'a> Objections<'a> {
    fn of(judgement: &'a Judgement) -> Self {
        match &judgement.verdict {
            Verdict::KeepIncumbent(objections) => Self(objections, Outcome::Fails),
            Verdict::NotEnoughEvidence(shortage) => Self(&shortage.unsure, Outcome::Unsure),
            Verdict::Promote | Verdict::NoCandidate(_) => Self(&[], Outcome::Passes),
        }
    }

    /// Of a leg whose objections these are.
    fn outcome(&self, is_its: impl Fn(&Objection) -> bool) -> Outcome {
        if self.0.iter().any(is_its) { self.1 } else { Outcome::Passes }
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
    let outcome = objections.outcome(|objection| {
        matches!(
            objection,
            Objection::AverageNotBetter { .. }
                | Objection::AverageMayBeLuck { .. }
                | Objection::TooFewOrigins { .. }
        )
    });
    Leg {
        name: "average".to_owned(),
        outcome,
        told: format!("gain {mean_gain:.4} ± {standard_error:.4} per origin, {origins} origins; {luck}"),
    }
}

/// Since a declared shift, in the place of the average. Bets that have not ruled luck out wait, unless something else has
/// ended that.
fn bets_leg(bets: &SinceShift, judgement: &Judgement) -> Leg {
    let SinceShift { wealth, needed_wealth, origins, .. } = bets;
    let outcome = if bets.is_decided() {
        Outcome::Passes
    } else if judgement.awaits_bets() {
        Outcome::Unsure
    } else {
        Outcome::NotAsked
    };
    // What doubles every day is soon a number that nobody can read.
    let worth = if *wealth < 1e6 { beside(*wealth, *needed_wealth) } else { "a million or more".to_owned() };
    Leg {
        name: "bets".to_owned(),
        outcome,
        told: format!("worth up to {worth} after {origins} origins; {needed_wealth:.1} needed"),
    }
}

fn worst_case_leg(test: Option<&WorstCaseTest>, why_not: &str, objections: &Objections<'_>) -> Leg {
    let name = "worst case".to_owned();
    let outcome = objections.outcome(|objection| {
        matches!(objection, Objection::WorstCaseNotBetter { .. } | Objection::WorstCaseUnsure { .. })
    });
    let Some(WorstCaseTest { tail_points, points, ratio, upper, allowed, alpha, .. }) = test else {
        return match outcome {
            Outcome::Passes => Leg { name, outcome: Outcome::NotAsked, told: why_not.to_owned() },
            _ => Leg { name, outcome, told: "not below as measured, and so not resampled".to_owned() },
        };
    };
    let (ratio, upper) = (beside(*ratio, 1.0), beside(*upper, *allowed));
    Leg {
        name,
        outcome,
        told: format!(
            "ratio {ratio}, at most {upper}{}; below {allowed:.2} allowed; the worst {tail_points} of {points} points",
            with(Some(*alpha))
        ),
    }
}

fn slice_leg(test: &SliceTest, alpha: Option<f64>, objections: &Objections<'_>) -> Leg {
    let outcome = objections.outcome(|objection| {
        matches!(objection, Objection::WorseOnSlice { slice, searched: None, .. } if *slice == test.slice)
    });
    Leg { name: cut(&test.slice.to_string(), NAME), outcome, told: slice(test, &with(alpha)) }
}

fn searched_leg(test: &SearchedTest, objections: &Objections<'_>) -> Leg {
    let SearchedTest { slices, worst, statistic, critical } = test;
    let outcome = objections
        .outcome(|objection| matches!(objection, Objection::WorseOnSlice { searched: Some(_), .. }));
    Leg {
        name: "searched".to_owned(),
        outcome,
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
    let outcome = objections.outcome(|objection| matches!(objection, Objection::LargestTooLarge { .. }));
    Leg {
        name: "largest error".to_owned(),
        outcome,
        told: format!("{candidate:.4} against {opponent:.4}; {allowed_ratio} × allowed"),
    }
}

/// A leg only where the policy says so, which a record does not: it is a count unless it was held against the candidate.
fn exceedances_leg(counted: &Exceedances, objections: &Objections<'_>) -> Leg {
    let Exceedances { above, candidate_alone, opponent_alone, both, p } = counted;
    let outcome = objections.outcome(|objection| matches!(objection, Objection::ExceedsTooOften { .. }));
    Leg {
        name: "huge errors".to_owned(),
        outcome: if outcome == Outcome::Passes { Outcome::Counted } else { outcome },
        told: format!(
            "above {above:.4}: the candidate alone {candidate_alone}, the other alone {opponent_alone}, both {both}; \
             p = {p:.3}"
        ),
    }
}

fn coverage_leg(test: &CoverageTest, objections: &Objections<'_>) -> Leg {
    let CoverageTest { level, held, reach, tolerance } = test;
    let outcome = objections.outcome(
        |objection| matches!(objection, Objection::CoverageOff { level, .. } if *level == test.level),
    );
    let [held, reach, tolerance] = [held, reach, tolerance].map(|share| 100.0 * share);
    Leg {
        name: format!("{level} % intervals"),
        outcome,
        told: format!("held {held:.1} % ± {reach:.1} %; {level} ± {tolerance:.1} % allowed"),
    }
}

fn with(alpha: Option<f64>) -> String {
    alpha.map(|alpha| format!(" with {} confidence", confidence(alpha))).unwrap_or_default()
}
