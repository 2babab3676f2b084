//! Log lines on stderr.

use std::io::IsTerminal as _;

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, registry::LookupSpan};

use crate::StartError;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people, coloured on a terminal.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Which log lines are written, and how.
#[derive(Debug, Clone, Copy)]
pub struct Logs<'a> {
    /// A level or a list of directives, such as `info,sqlx=warn`.
    pub filter: &'a str,
    /// For people or for machines.
    pub format: LogFormat,
}

/// What lapin says below an error may quote the bodies of messages.
const QUIET: &str = "lapin=error";

impl Logs<'_> {
    pub(crate) fn layer<S>(&self) -> Result<Box<dyn Layer<S> + Send + Sync>, StartError>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let filter = self.filter;
        let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
            .map_err(|e| StartError::Filter { filter: filter.to_owned(), problem: e.to_string() })?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        Ok(match self.format {
            LogFormat::Text => {
                let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                lines.with_ansi(colour).with_target(false).with_filter(filter).boxed()
            }
            LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        })
    }
}
