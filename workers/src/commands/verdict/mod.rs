//! `gatecast verdict`: a verdict explained, found again, and found under another policy. Nothing here writes.

mod again;
mod charts;
mod differences;
mod legs;
mod page;
mod replay;
mod what_if;

use registry::{Decision, Incumbent, Version};
use serde_json::{Value, json};

use super::{decisions, models};
use crate::{
    cli,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    handlers::convert::gate_decision,
    terminal::{print, print_json, remark},
};

pub use differences::Difference;
pub use replay::{Replay, replay};

/// Tells a verdict, replays it, or judges its candidate under another policy.
pub(super) async fn verdict(
    environment: &Environment,
    arguments: &cli::Verdict,
    json: bool,
) -> CommandResult {
    let told = Told::find(environment, arguments).await?;
    if arguments.replay {
        return replay::tell(environment, &told, json).await;
    }
    if !arguments.what_if.is_empty() {
        return what_if::tell(environment, &told, &arguments.what_if, json).await;
    }
    if json {
        return Ok(print_json(&told.document())?);
    }
    let charts = charts::load(environment, &told.decision).await.unwrap_or_else(|fault| {
        remark(format_args!("the charts cannot be drawn: {fault:#}"));
        None
    });
    page::lines(&told, charts.as_ref()).iter().for_each(print);
    Ok(())
}

/// A look at a version, with what it takes to tell of it.
struct Told {
    version: Version,
    decision: Decision,
    /// How many looks there were.
    looks: usize,
    /// Every incumbent that the model ever had.
    incumbents: Vec<Incumbent>,
}

impl Told {
    async fn find(environment: &Environment, arguments: &cli::Verdict) -> Result<Self, Failure> {
        let (registry, model, number) = (&environment.registry, &arguments.model, arguments.number);
        let not_found = |problem: String| Failure::say(ExitCode::NotFound, problem);
        models::find(environment, model).await?;
        let Some(version) = registry.version(model, number).await? else {
            let where_else = format!("`gatecast models show {model}` lists every version");
            return Err(not_found(format!(
                "model {model}: version {number} was never proposed; {where_else}"
            )));
        };
        let mut all = registry.looks_of_job(&version.proposal.job).await?;
        let looks = all.len();
        let Some(last) = all.last().map(|decision| decision.look) else {
            let state = version.state;
            return Err(not_found(format!("version {number} of {model} has no verdict yet, it is {state}")));
        };
        let look = arguments.look.unwrap_or(last);
        let Some(at) = all.iter().position(|decision| decision.look == look) else {
            let problem =
                format!("no look {look} at version {number} of {model}: it was looked at {looks} ×");
            return Err(not_found(problem));
        };
        let incumbents = registry.incumbent_history(model).await?;
        Ok(Self { version, decision: all.swap_remove(at), looks, incumbents })
    }

    /// As `bike-demand, version 2, look 1 of 1`.
    fn name(&self) -> String {
        let Self { version, decision, looks, .. } = self;
        format!("{}, version {}, look {} of {looks}", decision.model, version.version, decision.look)
    }

    /// Who the candidate competed with: `incumbent` or `fallback`.
    fn opponent(&self) -> &'static str {
        if self.decision.judged_against.is_some() { "incumbent" } else { "fallback" }
    }

    fn document(&self) -> Value {
        let Self { version, decision, looks, incumbents } = self;
        let mut document = decisions::document(&gate_decision(decision, incumbents));
        document["model"] = json!(decision.model);
        document["version"] = json!(version.version);
        document["look"] = json!(decision.look);
        document["looks"] = json!(looks);
        document["as_of"] = json!(decision.as_of);
        document["judgement"] = json!(decision.judgement);
        document["scored_rows"] = json!(decision.scored_rows.map(|rows| rows.name));
        document
    }
}

#[cfg(test)]
mod tests;
