//! The configuration: one TOML file, the same keys in every mode.
//!
//! Flag > environment (`GATECAST__SECTION__KEY`, or `…_FILE` for a file that holds the value) > file >
//! default. This module alone reads the environment.
//! A URL's scheme picks the part that stands behind it.

mod load;

mod part_url;

mod cloud;

mod person;

mod check;

use std::{path::PathBuf, time::Duration};

use bytesize::ByteSize;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use messaging::QueueType;
use serde::{Deserialize, Serialize};

pub use cloud::cloud_variables;
pub use part_url::PartUrl;
use part_url::redacted;
pub use person::user;

/// File that is read when no `--config` names another one, if it is there.
pub const DEFAULT_FILE: &str = "gatecast.toml";

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder that relative `sqlite:` and `file:` URLs are relative to. Where the broker is embedded, one
    /// process owns it.
    pub data_folder: PathBuf,
    /// The broker.
    pub broker: Broker,
    /// The registry.
    pub registry: Part,
    /// The history.
    pub history: Part,
    /// The artifact store.
    pub artifacts: Artifacts,
    /// The cache in front of the artifact store.
    pub cache: Cache,
    /// How servers prove who they are.
    pub tls: Tls,
    /// Every worker.
    pub runner: Runner,
    /// Trainers.
    pub trainer: Trainer,
    /// Gatekeepers.
    pub gatekeeper: Gatekeeper,
    /// Forecasters.
    pub forecaster: Forecaster,
    /// How long things are kept.
    pub retention: Retention,
    /// Probes and metrics over HTTP.
    pub health: Health,
    /// Logs.
    pub log: Log,
    /// Traces.
    pub traces: Traces,
}

/// The broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `sqlite:FILE`, `amqp://user:password@host/vhost`, or `amqps://…`.
    pub url: PartUrl,
    /// Stands before the name of every exchange and queue of `RabbitMQ`, so that a server can be shared.
    pub prefix: String,
    /// The type of the queue `forecast-requests` on `RabbitMQ`.
    pub forecast_requests: QueueType,
}

/// A part behind a URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// `sqlite:FILE`, or `postgres://user:password@host/database`.
    pub url: PartUrl,
}

/// Where artifacts lie, and how much of them stays in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifacts {
    /// `file:FOLDER`.
    pub url: PartUrl,
    /// Size of the decoded models kept in memory, by the size of their artifacts.
    pub memory: ByteSize,
}

/// The cache in front of the artifact store, shared by a fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// `redis://host` or `rediss://host`; empty: none.
    pub url: PartUrl,
}

/// How servers prove who they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// File of certificates (PEM) that those of the servers must come from; empty: what the machine trusts.
    pub certificate_authority: PathBuf,
}

/// How long recorders and gatekeepers keep what is not kept for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Forecasts that were given out.
    pub forecasts_issued_days: u32,
    /// Ids of messages whose observations were recorded: one that is delivered again later than this is
    /// recorded again.
    pub handled_messages_days: u32,
    /// The rows that verdicts were found on.
    pub scored_rows_days: u32,
    /// Artifacts of versions that were refused or are no longer in use: so far back one can roll back.
    pub artifacts_days: u32,
}

/// Probes and metrics over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Address such as `127.0.0.1:9464`; empty: none.
    pub listen: String,
}

/// What every worker does with its deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runner {
    /// How long a worker that was told to stop may finish what it holds.
    #[serde(with = "friendly")]
    pub grace: Duration,
}

/// Trainers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trainer {
    /// Train jobs at once, one thread each.
    pub slots: u16,
    /// Longest that one train job may take.
    #[serde(with = "friendly")]
    pub time_limit: Duration,
}

/// Gatekeepers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gatekeeper {
    /// Longest that the verdict on one candidate, or an act of a person, may take.
    #[serde(with = "friendly")]
    pub time_limit: Duration,
}

/// Forecasters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecaster {
    /// Forecast requests at once.
    pub prefetch: u16,
    /// How often the registry and the history are looked at when no event says that they changed.
    #[serde(with = "friendly")]
    pub poll: Duration,
    /// Folder of the local copy of what is served, relative to the data folder. One process has it.
    pub folder: PathBuf,
    /// Most that the local copy may take.
    pub disk: ByteSize,
}

