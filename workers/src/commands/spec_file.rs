//! Specifications in TOML files.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use anyhow::Context as _;
use serde::de::DeserializeOwned;

use crate::failure::{ExitCode, Failure, OrExit as _};

/// Larger files are no specifications.
const MAX_BYTES: u64 = 1 << 20;

/// Reads and parses a specification.
///
/// # Errors
/// Not found (3), or unreadable, too large or malformed (4); names file, line and field.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let named = || format!("specification {}", file.display());
    let opened = File::open(file).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let code = if missing { ExitCode::NotFound } else { ExitCode::Invalid };
        Failure::new(code, anyhow::Error::from(error).context(named()))
    })?;
    let mut text = String::new();
    let size = opened
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .with_context(named)
        .or_exit(ExitCode::Invalid)?;
    if size as u64 > MAX_BYTES {
        return Err(Failure::say(
            ExitCode::Invalid,
            format!("{}: at most {MAX_BYTES} bytes are allowed", named()),
        ));
    }
    parse(&text)
        .map_err(|failure| Failure { error: failure.error.map(|error| error.context(named())), ..failure })
}

/// Parses a specification.
///
/// # Errors
/// Malformed (4); names line and field.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| Failure::new(ExitCode::Invalid, error))
}
