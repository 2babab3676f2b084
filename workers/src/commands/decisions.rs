//! `gatecast decisions`, and how a decision reads.

use std::cmp::Reverse;

use forecasting::names::ModelName;
use jiff::Timestamp;
use protocol::messages::{GateDecision, GateErrors, RefusingVerdict};
use registry::{Act, Decision, Incumbent};
use serde_json::{Value, json};

use super::{acts, models};
use crate::{
    environment::Environment,
    failure::CommandResult,
    handlers::convert::{gate_decision, wire_name},
    terminal::{BAD, GOOD, WIDTH, painted, print, print_json, wrap},
};

/// Lists a model's decisions and the acts of people, newest first.
pub(super) async fn decisions(
    environment: &Environment,
    model: &ModelName,
    limit: u32,
    json: bool,
) -> CommandResult {
    models::find(environment, model).await?;
    let incumbents = environment.registry.incumbent_history(model).await?;
    let decisions = environment.registry.decisions(model, limit).await?;
    let acts = environment.registry.acts(model).await?;
    let decisions = decisions.iter().map(|decision| Entry::of_decision(decision, &incumbents));
    let mut entries: Vec<Entry> = decisions.chain(acts.iter().rev().map(Entry::of_act)).collect();
    entries.sort_by_key(|entry| Reverse(entry.at));
    entries.truncate(limit as usize);
    if json {
        let documents: Vec<Value> = entries.into_iter().map(|entry| entry.document).collect();
        return Ok(print_json(&documents)?);
    }
    if entries.is_empty() {
        print(format_args!("no decisions about {model} yet; `gatecast train {model} --wait` makes one"));
    }
    entries.iter().flat_map(|entry| &entry.lines).for_each(print);
    Ok(())
}

/// A decision or an act, for programs and for people.
struct Entry {
    at: Timestamp,
    document: Value,
    lines: Vec<String>,
}

impl Entry {
    fn of_decision(recorded: &Decision, incumbents: &[Incumbent]) -> Self {
        let decision = gate_decision(recorded, incumbents);
        let mut document = document(&decision);
        document["scored_rows"] = json!(recorded.scored_rows.map(|rows| rows.name));
        document["look"] = json!(recorded.look);
        document["looks"] = json!(recorded.judgement.looks);
        document["promised"] = json!(recorded.judgement.promised);
        Self { at: recorded.decided_at, document, lines: lines(&decision) }
    }

    fn of_act(act: &Act) -> Self {
        Self { at: act.acted_at, document: acts::document(act), lines: acts::lines(act) }
    }
}

/// A decision as a document: the event that announced it, with its kind.
pub(super) fn document(decision: &GateDecision) -> Value {
    match decision {
        GateDecision::Promoted(event) => json!({ "decision": "promoted", "event": event }),
        GateDecision::Refused(event) => json!({ "decision": "refused", "event": event }),
    }
}

/// A decision in words: what was decided, both errors of both sides, and why.
pub(super) fn lines(decision: &GateDecision) -> Vec<String> {
    let (headline, candidate, incumbent, against, reasons) = match decision {
        GateDecision::Promoted(event) => {
            let headline = format!(
                "version {} of {} {}: generation {}, {}",
                event.version,
                event.model,
                painted("PROMOTED", GOOD),
                event.generation,
                event.decided_at
            );
            let (candidate, incumbent) = (Some(event.candidate), Some(event.incumbent));
            (headline, candidate, incumbent, event.previous_version, &event.reasons)
        }
        GateDecision::Refused(event) => {
            let what =
                event.version.map_or_else(|| "train job".to_owned(), |version| format!("version {version}"));
            let verdict = wire_name(&event.verdict).replace('_', " ");
            let decided = match event.verdict {
                RefusingVerdict::NotEnoughEvidence => painted("UNDECIDED", BAD),
                RefusingVerdict::KeepIncumbent | RefusingVerdict::NoCandidate => painted("REFUSED", BAD),
            };
            let headline = format!("{what} of {} {decided}: {verdict}, {}", event.model, event.decided_at);
            (headline, event.candidate, event.incumbent, event.incumbent_version, &event.reasons)
        }
    };
    let mut lines = vec![headline];
    if let (Some(candidate), Some(incumbent)) = (candidate, incumbent) {
        let against =
            against.map_or_else(|| "the fallback".to_owned(), |version| format!("version {version}"));
        lines.extend(comparison(candidate, incumbent, &against));
    }
    lines.extend(sentences(reasons));
    lines
}

/// Reasons as a list that fits the terminal.
pub(super) fn sentences(reasons: &[String]) -> Vec<String> {
    let list = |reason: &String| {
        let mark = |(at, part): (usize, String)| format!("  {} {part}", if at == 0 { "-" } else { " " });
        wrap(reason, WIDTH - 4).into_iter().enumerate().map(mark).collect::<Vec<_>>()
    };
    reasons.iter().flat_map(list).collect()
}

/// Both errors of both sides; lower is better, 1 is the error of a seasonal naive forecast.
fn comparison(candidate: GateErrors, incumbent: GateErrors, against: &str) -> Vec<String> {
    let line = |what: &str, candidate: f64, incumbent: f64| {
        let change = 100.0 * (candidate / incumbent - 1.0);
        let word = if candidate < incumbent { "better" } else { "not better" };
        format!(
            "    {what:<10} {candidate:>8.4} against {incumbent:>8.4} of {against}  {change:+.1} %  {word}"
        )
    };
    vec![
        line("average", candidate.average, incumbent.average),
        line("worst case", candidate.worst_case, incumbent.worst_case),
    ]
}
