//! The configuration: one TOML file, the same keys in every mode.
//!
//! Flag > environment (`GATECAST__SECTION__KEY`) > file > default. This file alone reads the environment.
//! A URL's scheme picks the part that stands behind it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use serde::{Deserialize, Serialize};

/// File that is read when no `--config` names another one, if it is there.
pub const DEFAULT_FILE: &str = "gatecast.toml";
const ENVIRONMENT_PREFIX: &str = "GATECAST";

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder that relative `sqlite:` and `file:` URLs are relative to. One process owns it.
    pub data_folder: PathBuf,
    /// The broker.
    pub broker: Part,
    /// The registry.
    pub registry: Part,
    /// The history.
    pub history: Part,
    /// The artifact store.
    pub artifacts: Artifacts,
    /// Every worker.
    pub runner: Runner,
    /// Trainers.
    pub trainer: Trainer,
    /// Forecasters.
    pub forecaster: Forecaster,
    /// Logs.
    pub log: Log,
}

/// A part behind a URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// `sqlite:FILE`.
    pub url: String,
}

/// Where artifacts lie, and how much of them stays in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifacts {
    /// `file:FOLDER`.
    pub url: String,
    /// Size of the decoded models kept in memory, by the size of their artifacts.
    pub memory: ByteSize,
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

/// Forecasters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecaster {
    /// Forecast requests at once.
    pub prefetch: u16,
    /// How often the registry and the history are looked at when no event says that they changed.
    #[serde(with = "friendly")]
    pub poll: Duration,
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

impl Default for Config {
    fn default() -> Self {
        let sqlite = |file: &str| Part { url: format!("sqlite:{file}") };
        Self {
            data_folder: PathBuf::from("gatecast-data"),
            broker: sqlite("queue.db"),
            registry: sqlite("registry.db"),
            history: sqlite("history.db"),
            artifacts: Artifacts { url: "file:artifacts".to_owned(), memory: ByteSize::mib(256) },
            runner: Runner { grace: Duration::from_secs(30) },
            trainer: Trainer { slots: 1, time_limit: Duration::from_mins(25) },
            forecaster: Forecaster { prefetch: 64, poll: Duration::from_secs(30) },
            log: Log::default(),
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
    /// A file that cannot be read, or a value of a wrong type.
    #[error(transparent)]
    Unreadable(#[from] config::ConfigError),
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
    /// Reads the configuration and checks it once.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, the value and where it stands.
    pub fn load(flags: &Flags) -> Result<(Self, Vec<Setting>), ConfigError> {
        let file = match &flags.file {
            Some(named) => {
                config::File::from(named.as_path()).format(config::FileFormat::Toml).required(true)
            }
            None => config::File::new(DEFAULT_FILE, config::FileFormat::Toml).required(false),
        };
        let defaults = config::Config::try_from(&Self::default())?;
        let known = leaves(&defaults)?;
        let environment = config::Environment::with_prefix(ENVIRONMENT_PREFIX)
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true);
        let folder = flags.data_folder.as_deref().map(utf8).transpose()?;
        let merged = config::Config::builder()
            .add_source(defaults)
            .add_source(file)
            .add_source(environment)
            .set_override_option("data_folder", folder)?
            .build()?;

        let found = leaves(&merged)?;
        refuse_unknown(&found, &known)?;
        let settings = settings(&found, flags);
        let config: Self = merged.try_deserialize()?;
        config.check()?;
        Ok((config, settings))
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (key, url, scheme, problem) in [
            ("broker.url", &self.broker.url, "sqlite:", "must be sqlite:FILE"),
            ("registry.url", &self.registry.url, "sqlite:", "must be sqlite:FILE"),
            ("history.url", &self.history.url, "sqlite:", "must be sqlite:FILE"),
            ("artifacts.url", &self.artifacts.url, "file:", "must be file:FOLDER"),
        ] {
            if url.strip_prefix(scheme).is_none_or(str::is_empty) {
                return Err(ConfigError::Value { key, value: format!("{url:?}"), problem });
            }
        }
        for (key, value) in
            [("trainer.slots", self.trainer.slots), ("forecaster.prefetch", self.forecaster.prefetch)]
        {
            if value == 0 {
                return Err(ConfigError::Value {
                    key,
                    value: value.to_string(),
                    problem: "must be at least 1",
                });
            }
        }
        let second = Duration::from_secs(1);
        for (key, value, allowed, problem) in [
            ("forecaster.poll", self.forecaster.poll, second..=Duration::MAX, "must be at least 1s"),
            (
                "runner.grace",
                self.runner.grace,
                Duration::ZERO..=Duration::from_hours(1),
                "must be at most 1h",
            ),
            (
                "trainer.time_limit",
                self.trainer.time_limit,
                second..=Duration::from_hours(24),
                "must be between 1s and 24h",
            ),
        ] {
            if !allowed.contains(&value) {
                return Err(ConfigError::Value { key, value: format!("{value:?}"), problem });
            }
        }
        Ok(())
    }

    /// The path behind a `sqlite:` or `file:` URL of this configuration.
    pub fn path(&self, url: &str) -> PathBuf {
        let path = url.split_once(':').map_or(url, |(_scheme, path)| path);
        self.data_folder.join(Path::new(path))
    }
}

/// The data folder as text, which is all that the merged configuration can hold.
fn utf8(folder: &Path) -> Result<&str, ConfigError> {
    folder.to_str().ok_or_else(|| ConfigError::Value {
        key: "data_folder",
        value: folder.display().to_string(),
        problem: "must be UTF-8 text",
    })
}

type Leaves = BTreeMap<String, (String, Option<String>)>;

/// Every key with its value and origin.
fn leaves(config: &config::Config) -> Result<Leaves, config::ConfigError> {
    fn walk(prefix: &str, table: config::Map<String, config::Value>, into: &mut Leaves) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            let origin = value.origin().map(ToOwned::to_owned);
            match value.kind.clone() {
                config::ValueKind::Table(inner) => walk(&path, inner, into),
                other => {
                    into.insert(path, (other.to_string(), origin));
                }
            }
        }
    }
    let mut found = Leaves::new();
    walk("", config.cache.clone().into_table()?, &mut found);
    Ok(found)
}

