//! `gatecast verdict --replay`: found again, bit for bit, or what differs.

use bytes::Bytes;
use forecasting::artifact::ArtifactName;
use registry::Decision;
use serde_json::{Value, json};

use super::{
    Told,
    again::{case, grounds, judge, not_loaded},
    differences::{Difference, in_json, in_rows},
};
use crate::{
    case::Found,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    scored_rows,
    terminal::{BAD, GOOD, WIDTH, cut, painted, print, print_json, spinner},
};

/// How many differences people are shown.
const SHOWN: usize = 20;

/// What came of judging again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The judgement that was found this time, as the registry keeps it: JSON.
    pub judgement: Vec<u8>,
    /// What the rows that it was found on would be stored under; `None` where none would be kept.
    pub scored_rows: Option<ArtifactName>,
    /// Where it is another than the recorded one; nothing if every bit is the same.
    pub differences: Vec<Difference>,
}

/// Judges the candidate of a decision again, from both artifacts and the history as of then. Decides and writes nothing.
///
/// # Errors
/// If the decision does not name what it was found from, or if that is not there any more.
pub async fn replay(environment: &Environment, decision: &Decision) -> Result<Replay, Failure> {
    let grounds = grounds(decision)?;
    let found = match case(environment, decision, &grounds).await? {
        Ok(case) => judge(environment, case, decision).await?,
        // That a side could not be loaded may have been the verdict.
        Err(error) => match error.found(&grounds) {
            Some(found) if found.judgement.verdict == decision.judgement.verdict => found,
            _ => return Err(not_loaded(error)),
        },
    };
    compare(environment, decision, found).await
}

async fn compare(environment: &Environment, decision: &Decision, found: Found) -> Result<Replay, Failure> {
    let [recorded, replayed] = [&decision.judgement, &found.judgement].map(serde_json::to_value);
    let mut differences = in_json(&recorded?, &replayed?);
    let rows = found.rows.map(Bytes::from);
    let scored_rows = rows.as_ref().map(|rows| ArtifactName::of(rows));
    let kept = decision.scored_rows.map(|rows| rows.name);
    if kept != scored_rows {
        let (path, [recorded, replayed]) = ("scored_rows".to_owned(), [json!(kept), json!(scored_rows)]);
        differences.push(Difference { path, recorded, replayed });
        differences.extend(first_other_row(environment, kept, rows).await);
    }
    let judgement = serde_json::to_vec(&found.judgement)?;
    Ok(Replay { judgement, scored_rows, differences })
}

/// The first row that differs, as far as the rows of then are there to be read: they may have expired, or have been
/// written by another build in another way.
async fn first_other_row(
    environment: &Environment,
    kept: Option<ArtifactName>,
    replayed: Option<Bytes>,
) -> Option<Difference> {
    let kept = environment.artifacts.get(&kept?).await.ok()?;
    let replayed = replayed?;
    let compared = tokio::task::spawn_blocking(move || {
        in_rows(scored_rows::decode(kept).ok()?, scored_rows::decode(replayed).ok()?)
    });
    compared.await.ok()?
}

/// Replays and says what came of it.
pub(super) async fn tell(environment: &Environment, told: &Told, json: bool) -> CommandResult {
    let progress = spinner("judging again");
    let replay = replay(environment, &told.decision).await?;
    progress.finish_and_clear();
    let is_identical = replay.differences.is_empty();
    if json {
        print_json(&document(told, &replay))?;
    } else {
        lines(told, &replay).iter().for_each(print);
    }
    if is_identical { Ok(()) } else { Err(Failure::silent(ExitCode::Failure)) }
}

fn document(told: &Told, replay: &Replay) -> Value {
    let differences = replay.differences.iter().map(|Difference { path, recorded, replayed }| {
        json!({ "path": path, "recorded": recorded, "replayed": replayed })
    });
    json!({
        "model": told.decision.model, "version": told.version.version, "look": told.decision.look,
        "as_of": told.decision.as_of, "identical": replay.differences.is_empty(),
        "judgement_sha256": ArtifactName::of(&replay.judgement), "judgement_bytes": replay.judgement.len(),
        "scored_rows": replay.scored_rows, "differences": differences.collect::<Vec<_>>(),
    })
}

fn lines(told: &Told, replay: &Replay) -> Vec<String> {
    let name = told.name();
    if replay.differences.is_empty() {
        let bytes = replay.judgement.len();
        let mut lines =
            vec![format!("{} {name}", painted("identical:", GOOD)), format!("  judgement {bytes} bytes")];
        lines.extend(replay.scored_rows.map(|rows| format!("  rows      {rows}")));
        return lines;
    }
    let mut lines = vec![format!("{} {name}", painted("not identical:", BAD))];
    for Difference { path, recorded, replayed } in replay.differences.iter().take(SHOWN) {
        lines.push(cut(&format!("  {path}"), WIDTH));
        lines.push(cut(&format!("    recorded  {recorded}"), WIDTH));
        lines.push(cut(&format!("    now       {replayed}"), WIDTH));
    }
    let more = replay.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("  and {more} more differences, all of them with --json"));
    }
    lines
}
