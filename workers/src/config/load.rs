//! From defaults, file, environment and flags to one checked configuration.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use super::{Config, ConfigError, DEFAULT_FILE, Flags, Setting, part_url::redacted};

const ENVIRONMENT_PREFIX: &str = "GATECAST__";
/// A variable of this ending names a file that holds the value, as secrets come in containers.
const FILE_SUFFIX: &str = "_FILE";

impl Config {
    /// Reads the configuration and checks it once.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, the value and where it stands.
    pub fn load(flags: &Flags) -> Result<(Self, Vec<Setting>), ConfigError> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .filter_map(|(name, value)| Some((name, value.into_string().ok()?)));
        Self::load_from(flags, &variables.collect())
    }

    pub(super) fn load_from(
        flags: &Flags,
        variables: &HashMap<String, String>,
    ) -> Result<(Self, Vec<Setting>), ConfigError> {
        let path = flags.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        refuse_bad_syntax(path)?;
        let file = match &flags.file {
            Some(named) => {
                config::File::from(named.as_path()).format(config::FileFormat::Toml).required(true)
            }
            None => config::File::new(DEFAULT_FILE, config::FileFormat::Toml).required(false),
        };
        let defaults = config::Config::try_from(&Self::default())?;
        let known = leaves(&defaults)?;
        let environment = config::Environment::with_prefix(ENVIRONMENT_PREFIX.trim_end_matches('_'))
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(Some(with_files_read(variables, &known)?));
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
}

/// Refuses a file that is no TOML, in other words than the library's, which quotes the line.
fn refuse_bad_syntax(file: &Path) -> Result<(), ConfigError> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(()) }; // told by who needs it
    let Err(error) = toml::from_str::<toml::Table>(&text) else { return Ok(()) };
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let (line, column) =
        (before.matches('\n').count() + 1, before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1);
    Err(ConfigError::Syntax { file: file.to_owned(), line, column, problem: error.message().to_owned() })
}

/// The variables, with each one that names a file replaced by what the file holds.
fn with_files_read(
    variables: &HashMap<String, String>,
    known: &Leaves,
) -> Result<HashMap<String, String>, ConfigError> {
    let mut read = HashMap::new();
    for (name, value) in variables {
        let named = name.strip_suffix(FILE_SUFFIX).filter(|named| known.contains_key(&key_of(named)));
        let Some(named) = named else {
            // A variable that is set beside its file is found when the file is read.
            read.entry(name.clone()).or_insert_with(|| value.clone());
            continue;
        };
        if variables.contains_key(named) {
            return Err(ConfigError::SetTwice { variable: named.to_owned() });
        }
        let text = std::fs::read_to_string(value).map_err(|source| ConfigError::SecretFile {
            variable: name.clone(),
            path: PathBuf::from(redacted(value)), // somebody may have put the secret itself there
            source,
        })?;
        read.insert(named.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned());
    }
    Ok(read)
}

/// The key that a variable of the environment sets.
fn key_of(variable: &str) -> String {
    variable.trim_start_matches(ENVIRONMENT_PREFIX).to_lowercase().replace("__", ".")
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

/// What a person may see of every key: no password.
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
            value: redacted(value),
            origin: origin_of(key, origin),
        })
        .collect()
}
