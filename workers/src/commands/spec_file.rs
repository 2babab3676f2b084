//! Specifications in TOML files.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

use crate::failure::{ExitCode, Failure};

/// Larger files are no specifications.
const MAX_BYTES: u64 = 1 << 20;

/// Reads and parses a specification.
///
/// # Errors
/// Not found (3), or unreadable, too large or malformed (4); names file, line and field.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let named = || format!("specification {}", file.display());
    let metadata = std::fs::metadata(file).with_context(named);
    let metadata = metadata.map_err(|error| Failure::new(ExitCode::NotFound, error))?;
    if metadata.len() > MAX_BYTES {
        let error = anyhow!("{} has {} bytes, at most {MAX_BYTES} are allowed", named(), metadata.len());
        return Err(Failure::new(ExitCode::Invalid, error));
    }
    parse(&std::fs::read_to_string(file).with_context(named).map_err(|e| Failure::new(ExitCode::Invalid, e))?)
        .map_err(|failure| Failure { error: failure.error.map(|error| error.context(named())), ..failure })
}

/// Parses a specification.
///
/// # Errors
/// Malformed (4); names line and field.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| Failure::new(ExitCode::Invalid, error))
}
