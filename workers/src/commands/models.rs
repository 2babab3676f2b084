//! `gatecast models`

use std::path::Path;

use forecasting::{names::ModelName, spec::ModelSpec};
use registry::{Applied, Stored};
use serde_json::json;

use super::spec_file;
use crate::{
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    schedule::CheckedSchedule,
    terminal::{Table, print, print_json},
};

/// Applies the specification in a file.
pub(super) async fn apply(environment: &Environment, file: &Path, json: bool) -> CommandResult {
    let spec: ModelSpec = spec_file::read(file)?;
    let applied = apply_spec(environment, &spec).await?;
    if json {
        print_json(&json!({ "model": spec.name, "version": applied.version, "changed": applied.changed }))?;
    } else {
        print(super::applied_line("model", spec.name.as_str(), applied));
    }
    Ok(())
}

/// Applies a specification, unless it contradicts itself or its dataset.
pub(super) async fn apply_spec(environment: &Environment, spec: &ModelSpec) -> Result<Applied, Failure> {
    spec.validate().or_exit(ExitCode::Invalid)?;
    if let Some(schedule) = &spec.schedule {
        CheckedSchedule::new(schedule).or_exit(ExitCode::Invalid)?;
    }
    let Some(dataset) = environment.registry.dataset(&spec.dataset).await? else {
        let message = format!("dataset {:?} of model {} was not applied", spec.dataset.as_str(), spec.name);
        return Err(Failure::say(ExitCode::NotFound, message));
    };
    spec.validate_with(&dataset.spec).or_exit(ExitCode::Invalid)?;
    Ok(environment.registry.apply_model(spec, environment.clock.now()).await?)
}

/// Lists what was applied, with the incumbents.
pub(super) async fn list(environment: &Environment, json: bool) -> CommandResult {
    let mut documents = Vec::new();
    let mut table = Table::new(["model", "spec", "horizon", "incumbent", "generation", "learners"]);
    for stored in environment.registry.models().await? {
        let spec = stored.spec;
        let incumbent = environment.registry.incumbent(&spec.name).await?;
        let learners: Vec<&str> = spec.learners.iter().map(|learner| learner.name.as_str()).collect();
        table.row([
            spec.name.to_string(),
            stored.version.to_string(),
            spec.horizon_steps.to_string(),
            incumbent.as_ref().map_or_else(|| "fallback".to_owned(), |i| format!("version {}", i.version)),
            incumbent.as_ref().map_or(0, |i| i.generation).to_string(),
            learners.join(", "),
        ]);
        let incumbent =
            incumbent.map(|i| json!({ "version": i.version, "generation": i.generation, "since": i.since }));
        documents.push(json!({ "spec": spec, "version": stored.version, "incumbent": incumbent }));
    }
    if json {
        print_json(&documents)?;
    } else {
        table.print();
    }
    Ok(())
}

/// The specification of a model.
pub(super) async fn find(environment: &Environment, model: &ModelName) -> Result<Stored<ModelSpec>, Failure> {
    let unknown = || {
        format!("model {:?} was not applied; `gatecast models list` shows those that were", model.as_str())
    };
    let stored = environment.registry.model(model).await?;
    stored.ok_or_else(|| Failure::say(ExitCode::NotFound, unknown()))
}
