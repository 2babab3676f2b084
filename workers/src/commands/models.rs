//! `gatecast models`

use std::path::Path;

use forecasting::{names::ModelName, spec::ModelSpec};
use registry::{ActKind, Applied, InForce, Incumbent, Stored, Version};
use serde_json::{Value, json};

use super::{acts, spec_file};
use crate::{
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    schedule::CheckedSchedule,
    terminal::{Table, print, print_json, remark},
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
        let in_force = in_force(environment, &spec.name).await?;
        let learners: Vec<&str> = spec.learners.iter().map(|learner| learner.name.as_str()).collect();
        table.row([
            spec.name.to_string(),
            stored.version.to_string(),
            spec.horizon_steps.to_string(),
            in_short(incumbent.as_ref(), &in_force),
            incumbent.as_ref().map_or(0, |i| i.generation).to_string(),
            learners.join(", "),
        ]);
        documents.push(json!({
            "spec": spec, "version": stored.version, "incumbent": incumbent.as_ref().map(incumbent_document),
            "frozen": in_force.freeze().map(acts::document),
        }));
    }
    if json {
        print_json(&documents)?;
    } else {
        table.print();
    }
    Ok(())
}

/// What answers, and whether a person has a part in that.
fn in_short(incumbent: Option<&Incumbent>, in_force: &InForce) -> String {
    let answers = incumbent.map_or_else(|| "fallback".to_owned(), |i| format!("version {}", i.version));
    let by_hand = incumbent.and_then(Incumbent::act).map(|act| match act.kind {
        ActKind::RollBack { .. } => "rolled back to",
        _ => "forced",
    });
    let frozen = in_force.freeze().map(|_| "frozen");
    let people: Vec<&str> = by_hand.into_iter().chain(frozen).collect();
    if people.is_empty() { answers } else { format!("{answers} ({})", people.join(", ")) }
}

fn incumbent_document(incumbent: &Incumbent) -> Value {
    json!({
        "version": incumbent.version, "generation": incumbent.generation, "since": incumbent.since,
        "act": incumbent.act().map(acts::document),
    })
}

async fn in_force(environment: &Environment, model: &ModelName) -> Result<InForce, Failure> {
    let acts = environment.registry.acts(model).await?;
    Ok(InForce::at(environment.clock.now(), acts))
}

/// Shows what answers for a model, who put it there, what binds its gate, and its versions.
pub(super) async fn show(environment: &Environment, model: &ModelName, json: bool) -> CommandResult {
    let stored = find(environment, model).await?;
    let incumbent = environment.registry.incumbent(model).await?;
    let versions = environment.registry.versions(model).await?;
    let in_force = in_force(environment, model).await?;
    if json {
        return Ok(print_json(&json!({
            "spec": stored.spec, "version": stored.version, "incumbent": incumbent.as_ref().map(incumbent_document),
            "frozen": in_force.freeze().map(acts::document),
            "versions": versions.iter().map(|one| version_document(one, &in_force)).collect::<Vec<_>>(),
        }))?);
    }
    let ModelSpec { dataset, horizon_steps, .. } = &stored.spec;
    print(format_args!(
        "{model}: {horizon_steps} steps of dataset {dataset}, specification {}",
        stored.version
    ));
    match &incumbent {
        None => print("the fallback answers"),
        Some(Incumbent { version, generation, since, .. }) => {
            print(format_args!("version {version} answers: generation {generation}, since {since}"));
        }
    }
    if let Some((incumbent, act)) = incumbent.as_ref().and_then(|one| Some((one, one.act()?))) {
        print(format_args!("  version {} was {act}", incumbent.version));
    }
    if let Some(act) = in_force.freeze() {
        print(format_args!("  no candidate goes live: {act}"));
    }
    let mut table = Table::new(["version", "state", "since", "learner", "vetoed"]);
    for one in &versions {
        table.row([
            one.version.to_string(),
            one.state.to_string(),
            one.state_since.strftime("%Y-%m-%d %H:%MZ").to_string(),
            one.proposal.learner.to_string(),
            in_force.veto(one.version).map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    table.print();
    Ok(())
}

fn version_document(version: &Version, in_force: &InForce) -> Value {
    json!({
        "version": version.version, "state": version.state.name(), "since": version.state_since,
        "learner": version.proposal.learner, "artifact": version.proposal.artifact.to_string(),
        "veto": in_force.veto(version.version).map(acts::document),
    })
}

/// Says it beside an answer, where a person put into use what answers. The answer is there already, also where the
/// registry cannot be read.
pub(super) async fn remark_on_act(environment: &Environment, model: &ModelName) {
    if let Ok(Some(incumbent)) = environment.registry.incumbent(model).await
        && let Some(act) = incumbent.act()
    {
        remark(format_args!("version {} of {model} was {act}", incumbent.version));
    }
}

/// The specification of a model.
pub(super) async fn find(environment: &Environment, model: &ModelName) -> Result<Stored<ModelSpec>, Failure> {
    let unknown = || {
        format!("model {:?} was not applied; `gatecast models list` shows those that were", model.as_str())
    };
    let stored = environment.registry.model(model).await?;
    stored.ok_or_else(|| Failure::say(ExitCode::NotFound, unknown()))
}
