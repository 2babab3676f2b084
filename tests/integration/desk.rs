//! A person's folder, and the binary at work in it, with a data folder inside.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::command_line::{gatecast, json};

pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// The binary, started where the files are.
    pub(crate) fn gatecast(&self) -> Command {
        gatecast(&self.path("data"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), contents).expect("writes");
        self.path(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("is there")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.gatecast().args(arguments).output().expect("starts")
    }

    /// Runs a command that must fail with this exit code, say all of this on stderr, and have no result.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str], code: i32, says: &[&str]) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        for expected in says {
            assert!(stderr.contains(expected), "{arguments:?}: {stderr:?} does not say {expected:?}");
        }
        let result = String::from_utf8_lossy(&output.stdout);
        assert!(result.is_empty(), "{arguments:?} printed {result}");
    }

    /// The rows of the only dataset.
    pub(crate) fn rows(&self) -> u64 {
        json(self.gatecast().args(["--json", "datasets", "list"]))[0]["rows"].as_u64().expect("a number")
    }
}