/// Logs, on stderr.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Level, or directives such as `info,sqlx=warn`.
    pub filter: String,
    /// For people or for machines.
    pub format: telemetry::LogFormat,
}

/// Traces: what became of a message, across all processes that had to do with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// Where they go, as OTLP over gRPC: `http://host:4317` or `https://…`; empty: nowhere.
    pub url: PartUrl,
    /// The share of traces that are kept, 0 to 1. A trace that somebody else began keeps their choice.
    pub share: f64,
}

impl Traces {
    /// Whether there are any.
    pub fn are_on(&self) -> bool {
        !self.url.is_empty()
    }
}

impl Default for Config {
    fn default() -> Self {
        let sqlite = |file: &str| Part { url: PartUrl::from(file) };
        Self {
            data_folder: PathBuf::from("gatecast-data"),
            broker: Broker {
                url: PartUrl::from("sqlite:queue.db"),
                prefix: String::new(),
                forecast_requests: QueueType::Classic,
            },
            registry: sqlite("sqlite:registry.db"),
            history: sqlite("sqlite:history.db"),
            artifacts: Artifacts { url: PartUrl::from("file:artifacts"), memory: ByteSize::mib(256) },
            cache: Cache { url: PartUrl::default() },
            tls: Tls { certificate_authority: PathBuf::new() },
            runner: Runner { grace: Duration::from_secs(30) },
            trainer: Trainer { slots: 1, time_limit: Duration::from_mins(25) },
            gatekeeper: Gatekeeper { time_limit: Duration::from_mins(10) },
            forecaster: Forecaster {
                prefetch: 64,
                poll: Duration::from_secs(30),
                folder: PathBuf::from("forecaster"),
                disk: ByteSize::gib(1),
            },
            retention: Retention::default(),
            health: Health { listen: String::new() },
            log: Log::default(),
            traces: Traces { url: PartUrl::default(), share: 1.0 },
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            forecasts_issued_days: 180,
            handled_messages_days: 7,
            scored_rows_days: 180,
            artifacts_days: 90,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: telemetry::LogFormat::Text }
    }
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data-folder`.
    pub data_folder: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that is no TOML. The line is not quoted: it may hold a password.
    #[error("{}, line {line}, column {column}: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A file that cannot be read, or a value of a wrong type; without the passwords that what stands there
    /// may hold.
    #[error("{0}")]
    Unreadable(String),
    /// A key that nothing reads.
    #[error("unknown configuration key {key:?} in {origin}{hint}")]
    UnknownKey {
        /// The key with its section, e.g. `forecaster.prefetsh`.
        key: String,
        /// File or environment.
        origin: String,
        /// The nearest known key, as the rest of the sentence.
        hint: String,
    },
    /// A variable of the environment, and another one that names a file for it.
    #[error("{variable} and {variable}_FILE are both set; set one of them")]
    SetTwice {
        /// The one without `_FILE`.
        variable: String,
    },
    /// A file that a variable names cannot be read.
    #[error("the file {path} that {variable} names cannot be read")]
    SecretFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A value that is not allowed.
    #[error("configuration key {key} = {value}: {problem}")]
    Value {
        /// The key with its section.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The reader quotes the line or the value that it cannot use.
impl From<config::ConfigError> for ConfigError {
    fn from(error: config::ConfigError) -> Self {
        Self::Unreadable(redacted(&error.to_string()))
    }
}

/// A key with the value in force, and where that comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Section and key.
    pub key: String,
    /// The value, as text.
    pub value: String,
    /// `default`, `flag`, `environment`, or the file.
    pub origin: String,
}

impl Config {
    /// The path behind a `sqlite:` or `file:` URL of this configuration.
    pub fn path(&self, url: &PartUrl) -> PathBuf {
        self.data_folder.join(url.rest())
    }

    /// The folder of the forecaster's local copy.
    pub fn forecaster_folder(&self) -> PathBuf {
        self.data_folder.join(&self.forecaster.folder)
    }

    /// Whether the queues lie in the data folder, which then has one owner.
    pub fn is_embedded(&self) -> bool {
        self.broker.url.scheme() == "sqlite"
    }
}

#[cfg(test)]
mod tests;
