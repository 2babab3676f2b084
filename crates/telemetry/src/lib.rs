//! What a process says about itself while it runs: logs on stderr, metrics.

mod metrics;

use std::io::IsTerminal as _;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

pub use metrics::{Metrics, start_metrics};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people, coloured on a terminal.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Why logging could not be started.
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
    /// Something in this process logs already.
    #[error("logging was started twice")]
    Twice,
}

/// What lapin says below an error may quote the bodies of messages.
const QUIET: &str = "lapin=error";

/// Starts logging for the whole process. `filter` is a level or a list of directives
/// (`info,sqlx=warn`).
///
/// # Errors
/// [`StartError`] if the filter is malformed, or if logging runs already.
pub fn start_logging(filter: &str, format: LogFormat) -> Result<(), StartError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .map_err(|e| StartError::Filter { filter: filter.to_owned(), problem: e.to_string() })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(colour).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|_already| StartError::Twice)?;
    if format == LogFormat::Json {
        // A panic is an object of the log too.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    Ok(())
}
