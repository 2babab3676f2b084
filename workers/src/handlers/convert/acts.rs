//! Acts of people: requests become acts, acts become replies.

use forecasting::names::{ModelName, is_bidi_control};
use jiff::Timestamp;
use protocol::messages::{self as wire, ActRecorded, ActRefused, ActReply, GateRequest, NewIncumbent};
use registry::{Act, ActKind, ActRefusal, Incumbent, NewAct};

use super::{BadField, reference};

/// Longest name and reason of a person who acts.
const MAX_BY_BYTES: usize = 100;
const MAX_REASON_BYTES: usize = 1_000;

/// The act that a request asks for, as far as the request says.
///
/// # Errors
/// [`BadField`] names the field and its value.
pub fn wanted_act(request: &GateRequest, message_id: &str, now: Timestamp) -> Result<NewAct, BadField> {
    let model = ModelName::new(request.model.as_str()).map_err(|invalid| BadField::new("model", invalid))?;
    check_statement(&request.by, &request.reason)?;
    let kind = match request.act {
        wire::Act::Freeze => ActKind::Freeze,
        wire::Act::Unfreeze => ActKind::Unfreeze,
        wire::Act::Force { version } => ActKind::Force { version },
        wire::Act::Veto { version } => ActKind::Veto { version },
        wire::Act::RollBack { version } => ActKind::RollBack { version },
    };
    match request.expires {
        Some(expires) if expires <= now => {
            return Err(BadField::new("expires", format!("{expires} has passed, it is {now}")));
        }
        Some(expires) if kind == ActKind::Unfreeze => {
            let problem = format!("{expires}, but an unfreeze has no end: freeze the model again then");
            return Err(BadField::new("expires", problem));
        }
        _ => {}
    }
    Ok(NewAct {
        message_id: message_id.to_owned(),
        model,
        kind,
        by: request.by.clone(),
        reason: request.reason.clone(),
        expires: request.expires,
        refusal: None,
        decided_on: None,
    })
}

/// Checks who wants something, and why.
///
/// # Errors
/// [`BadField`] names the field and its value.
pub fn check_statement(by: &str, reason: &str) -> Result<(), BadField> {
    check_text("by", by, MAX_BY_BYTES)?;
    check_text("reason", reason, MAX_REASON_BYTES)
}

/// A text that people read, one line.
fn check_text(field: &str, text: &str, most_bytes: usize) -> Result<(), BadField> {
    if text.trim().is_empty() {
        return Err(BadField::new(field, format!("{text:?} is empty")));
    }
    if text.len() > most_bytes {
        return Err(BadField::new(field, format!("{} bytes, at most {most_bytes}", text.len())));
    }
    match text.chars().find(|&c| c.is_control() || is_bidi_control(c)) {
        Some(found) => {
            let problem = format!("holds the control character U+{:04X}", u32::from(found));
            Err(BadField::new(field, problem))
        }
        None => Ok(()),
    }
}

/// The reply about a model that nobody applied.
pub fn unknown_model(model: &ModelName) -> ActReply {
    let message = format!("model {:?}: no such model was applied", model.as_str());
    ActReply::Refused(ActRefused { reason: wire::ActRefusal::UnknownModel, message })
}

/// The reply about a recorded act; the same every time. `incumbents` are all that the model ever had.
pub fn act_reply(act: &Act, incumbents: &[Incumbent]) -> ActReply {
    let model = act.model.to_string();
    if let Some(refusal) = &act.refusal {
        let message = format!("model {model}: {refusal}");
        return ActReply::Refused(ActRefused { reason: act_refusal(refusal), message });
    }
    let made = |incumbent: &&Incumbent| incumbent.act().is_some_and(|maker| maker.id == act.id);
    ActReply::Recorded(ActRecorded {
        model,
        act: match act.kind {
            ActKind::Freeze => wire::Act::Freeze,
            ActKind::Unfreeze => wire::Act::Unfreeze,
            ActKind::Force { version } => wire::Act::Force { version },
            ActKind::Veto { version } => wire::Act::Veto { version },
            ActKind::RollBack { version } => wire::Act::RollBack { version },
        },
        by: act.by.clone(),
        reason: act.reason.clone(),
        expires: act.expires,
        acted_at: act.acted_at,
        incumbent: incumbents.iter().find(made).map(|incumbent| NewIncumbent {
            version: incumbent.version,
            generation: incumbent.generation,
            artifact: reference(incumbent),
            previous_version: incumbent.previous_version,
        }),
    })
}

