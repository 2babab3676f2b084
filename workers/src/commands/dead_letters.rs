//! `gatecast dead-letters`

use anyhow::Context as _;
use messaging::{Chosen, DeadLetter};
use protocol::Queue;
use serde_json::{Value, json};

use crate::{
    cli::{DeadLettersCommand, Letters},
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::{Table, cut, print, print_json},
};

/// A body is shown up to this many characters, and in a table a reason up to that.
const SHOWN_BODY: usize = 4_000;
const SHOWN_REASON: usize = 40;

/// Lists, shows, replays or drops dead letters.
pub(super) async fn dead_letters(
    environment: &Environment,
    command: &DeadLettersCommand,
    json: bool,
) -> CommandResult {
    match command {
        DeadLettersCommand::List { queue, limit } => list(environment, *queue, *limit, json).await,
        DeadLettersCommand::Show { queue, message_id } => show(environment, *queue, message_id, json).await,
        DeadLettersCommand::Replay { queue, letters } => {
            let replayed = environment.broker.replay_dead_letters(*queue, &chosen(letters)).await;
            done("replayed", *queue, letters, replayed.or_exit(ExitCode::Unreachable)?, json)
        }
        DeadLettersCommand::Drop { queue, letters } => {
            let dropped = environment.broker.drop_dead_letters(*queue, &chosen(letters)).await;
            done("dropped", *queue, letters, dropped.or_exit(ExitCode::Unreachable)?, json)
        }
    }
}

fn chosen(letters: &Letters) -> Chosen {
    letters.message_id.clone().map_or(Chosen::All, Chosen::WithId)
}

fn done(what: &str, queue: Queue, letters: &Letters, count: u64, json: bool) -> CommandResult {
    if let (Some(id), 0) = (&letters.message_id, count) {
        let message = format!("message_id {id:?}: {queue} has no such dead letter");
        return Err(Failure::say(ExitCode::NotFound, message));
    }
    if json {
        return Ok(print_json(&json!({ "queue": queue.name(), what: count }))?);
    }
    print(format_args!("{what} {count} dead letters of {queue}"));
    Ok(())
}

async fn list(environment: &Environment, only: Option<Queue>, limit: u32, json: bool) -> CommandResult {
    let queues = only.map_or_else(|| Queue::ALL.to_vec(), |queue| vec![queue]);
    let mut found = Vec::new();
    for queue in queues {
        let letters = environment.broker.dead_letters(queue, limit).await.or_exit(ExitCode::Unreachable)?;
        found.extend(letters.into_iter().map(|letter| (queue, letter)));
    }
    if json {
        let documents = found.iter().map(|(queue, letter)| document(*queue, letter));
        return Ok(print_json(&documents.collect::<Vec<_>>())?);
    }
    if found.is_empty() {
        print("no dead letters");
        return Ok(());
    }
    let mut table = Table::new(["queue", "message id", "died", "reason"]);
    for (queue, letter) in &found {
        table.row([
            queue.to_string(),
            letter.message.properties.message_id.clone(),
            letter.died_at.map_or_else(
                || "unknown".to_owned(),
                |died_at| died_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            ),
            cut(&letter.reason, SHOWN_REASON),
        ]);
    }
    table.print();
    Ok(())
}

async fn show(environment: &Environment, queue: Queue, message_id: &str, json: bool) -> CommandResult {
    let letter = environment.broker.dead_letter(queue, message_id).await.or_exit(ExitCode::Unreachable)?;
    let letter =
        letter.with_context(|| format!("message_id {message_id:?}: {queue} has no such dead letter"));
    let document = document(queue, &letter.or_exit(ExitCode::NotFound)?);
    if json {
        return Ok(print_json(&document)?);
    }
    print(format_args!("{document:#}"));
    Ok(())
}

fn document(queue: Queue, letter: &DeadLetter) -> Value {
    let properties = &letter.message.properties;
    json!({
        "queue": queue.name(),
        "message_id": properties.message_id,
        "kind": properties.kind,
        "content_type": properties.content_type,
        "died_at": letter.died_at,
        "reason": letter.reason,
        "attempts": properties.attempt,
        "first_error": properties.first_error,
        "reply_to": properties.reply_to,
        "deadline": properties.deadline,
        "body": body(letter),
    })
}

/// The body as JSON if it is what its content type says, else its beginning as text.
fn body(letter: &DeadLetter) -> Value {
    if let Ok(decoded) = protocol::decode_untyped(&letter.message) {
        return decoded;
    }
    let text = String::from_utf8_lossy(&letter.message.body);
    Value::String(text.chars().take(SHOWN_BODY).collect())
}
