//! Hard facts, against which no average helps: an artifact of something else, a forecast that is missing
//! or no number.

use std::fmt::Display;

use super::{Objection, Side};
use crate::{
    artifact::Bundle,
    evaluation::{Fault, Forecasts},
    gate::Hearing,
};

/// What speaks against hearing the two sides at all.
pub(in crate::gate) fn misfits(hearing: &Hearing<'_>) -> Vec<Objection> {
    let sides = [
        (Side::Candidate, Some(hearing.candidate)),
        (Side::Incumbent, hearing.incumbent),
    ];
    sides
        .into_iter()
        .filter_map(|(side, bundle)| {
            let problem = misfit(bundle?, hearing)?;
            Some(Objection::WrongArtifact { side, problem })
        })
        .collect()
}

fn misfit(bundle: &Bundle, hearing: &Hearing<'_>) -> Option<String> {
    let (model, dataset, grid) = (&hearing.model.name, &hearing.dataset.name, &hearing.frame.grid);
    if bundle.model != *model {
        return Some(format!(
            "is an artifact of model {}, not of {model}",
            bundle.model
        ));
    }
    if bundle.dataset != *dataset {
        return Some(format!(
            "was trained on dataset {}, not on {dataset}",
            bundle.dataset
        ));
    }
    (bundle.grid != *grid).then(|| {
        let (theirs, ours) = (&bundle.grid, grid);
        format!(
            "was trained on steps of {} in {}, not of {} in {}",
            theirs.frequency(),
            theirs.time_zone_name(),
            ours.frequency(),
            ours.time_zone_name()
        )
    })
}

/// One objection for each side with forecasts that cannot be scored.
pub(in crate::gate) fn faults(sides: [(Side, &Forecasts); 2]) -> Vec<Objection> {
    let with_faults = sides.into_iter().filter_map(|(side, forecasts)| {
        let Fault {
            series,
            origin,
            problem,
        } = forecasts.faults.first()?.clone();
        let others = forecasts.faults.len() as u64 - 1;
        Some(Objection::ForecastUnusable {
            side,
            series,
            origin,
            problem: problem.to_string(),
            others,
        })
    });
    with_faults.collect()
}

/// Numbers that are none.
pub(in crate::gate) fn not_comparable(problem: &impl Display) -> Objection {
    Objection::NotComparable {
        problem: problem.to_string(),
    }
}
