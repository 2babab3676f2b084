//! Hard facts, against which no average helps: an artifact of something else or of another training than
//! was recorded, a forecast that is missing or no number.

use std::fmt::Display;

use super::{Objection, Side};
use crate::{
    artifact::Bundle,
    evaluation::{Fault, Forecasts},
    gate::Contest,
    series::Grid,
};

/// What speaks against comparing the two sides at all.
///
/// An incumbent that was trained elsewhere is compared: a forecaster lets its fallback answer, and so it can
/// be replaced.
pub(in crate::gate) fn misfits(contest: &Contest<'_>) -> Vec<Objection> {
    let wrong = |side, problem| Objection::WrongArtifact { side, problem };
    let incumbent = contest.incumbent.and_then(|incumbent| other_model(incumbent, contest));
    let candidate = other_model(contest.candidate, contest).or_else(|| elsewhere(contest.candidate, contest));
    let candidate = candidate.map(|problem| wrong(Side::Candidate, problem));
    let incumbent = incumbent.map(|problem| wrong(Side::Incumbent, problem));
    candidate.into_iter().chain(incumbent).chain(contradictions(contest)).collect()
}

/// What the candidate says about its training that is not what was recorded before. With a cut-off of its
/// own choice it would choose what it is judged on.
fn contradictions(contest: &Contest<'_>) -> impl Iterator<Item = Objection> {
    let (candidate, job) = (contest.candidate, &contest.job);
    let facts = [
        ("spec_hash", candidate.spec_hash.clone(), job.spec_hash.to_owned()),
        ("as_of", candidate.as_of.to_string(), job.as_of.to_string()),
        ("cut_off", candidate.cut_off.to_string(), job.cut_off.to_string()),
    ];
    facts.into_iter().filter(|(_, candidate, recorded)| candidate != recorded).map(
        |(field, candidate, recorded)| {
            let field = field.to_owned();
            Objection::NotAsRecorded { field, candidate, recorded }
        },
    )
}

fn other_model(bundle: &Bundle, contest: &Contest<'_>) -> Option<String> {
    let (theirs, ours) = (&bundle.model, &contest.model.name);
    (theirs != ours).then(|| format!("is an artifact of model {theirs}, not of {ours}"))
}

fn elsewhere(bundle: &Bundle, contest: &Contest<'_>) -> Option<String> {
    let (theirs, ours) = (&bundle.dataset, &contest.dataset.name);
    if theirs != ours {
        return Some(format!("was trained on dataset {theirs}, not on {ours}"));
    }
    let describe = |grid: &Grid| format!("steps of {} in {}", grid.frequency(), grid.time_zone_name());
    let (theirs, ours) = (&bundle.grid, &contest.frame.grid);
    (theirs != ours).then(|| format!("was trained on {}, not on {}", describe(theirs), describe(ours)))
}

/// One objection for each side with forecasts that cannot be scored.
pub(in crate::gate) fn faults(sides: [(Side, &Forecasts); 2]) -> Vec<Objection> {
    let with_faults = sides.into_iter().filter_map(|(side, forecasts)| {
        let Fault { series, origin, problem } = forecasts.faults.first()?.clone();
        let others = forecasts.faults.len() as u64 - 1;
        Some(Objection::ForecastUnusable { side, series, origin, problem: problem.to_string(), others })
    });
    with_faults.collect()
}

/// Numbers that are none.
pub(in crate::gate) fn not_comparable(problem: &impl Display) -> Objection {
    Objection::NotComparable { problem: problem.to_string() }
}
