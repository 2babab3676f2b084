//! `gatecast models freeze`, `unfreeze`, `force`, `veto`, `roll-back`, and how an act reads.

use std::time::Duration;

use forecasting::names::ModelName;
use protocol::{
    Message as _, Queue, decode,
    messages::{Act, ActRecorded, ActRefusal, ActRefused, ActReply, GateRequest, NewIncumbent},
};
use serde_json::{Value, json};

use super::{models, with_roles};
use crate::{
    asker::{AskError, answer},
    cli::{ActCommand, Signed},
    config,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    roles::Role,
    terminal::{BAD, painted, print, print_json, spinner},
};

/// How long a gatekeeper may take: one that puts a version into use forecasts every series with it first.
const PATIENCE: Duration = Duration::from_mins(2);

/// Publishes a gate request and prints what came of it.
pub(super) async fn act(environment: &Environment, command: &ActCommand, json: bool) -> CommandResult {
    let request = request(command)?;
    models::find(environment, model(command)).await?;
    let progress = spinner(format!("asking the gatekeeper of {}", request.model));
    let reply = with_roles(environment, &[Role::Gatekeeper], ask(environment, &request)).await?;
    progress.finish_and_clear();
    match reply {
        ActReply::Recorded(event) => {
            if json {
                return Ok(print_json(&json!({ "outcome": "done", "event": event }))?);
            }
            print(done(&event));
            Ok(())
        }
        ActReply::Refused(refused) => {
            let code = code(refused.reason);
            if json {
                print_json(&json!({ "outcome": "refused", "reply": refused }))?;
                return Err(Failure::silent(code));
            }
            Err(Failure::say(code, refused.message))
        }
    }
}

fn model(command: &ActCommand) -> &ModelName {
    match command {
        ActCommand::Freeze { model, .. }
        | ActCommand::Unfreeze { model, .. }
        | ActCommand::Force { model, .. }
        | ActCommand::Veto { model, .. }
        | ActCommand::RollBack { model, .. } => model,
    }
}

fn request(command: &ActCommand) -> Result<GateRequest, Failure> {
    let (act, until, signed) = match command {
        ActCommand::Freeze { until, signed, .. } => (Act::Freeze, *until, signed),
        ActCommand::Unfreeze { signed, .. } => (Act::Unfreeze, None, signed),
        ActCommand::Force { number, until, signed, .. } => (Act::Force { version: *number }, *until, signed),
        ActCommand::Veto { number, until, signed, .. } => (Act::Veto { version: *number }, *until, signed),
        ActCommand::RollBack { number, until, signed, .. } => {
            (Act::RollBack { version: *number }, *until, signed)
        }
    };
    Ok(GateRequest {
        model: model(command).to_string(),
        act,
        by: by(signed)?,
        reason: signed.reason.clone(),
        expires: until,
    })
}

/// Who signs: who is named, or the user that this machine knows.
pub(super) fn by(signed: &Signed) -> Result<String, Failure> {
    let nobody = || Failure::say(ExitCode::Usage, "--by NAME is needed: the environment names no user");
    signed.by.clone().or_else(config::user).ok_or_else(nobody)
}

async fn ask(environment: &Environment, request: &GateRequest) -> Result<ActReply, Failure> {
    let asked = answer(&*environment.broker, Queue::GateRequests, request, PATIENCE, None).await;
    let reply = asked.map_err(|error| {
        let stays = matches!(error, AskError::TimedOut { .. } | AskError::Lost(_));
        let error = anyhow::Error::from(error);
        let error = if stays { error.context("the act waits on the queue for a gatekeeper") } else { error };
        Failure::new(ExitCode::Unreachable, error)
    })?;
    if reply.properties.kind.starts_with(ActRecorded::KIND) {
        return Ok(ActReply::Recorded(decode(&reply)?));
    }
    Ok(ActReply::Refused(decode::<ActRefused>(&reply)?))
}

fn code(reason: ActRefusal) -> ExitCode {
    match reason {
        ActRefusal::UnknownModel | ActRefusal::UnknownVersion => ExitCode::NotFound,
        ActRefusal::BadRequest | ActRefusal::NotPossible => ExitCode::Invalid,
        ActRefusal::Unusable => ExitCode::CandidateRefused,
    }
}

/// What was done, in a sentence.
fn done(event: &ActRecorded) -> String {
    let ActRecorded { model, act, expires, incumbent, .. } = event;
    let until =
        |otherwise: &str| expires.map_or_else(|| otherwise.to_owned(), |expires| format!("until {expires}"));
    match (act, incumbent) {
        (Act::Freeze, _) => {
            format!("{model} is frozen: no candidate goes live {}", until("until it is unfrozen"))
        }
        (Act::Unfreeze, _) => format!("{model} is not frozen any more: a candidate that wins goes live"),
        (Act::Veto { version }, _) => {
            format!("version {version} of {model} is vetoed: it does not go live {}", until("any more"))
        }
        (
            Act::Force { .. } | Act::RollBack { .. },
            Some(NewIncumbent { version, generation, previous_version, .. }),
        ) => {
            let before =
                previous_version.map_or_else(|| "the fallback".to_owned(), |v| format!("version {v}"));
            let until = expires.map_or_else(
                || "until a candidate beats it".to_owned(),
                |expires| format!("at least until {expires}"),
            );
            format!(
                "version {version} of {model} answers from now on, in the place of {before}: generation \
                 {generation}, {until}"
            )
        }
        (Act::Force { .. } | Act::RollBack { .. }, None) => format!("{model} has another incumbent"),
    }
}

/// A recorded act as a document.
pub(super) fn document(act: &registry::Act) -> Value {
    json!({
        "act": act.kind.name(), "version": act.kind.version(), "by": act.by, "reason": act.reason,
        "expires": act.expires, "acted_at": act.acted_at,
        "refusal": act.refusal.as_ref().map(ToString::to_string),
    })
}

/// A recorded act in words, among the decisions on its model.
pub(super) fn lines(act: &registry::Act) -> Vec<String> {
    let (model, name, at) = (&act.model, act.kind.name(), act.acted_at);
    let subject = match act.kind.version() {
        Some(version) => format!("version {version} of {model}"),
        None => model.to_string(),
    };
    match &act.refusal {
        None => vec![format!("{subject} {act}, {at}")],
        Some(refusal) => {
            let refused = painted("REFUSED", BAD);
            vec![format!("{name} of {subject} by {} {refused}, {at}", act.by), format!("  - {refusal}")]
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::ArtifactReference;

    use super::*;

    #[test]
    fn an_act_says_what_it_did_and_until_when() {
        let event = |act, incumbent| ActRecorded {
            model: "bike-demand".to_owned(),
            act,
            by: "ann".to_owned(),
            reason: "an audit".to_owned(),
            expires: None,
            acted_at: jiff::Timestamp::UNIX_EPOCH,
            incumbent,
        };
        let frozen = event(Act::Freeze, None);
        assert_eq!(done(&frozen), "bike-demand is frozen: no candidate goes live until it is unfrozen");
        let expires = Some(jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(
            done(&ActRecorded { expires, ..frozen }),
            "bike-demand is frozen: no candidate goes live until 1970-01-01T00:00:00Z"
        );
        let incumbent = NewIncumbent {
            version: 2,
            generation: 4,
            artifact: ArtifactReference { sha256: String::new(), size_bytes: 0 },
            previous_version: Some(3),
        };
        assert_eq!(
            done(&event(Act::RollBack { version: Some(2) }, Some(incumbent))),
            "version 2 of bike-demand answers from now on, in the place of version 3: generation 4, until a \
             candidate beats it"
        );
    }
}
