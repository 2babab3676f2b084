//! `gatecast import`

use std::io::Read;

use anyhow::anyhow;
use forecasting::spec::DatasetSpec;
use history::{RecordError, Recorded};
use protocol::{
    ContentType, Destination, Message as _, RoutingKey, WireMessage, messages::ObservationsRecorded,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    cli,
    config::cloud_variables,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    import::{ImportError, ImportOptions, ImportReport, melt, read},
    input,
    terminal::{print, print_json, spinner},
};

/// Reads a file and records all of it, or nothing.
pub(super) async fn import(environment: &Environment, arguments: &cli::Import, json: bool) -> CommandResult {
    let Some(dataset) = environment.registry.dataset(&arguments.dataset).await? else {
        let message = format!("dataset {:?} was not applied", arguments.dataset.as_str());
        return Err(Failure::say(ExitCode::NotFound, message));
    };
    let input = input::open(&arguments.file, &cloud_variables()).await?;
    let progress = spinner(format!("importing {}", arguments.file));
    let recording = record(environment, &dataset.spec, input, arguments.reading.options()).await;
    let (report, recorded) = recording.map_err(|failure| advised(failure, &arguments.file))?;
    progress.finish_and_clear();
    if json {
        let counts = counts(recorded);
        print_json(&json!({ "dataset": dataset.spec.name, "report": report, "recorded": counts }))?;
    } else {
        tell(&report, recorded);
    }
    Ok(())
}

/// What was read, repaired and recorded.
pub(super) fn tell(report: &ImportReport, recorded: Recorded) {
    print(report);
    print(format_args!(
        "recorded {} new, {} corrected, {} known before",
        recorded.new, recorded.corrected, recorded.unchanged
    ));
}

/// What was recorded, for programs.
pub(super) fn counts(recorded: Recorded) -> serde_json::Value {
    json!({ "new": recorded.new, "corrected": recorded.corrected, "unchanged": recorded.unchanged })
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

/// The failure, with the command that makes a file in wide format a long one.
pub(super) fn advised(mut failure: Failure, file: &str) -> Failure {
    let refused = failure.error.as_ref().and_then(|error| error.downcast_ref());
    if let Some(ImportError::Wide { time, .. }) = refused {
        let advice = melt::advice(file, time);
        failure.error = failure.error.map(|error| anyhow!("{error:#}\n  {advice}"));
    }
    failure
}