fn refuse_unknown(found: &Leaves, known: &Leaves) -> Result<(), ConfigError> {
    let Some((key, (_, origin))) = found.iter().find(|(key, _)| !known.contains_key(*key)) else {
        return Ok(());
    };
    let nearest = known
        .keys()
        .map(|candidate| (strsim::jaro_winkler(candidate, key), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    Err(ConfigError::UnknownKey {
        key: key.clone(),
        origin: origin.clone().unwrap_or_else(|| "the defaults".to_owned()),
        hint: nearest.map(|(_, near)| format!("; did you mean {near:?}?")).unwrap_or_default(),
    })
}

fn settings(found: &Leaves, flags: &Flags) -> Vec<Setting> {
    let origin_of = |key: &str, origin: &Option<String>| match origin {
        None if key == "data_folder" && flags.data_folder.is_some() => "flag".to_owned(),
        None => "default".to_owned(),
        Some(origin) => origin.clone(),
    };
    found
        .iter()
        .map(|(key, (value, origin))| Setting {
            key: key.clone(),
            value: value.clone(),
            origin: origin_of(key, origin),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<(Config, Vec<Setting>), ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        std::fs::write(&file, text).expect("writes");
        Config::load(&Flags { file: Some(file), data_folder: None })
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = load(text).expect_err("must be refused").to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(load("").expect("loads").0, Config::default());
    }

    #[test]
    fn a_file_overrides_the_defaults_and_is_named_as_their_origin() {
        let (config, settings) =
            load("[forecaster]\npoll = \"2s\"\n[artifacts]\nmemory = \"1MiB\"").expect("loads");
        assert_eq!(config.forecaster.poll, Duration::from_secs(2));
        assert_eq!(config.artifacts.memory, ByteSize::mib(1));
        let origin = |key: &str| settings.iter().find(|s| s.key == key).map(|s| s.origin.clone());
        assert!(origin("forecaster.poll").expect("there").ends_with("c.toml"));
        assert_eq!(origin("trainer.slots").as_deref(), Some("default"));
    }

    #[test]
    fn an_unknown_key_is_refused_and_the_nearest_one_named() {
        refused("[forecaster]\nprefetsh = 3", "unknown configuration key \"forecaster.prefetsh\"");
        refused("[forecaster]\nprefetsh = 3", "did you mean \"forecaster.prefetch\"?");
    }

    #[test]
    fn a_value_that_cannot_work_is_refused() {
        refused(
            "[broker]\nurl = \"amqp://localhost\"",
            "broker.url = \"amqp://localhost\": must be sqlite:FILE",
        );
        refused("[trainer]\nslots = 0", "trainer.slots = 0: must be at least 1");
        refused("[forecaster]\npoll = \"soon\"", "forecaster.poll");
        refused("[forecaster]\npoll = \"10ms\"", "must be at least 1s");
        refused("[trainer]\nslots = \"many\"", "trainer.slots");
        refused("[trainer]\ntime_limit = \"0s\"", "trainer.time_limit = 0ns: must be between 1s and 24h");
        refused("[trainer]\ntime_limit = \"25h\"", "trainer.time_limit = 90000s: must be between 1s and 24h");
        refused("[runner]\ngrace = \"99999999999h\"", "runner.grace");
        refused("[runner]\ngrace = \"61m\"", "runner.grace = 3660s: must be at most 1h");
        load("[runner]\ngrace = \"0s\"\n[trainer]\ntime_limit = \"1s\"").expect("the limits are allowed");
        refused("x = [", "c.toml");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = load("x = [").expect_err("must be refused");
        let told = error.to_string();
        assert_eq!(format!("{:#}", anyhow::Error::from(error)), told);
    }

    #[cfg(unix)]
    #[test]
    fn a_data_folder_that_is_not_text_is_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let folder = PathBuf::from(std::ffi::OsString::from_vec(b"data\xff".to_vec()));
        let error =
            Config::load(&Flags { file: None, data_folder: Some(folder) }).expect_err("must be refused");
        assert_eq!(error.to_string(), "configuration key data_folder = \"data\\xFF\": must be UTF-8 text");
    }

    #[test]
    fn the_example_file_shows_every_key_with_its_default() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gatecast.toml");
        let (config, settings) =
            Config::load(&Flags { file: Some(example), data_folder: None }).expect("loads");
        assert_eq!(config, Config::default());
        let missing: Vec<_> = settings.iter().filter(|s| s.origin == "default").map(|s| &s.key).collect();
        assert_eq!(missing, Vec::<&String>::new(), "keys that examples/gatecast.toml does not show");
    }
}