fn act_refusal(refusal: &ActRefusal) -> wire::ActRefusal {
    match refusal {
        ActRefusal::UnknownVersion { .. } => wire::ActRefusal::UnknownVersion,
        ActRefusal::InUseAlready { .. }
        | ActRefusal::VetoOfIncumbent { .. }
        | ActRefusal::NotFrozen
        | ActRefusal::NothingEarlier
        | ActRefusal::NeverInUse { .. }
        | ActRefusal::Vetoed { .. } => wire::ActRefusal::NotPossible,
        ActRefusal::Unusable { .. } => wire::ActRefusal::Unusable,
    }
}

impl From<BadField> for ActReply {
    fn from(bad: BadField) -> Self {
        Self::Refused(ActRefused { reason: wire::ActRefusal::BadRequest, message: bad.to_string() })
    }
}

/// Why a candidate that won does not go live.
pub(super) fn barred(act: &Act) -> String {
    let kept = match act.kind {
        ActKind::Freeze | ActKind::Unfreeze => "the model is".to_owned(),
        ActKind::Veto { .. } => "it is".to_owned(),
        ActKind::Force { .. } | ActKind::RollBack { .. } => {
            format!("version {} was", act.kind.version().unwrap_or_default())
        }
    };
    format!("it is better on both errors and would have gone live, but {kept} {act}")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn request() -> GateRequest {
        GateRequest {
            model: "bike-demand".to_owned(),
            act: wire::Act::Freeze,
            by: "ann".to_owned(),
            reason: "an audit".to_owned(),
            expires: None,
        }
    }

    #[track_caller]
    fn refused(request: &GateRequest, says: &str) {
        let refused = wanted_act(request, "a1", NOW).expect_err("is refused");
        assert_eq!(refused.to_string(), says);
    }

    #[test]
    fn a_request_that_makes_no_sense_names_field_and_value() {
        let good = request();
        assert!(wanted_act(&good, "a1", NOW).is_ok());
        let later = Some(NOW + SignedDuration::from_secs(1));
        assert!(wanted_act(&GateRequest { expires: later, ..good.clone() }, "a1", NOW).is_ok());
        let with_reason = |reason: &str| GateRequest { reason: reason.to_owned(), ..good.clone() };
        refused(&with_reason(" "), "reason: \" \" is empty");
        refused(&with_reason(&"x".repeat(1_001)), "reason: 1001 bytes, at most 1000");
        refused(&with_reason("a\u{1b}[2J"), "reason: holds the control character U+001B");
        refused(&with_reason("a\u{202e}b"), "reason: holds the control character U+202E");
        refused(&GateRequest { by: String::new(), ..good.clone() }, "by: \"\" is empty");
        let past = "expires: 1970-01-01T00:00:00Z has passed, it is 1970-01-01T00:00:00Z";
        refused(&GateRequest { expires: Some(NOW), ..good.clone() }, past);
        let endless =
            "expires: 1970-01-01T00:00:01Z, but an unfreeze has no end: freeze the model again then";
        refused(&GateRequest { act: wire::Act::Unfreeze, expires: later, ..good.clone() }, endless);
        let nobody = "model: model \"Bike Demand\" must match [a-z][a-z0-9-]{0,62}";
        refused(&GateRequest { model: "Bike Demand".to_owned(), ..good.clone() }, nobody);
    }

    #[test]
    fn who_kept_a_winner_out_is_named_with_the_reason() {
        let kinds = [
            (ActKind::Freeze, "the model is frozen by ann: an audit"),
            (ActKind::Veto { version: 3 }, "it is vetoed by ann: an audit"),
            (ActKind::RollBack { version: Some(2) }, "version 2 was rolled back to by ann: an audit"),
        ];
        for (kind, says) in kinds {
            let new = wanted_act(&request(), "a1", NOW).expect("is good");
            let NewAct { message_id, model, by, reason, expires, refusal, .. } = new;
            let act = Act { id: 1, message_id, model, kind, by, reason, expires, acted_at: NOW, refusal };
            let expected = format!("it is better on both errors and would have gone live, but {says}");
            assert_eq!(barred(&act), expected);
        }
    }
}
