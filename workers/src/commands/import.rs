//! `gatecast import`

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::Context as _;
use forecasting::spec::DatasetSpec;
use history::{RecordError, Recorded};
use protocol::{
    ContentType, Destination, Message as _, RoutingKey, WireMessage, messages::ObservationsRecorded,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    cli,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    import::{ImportOptions, ImportReport, read},
    terminal::{print, print_json, spinner},
};

/// Reads a file and records all of it, or nothing.
pub(super) async fn import(environment: &Environment, arguments: &cli::Import, json: bool) -> CommandResult {
    let Some(dataset) = environment.registry.dataset(&arguments.dataset).await? else {
        let message = format!("dataset {:?} was not applied", arguments.dataset.as_str());
        return Err(Failure::say(ExitCode::NotFound, message));
    };
    let options = ImportOptions {
        time_zone: arguments.tz.clone(),
        on_daylight_saving: arguments.dst,
        on_duplicate: arguments.on_duplicate,
        on_gap: arguments.on_gap,
        on_unsorted: arguments.on_unsorted,
    };
    let input = open(&arguments.file)?;
    let progress = spinner(format!("importing {}", arguments.file.display()));
    let (report, recorded) = record(environment, &dataset.spec, input, options).await?;
    progress.finish_and_clear();
    if json {
        let counts =
            json!({ "new": recorded.new, "corrected": recorded.corrected, "unchanged": recorded.unchanged });
        print_json(&json!({ "dataset": dataset.spec.name, "report": report, "recorded": counts }))?;
    } else {
        print(report);
        print(format_args!(
            "recorded {} new, {} corrected, {} known before",
            recorded.new, recorded.corrected, recorded.unchanged
        ));
    }
    Ok(())
}

/// Reads observations, records them, and tells those who keep recent history in memory.
pub(super) async fn record(
    environment: &Environment,
    dataset: &DatasetSpec,
    input: impl Read + Send + 'static,
    options: ImportOptions,
) -> Result<(ImportReport, Recorded), Failure> {
    let now = environment.clock.now();
    let spec = dataset.clone();
    let reading = tokio::task::spawn_blocking(move || read(input, &options, &spec, now)).await?;
    let imported = reading.or_exit(ExitCode::Invalid)?;
    let history = &environment.history;
    let recorded = history.record(&dataset.name, &dataset.grid(), &imported.observations, now).await;
    let recorded = recorded.map_err(|error| Failure::new(exit_code(&error), error))?;
    announce(environment, dataset, recorded).await?;
    Ok((imported.report, recorded))
}

fn exit_code(error: &RecordError) -> ExitCode {
    match error {
        RecordError::Unavailable(_) => ExitCode::Unreachable,
        RecordError::Failed(_) => ExitCode::Failure,
        RecordError::NotFinite { .. }
        | RecordError::Contradiction { .. }
        | RecordError::OffGrid { .. }
        | RecordError::TooLong { .. } => ExitCode::Invalid,
    }
}

async fn announce(
    environment: &Environment,
    dataset: &DatasetSpec,
    recorded: Recorded,
) -> anyhow::Result<()> {
    let event = ObservationsRecorded {
        dataset: dataset.name.to_string(),
        new: recorded.new,
        corrected: recorded.corrected,
        unchanged: recorded.unchanged,
    };
    let message = WireMessage::new(&event, ContentType::MessagePack, Uuid::now_v7().to_string())?;
    let key = RoutingKey::new(ObservationsRecorded::KIND, dataset.name.as_str());
    environment.broker.publish(&Destination::Event(key), message).await?;
    Ok(())
}

/// The bytes of a file, or of stdin.
pub(super) fn open(file: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(file).with_context(|| format!("file {}", file.display()));
    Ok(Box::new(opened.or_exit(ExitCode::NotFound)?))
}
