//! `gatecast import`

use std::io;

use anyhow::anyhow;
use forecasting::spec::DatasetSpec;
use history::{RecordError, Recorded, RecordedRows, Rows};
use protocol::{
    ContentType, Destination, Message as _, RoutingKey, WireMessage, messages::ObservationsRecorded,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    cli,
    config::cloud_variables,
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    import::{CovariateNames, ImportError, ImportOptions, ImportReport, Input, melt, read},
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
        let (values, covariates) = (counts(recorded.values), counts(recorded.covariates));
        print_json(&json!({
            "dataset": dataset.spec.name, "report": report, "recorded": values, "covariates": covariates,
        }))?;
    } else {
        tell(&report, recorded);
    }
    Ok(())
}

/// What was read, repaired and recorded.
pub(super) fn tell(report: &ImportReport, recorded: RecordedRows) {
    let counts = |of: Recorded| {
        format!("recorded {} new, {} corrected, {} known before", of.new, of.corrected, of.unchanged)
    };
    print(report);
    print(counts(recorded.values));
    if recorded.covariates != Recorded::default() {
        print(format_args!("of covariates: {}", counts(recorded.covariates)));
    }
}

/// What was recorded, for programs.
pub(super) fn counts(recorded: Recorded) -> serde_json::Value {
    json!({ "new": recorded.new, "corrected": recorded.corrected, "unchanged": recorded.unchanged })
}

/// Reads observations and what the dataset declares besides, records them, and tells those who keep recent history
/// in memory.
pub(super) async fn record(
    environment: &Environment,
    dataset: &DatasetSpec,
    input: Input<'static>,
    mut options: ImportOptions,
) -> Result<(ImportReport, RecordedRows), Failure> {
    let now = environment.clock.now();
    let spec = dataset.clone();
    options.columns.covariates = CovariateNames::of(&spec.covariates);
    let reading = tokio::task::spawn_blocking(move || read(input, &options, &spec, now)).await?;
    let imported = reading.map_err(refused)?;
    let history = &environment.history;
    let rows = Rows { observations: &imported.observations, covariates: &imported.covariates };
    let recorded = history.record_rows(&dataset.name, &dataset.grid(), rows, now).await;
    let recorded = recorded.map_err(|error| Failure::new(exit_code(&error), error))?;
    announce(environment, dataset, recorded.values).await?;
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

/// A file that is not imported: the fault of the file, of a store, or of this machine.
pub(super) fn refused(error: ImportError) -> Failure {
    let code = match &error {
        ImportError::Unreadable { source, .. } => unreadable(source),
        ImportError::TimeZone(_)
        | ImportError::PlainGrid { .. }
        | ImportError::WrongFormat { .. }
        | ImportError::Header { .. }
        | ImportError::Wide { .. }
        | ImportError::Row { .. }
        | ImportError::OtherFrequency { .. }
        | ImportError::OffGrid { .. }
        | ImportError::NoFrequency { .. }
        | ImportError::Gaps { .. }
        | ImportError::TooMany { .. } => ExitCode::Invalid,
    };
    Failure::new(code, error)
}

/// Another try may succeed, unless it is the data that is damaged or too much.
fn unreadable(error: &io::Error) -> ExitCode {
    if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<object_store::Error>) {
        return ExitCode::Unreachable;
    }
    if error.raw_os_error().is_some() {
        return ExitCode::Failure;
    }
    match error.kind() {
        io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::Other => ExitCode::Invalid, // zstd calls everything other
        _ => ExitCode::Failure,
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::import::sample;

    const ROWS: &[u8] = b"unique_id,ds,y\na,2025-01-01,1\n";

    /// Says what it has to say at the first read.
    struct Broken(Option<io::Error>);

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.take().map_or(Ok(0), Err)
        }
    }

    fn code<'a>(input: impl Into<Input<'a>>) -> ExitCode {
        refused(sample(input, None).expect_err("cannot be read")).code
    }

    #[test]
    fn a_damaged_file_is_invalid() {
        let mut gzip = flate2::read::GzEncoder::new(ROWS, flate2::Compression::fast());
        let mut compressed = Vec::new();
        gzip.read_to_end(&mut compressed).expect("memory has room");
        assert_eq!(code(&compressed[..compressed.len() / 2]), ExitCode::Invalid);
        assert_eq!(code([&b"\x28\xb5\x2f\xfd"[..], &[0xff; 20]].concat().as_slice()), ExitCode::Invalid);
        assert_eq!(code(&b"PAR1, but not to the end"[..]), ExitCode::Invalid);
    }

    #[test]
    fn a_file_that_this_machine_cannot_read_or_keep_is_not_called_invalid() {
        let io_error = io::Error::from_raw_os_error(5);
        let no_folder_for_a_copy = io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "at /tmp");
        for error in [io_error, no_folder_for_a_copy] {
            assert_eq!(code(Input::stream(Read::chain(ROWS, Broken(Some(error))))), ExitCode::Failure);
        }
    }

    /// A store that sends the begin of an object to the first who comes, and then is gone.
    async fn send_begin(listener: TcpListener) {
        let (mut client, _) = listener.accept().await.expect("comes");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(client.read_buf(&mut request).await.expect("reads"), 0, "asks for something");
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"1\"\r\n\
                    Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n\r\n";
        client.write_all(&[head.as_bytes(), ROWS].concat()).await.expect("writes");
    }

    #[tokio::test]
    async fn a_store_that_breaks_off_for_good_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("has one"));
        let store = tokio::spawn(send_begin(listener));
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_SKIP_SIGNATURE", "true"),
            ("AWS_REGION", "us-east-1"),
        ];
        let cloud = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let input = input::open("s3://bucket/rows.csv", &cloud).await.expect("is there");
        store.await.expect("sends");
        let code = tokio::task::spawn_blocking(|| code(input)).await.expect("ends");
        assert_eq!(code, ExitCode::Unreachable);
    }
}
