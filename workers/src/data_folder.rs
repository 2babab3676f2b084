//! The folder of the embedded parts. One process owns it; others may publish onto its queue, read its
//! replies and look into its registry and history.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

const LOCK_FILE: &str = "owner.lock";

/// Why a data folder cannot be owned.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process runs on it.
    #[error(
        "data folder {path} is owned by another gatecast process{owner}; stop that one, or name another --data-folder"
    )]
    Owned {
        /// The folder.
        path: PathBuf,
        /// Its process id, as the rest of the sentence.
        owner: String,
    },
    /// It cannot be created or locked.
    #[error("data folder {path} cannot be used")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Ownership of a data folder. The operating system ends it with the process, however that dies.
#[derive(Debug)]
pub struct Ownership {
    _lock: File,
}

/// Creates the folder where it is missing.
///
/// # Errors
/// [`DataFolderError::Unusable`] if that fails.
pub fn create(path: &Path) -> Result<(), DataFolderError> {
    fs::create_dir_all(path).map_err(|source| DataFolderError::Unusable { path: path.to_owned(), source })
}

/// Takes ownership of the folder.
///
/// # Errors
/// [`DataFolderError::Owned`] if another process has it.
pub fn own(path: &Path) -> Result<Ownership, DataFolderError> {
    create(path)?;
    let unusable = |source| DataFolderError::Unusable { path: path.to_owned(), source };
    let lock_file = path.join(LOCK_FILE);
    let mut lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(lock_file)
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let known = lock.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let owner = if known { format!(" (pid {})", pid.trim()) } else { String::new() };
            return Err(DataFolderError::Owned { path: path.to_owned(), owner });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).map_err(unusable)?;
    Ok(Ownership { _lock: lock })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = own(folder.path()).expect("nobody has it");
        let error = own(folder.path()).expect_err("it is owned").to_string();
        assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
        drop(first);
        own(folder.path()).expect("its owner has gone");
    }
}
