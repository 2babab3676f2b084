//! What a process says about itself while it runs: logs on stderr, metrics, traces.

mod logs;

mod metrics;

mod traces;

mod trace_context;

pub mod message_span;

use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use logs::{LogFormat, Logs};
pub use metrics::{Metrics, start_metrics};
pub use trace_context::TraceContext;
pub use traces::{Exporting, Traces};

/// Why a process cannot say anything about itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The filter cannot be parsed.
    #[error("log filter {filter:?} cannot be read: {problem}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Traces can never be sent to this place.
    #[error("traces cannot be sent to {url}")]
    Exporter {
        /// The place, without secrets.
        url: String,
        /// What is wrong with it.
        source: ExporterBuildError,
    },
    /// Something in this process logs already.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logs, and traces if there are to be any, for the whole process.
///
/// With traces this must run inside of a tokio runtime, which sends them; what [`Exporting`] holds back is sent
/// by [`Exporting::finish`].
///
/// # Errors
/// [`StartError`]; nothing was started then.
pub fn start(logs: &Logs<'_>, traces: Option<&Traces<'_>>) -> Result<Option<Exporting>, StartError> {
    let logging = logs.layer()?;
    let exporting = traces.map(Exporting::start).transpose()?;
    let tracing = exporting.as_ref().map(Exporting::layer);
    let started = tracing_subscriber::registry().with(logging).with(tracing).try_init();
    started.map_err(|_already| StartError::Twice)?;
    if logs.format == LogFormat::Json {
        // A panic is an object of the log too.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    Ok(exporting)
}
