//! Hard facts, against which no average helps: an artifact of something else, a forecast that is missing
//! or no number.

use std::fmt::Display;

use super::{Objection, Side};
use crate::{
    artifact::Bundle,
    evaluation::{Fault, Forecasts},
    gate::Hearing,
    series::Grid,
};

/// What speaks against hearing the two sides at all.
///
/// An incumbent that was trained elsewhere is heard: a forecaster lets its fallback answer, and so it can
/// be replaced.
pub(in crate::gate) fn misfits(hearing: &Hearing<'_>) -> Vec<Objection> {
    let wrong = |side, problem| Objection::WrongArtifact { side, problem };
    let incumbent = hearing.incumbent.and_then(|incumbent| other_model(incumbent, hearing));
    let candidate = other_model(hearing.candidate, hearing).or_else(|| elsewhere(hearing.candidate, hearing));
    let candidate = candidate.map(|problem| wrong(Side::Candidate, problem));
    candidate.into_iter().chain(incumbent.map(|problem| wrong(Side::Incumbent, problem))).collect()
}

fn other_model(bundle: &Bundle, hearing: &Hearing<'_>) -> Option<String> {
    let (theirs, ours) = (&bundle.model, &hearing.model.name);
    (theirs != ours).then(|| format!("is an artifact of model {theirs}, not of {ours}"))
}

fn elsewhere(bundle: &Bundle, hearing: &Hearing<'_>) -> Option<String> {
    let (theirs, ours) = (&bundle.dataset, &hearing.dataset.name);
    if theirs != ours {
        return Some(format!("was trained on dataset {theirs}, not on {ours}"));
    }
    let describe = |grid: &Grid| format!("steps of {} in {}", grid.frequency(), grid.time_zone_name());
    let (theirs, ours) = (&bundle.grid, &hearing.frame.grid);
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
