//! What workers do with a message: load, decide, save. Handlers know no broker; the runner decodes,
//! publishes their replies and settles.

mod train;

mod judge;

mod act;

mod forecast;

mod record;

pub mod convert;

pub use act::ActHandler;
pub use forecast::ForecastHandler;
pub use judge::JudgeHandler;
pub use record::{RecordForecastsHandler, RecordObservationsHandler};
pub use train::TrainHandler;

use std::sync::Arc;

use artifacts::{ArtifactStoreError, LoadError};
use forecasting::{artifact::Bundle, learning::StopFlag, routing::Live};
use history::{ReadError, RecordError};
use jiff::Timestamp;
use registry::{RegistryError, Version};
use runner::{CpuPool, HandleError};

/// What is away is waited for, what another attempt may find gone is tried again; the rest would end the same way.
fn registry_error(error: RegistryError) -> HandleError {
    match error {
        RegistryError::Unavailable(_) => HandleError::away(error),
        RegistryError::Failed(_) | RegistryError::Condemned { .. } => HandleError::transient(error),
        RegistryError::UnknownDataset(_)
        | RegistryError::UnknownModel(_)
        | RegistryError::UnknownVersion { .. }
        | RegistryError::UnknownJob(_)
        | RegistryError::Contradiction { .. }
        | RegistryError::NotStorable { .. }
        | RegistryError::Unreadable(_) => HandleError::rejected(error),
    }
}

/// As [`registry_error`], for a row that names an object of the artifact store. One that was just being
/// deleted, because nothing had needed it for long, is stored again once it must be gone.
fn not_written(error: RegistryError, now: Timestamp) -> HandleError {
    match error {
        RegistryError::Condemned { until, .. } => {
            HandleError::Postponed { after: now.duration_until(until).unsigned_abs() }
        }
        other => registry_error(other),
    }
}

/// As [`registry_error`], for storing an artifact.
fn put_error(error: ArtifactStoreError) -> HandleError {
    match error {
        ArtifactStoreError::Unavailable { .. } => HandleError::away(error),
        ArtifactStoreError::Missing { .. }
        | ArtifactStoreError::Damaged { .. }
        | ArtifactStoreError::TooLarge { .. } => HandleError::rejected(error),
    }
}

/// A version that was never in use, as if it were.
fn untried(version: &Version, bundle: Arc<Bundle>) -> Live {
    Live {
        version: version.version,
        generation: 0, // it has none yet
        since: version.state_since,
        artifact: version.proposal.artifact,
        bundle,
    }
}

/// Why a version cannot be loaded, now or later; or that another attempt may find that gone. A forecaster has no
/// such map: it answers from what it has.
fn unusable(error: LoadError) -> Result<String, HandleError> {
    match &error {
        LoadError::Store(ArtifactStoreError::Unavailable { .. }) => Err(HandleError::away(error)),
        LoadError::Store(
            ArtifactStoreError::Missing { .. }
            | ArtifactStoreError::Damaged { .. }
            | ArtifactStoreError::TooLarge { .. },
        )
        | LoadError::Unusable { .. } => Ok(format!("{:#}", anyhow::Error::from(error))),
    }
}

/// As [`registry_error`], for reading the history.
fn read_error(error: ReadError) -> HandleError {
    match error {
        ReadError::Unavailable(_) => HandleError::away(error),
        ReadError::Failed(_) => HandleError::transient(error),
        ReadError::OffGrid { .. } | ReadError::TooLong { .. } => HandleError::rejected(error),
    }
}

/// As [`registry_error`], for writing the history.
fn record_error(error: RecordError) -> HandleError {
    match error {
        RecordError::Unavailable(_) => HandleError::away(error),
        RecordError::Failed(_) => HandleError::transient(error),
        RecordError::NotFinite { .. }
        | RecordError::Contradiction { .. }
        | RecordError::OffGrid { .. }
        | RecordError::TooLong { .. } => HandleError::rejected(error),
    }
}

/// A message that asks for what is not there, or must not be.
fn rejected(problem: impl std::fmt::Display) -> HandleError {
    HandleError::rejected(problem.to_string())
}

/// Computes on a pool's thread. The computation is told to stop as soon as nobody waits for it: the runner
/// drops a handler whose time is over.
async fn compute<T, F>(cpu: &CpuPool, work: F) -> Result<T, HandleError>
where
    F: FnOnce(&StopFlag) -> T + Send + 'static,
    T: Send + 'static,
{
    let abandoned = StopOnDrop(StopFlag::default());
    let flag = abandoned.0.clone();
    cpu.run(move || work(&flag)).await.map_err(HandleError::transient)
}

struct StopOnDrop(StopFlag);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
