//! `gatecast datasets`

use std::{collections::BTreeSet, path::Path};

use forecasting::{
    names::CovariateName,
    spec::{CovariateSpec, DatasetSpec},
};
use registry::Applied;
use serde_json::json;

use super::spec_file;
use crate::{
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::{Table, print, print_json},
};

/// Applies the specification in a file.
pub(super) async fn apply(environment: &Environment, file: &Path, json: bool) -> CommandResult {
    let spec: DatasetSpec = spec_file::read(file)?;
    let applied = apply_spec(environment, &spec).await?;
    if json {
        print_json(&json!({ "dataset": spec.name, "version": applied.version, "changed": applied.changed }))?;
    } else {
        print(super::applied_line("dataset", spec.name.as_str(), applied));
    }
    Ok(())
}

/// Applies a specification, unless it contradicts itself or what is stored.
pub(super) async fn apply_spec(environment: &Environment, spec: &DatasetSpec) -> Result<Applied, Failure> {
    spec.validate().or_exit(ExitCode::Invalid)?;
    if let Some(stored) = environment.registry.dataset(&spec.name).await?
        && let Some(coverage) = environment.history.coverage(&spec.name, None).await?
        && let Some(Contradiction { field, found, kept }) = contradiction(&stored.spec, spec)
    {
        let (name, rows) = (&spec.name, coverage.rows);
        let message =
            format!("{field} {found:?}: {name} has {rows} stored observations with {field} {kept:?}");
        return Err(Failure::say(ExitCode::Invalid, message));
    }
    Ok(environment.registry.apply_dataset(spec, environment.clock.now()).await?)
}

/// A field that stored observations, or versions that learned from them, would not fit any more.
struct Contradiction {
    field: String,
    found: String,
    kept: String,
}

fn contradiction(stored: &DatasetSpec, applied: &DatasetSpec) -> Option<Contradiction> {
    let frequencies = (applied.frequency.to_string(), stored.frequency.to_string());
    let time_zones = (applied.time_zone.clone(), stored.time_zone.clone());
    let changed = [("frequency", frequencies), ("time_zone", time_zones)]
        .into_iter()
        .find(|(_, (applied, stored))| applied != stored)
        .map(|(field, (found, kept))| Contradiction { field: field.to_owned(), found, kept });
    changed.or_else(|| lost_covariate(&stored.covariates, &applied.covariates))
}

/// A covariate may be added. The version in use needs those that it learned from, of the kind that they were: without
/// one it would answer nothing more, and no candidate could be compared with it.
fn lost_covariate(stored: &CovariateSpec, applied: &CovariateSpec) -> Option<Contradiction> {
    let mut kinds = stored.kinds().into_iter().zip(applied.kinds());
    kinds.find_map(|((kind, stored), (_, applied))| {
        let listed = |names: &BTreeSet<CovariateName>| {
            names.iter().map(CovariateName::as_str).collect::<Vec<_>>().join(", ")
        };
        let (field, found) = (format!("covariates.{kind}"), listed(applied));
        (!stored.is_subset(applied)).then(|| Contradiction { field, found, kept: listed(stored) })
    })
}

/// Lists what was applied, with what was recorded.
pub(super) async fn list(environment: &Environment, json: bool) -> CommandResult {
    let mut documents = Vec::new();
    let mut table = Table::new(["dataset", "version", "frequency", "series", "rows", "time zone"]);
    for stored in environment.registry.datasets().await? {
        let spec = stored.spec;
        let coverage = environment.history.coverage(&spec.name, None).await?;
        let (series, rows) = coverage.map_or((0, 0), |coverage| (coverage.series.len(), coverage.rows));
        table.row([
            spec.name.to_string(),
            stored.version.to_string(),
            spec.frequency.to_string(),
            series.to_string(),
            rows.to_string(),
            spec.time_zone.clone(),
        ]);
        documents.push(json!({ "spec": spec, "version": stored.version, "series": series, "rows": rows }));
    }
    if json {
        print_json(&documents)?;
    } else {
        table.print();
    }
    Ok(())
}
