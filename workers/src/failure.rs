//! How a command ends: the documented exit codes.

use std::fmt;

/// The exit codes of `gatecast`; 0 is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Something went wrong that no other code names.
    Failure = 1,
    /// The command line cannot be understood (clap exits with it).
    Usage = 2,
    /// A dataset, model, series, learner or file does not exist.
    NotFound = 3,
    /// A file, specification or value is not acceptable.
    Invalid = 4,
    /// A part that the command needs cannot be reached, or a reply did not come in time.
    Unreachable = 5,
    /// The command was carried out, and the gate refused the candidate.
    CandidateRefused = 6,
    /// Interrupted by ctrl-c.
    Interrupted = 130,
}

/// A command that did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// What the process exits with.
    pub code: ExitCode,
    /// What is told to the person; absent where the command's output says it already.
    pub error: Option<anyhow::Error>,
}

/// What a command returns.
pub type CommandResult = Result<(), Failure>;

impl Failure {
    /// A failure with its message.
    pub fn new(code: ExitCode, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: Some(error.into()) }
    }

    /// A failure that says `message`.
    pub fn say(code: ExitCode, message: impl fmt::Display) -> Self {
        Self { code, error: Some(anyhow::anyhow!("{message}")) }
    }

    /// An exit code for programs, where the output says everything to people.
    pub fn silent(code: ExitCode) -> Self {
        Self { code, error: None }
    }
}

/// Anything that was not given a code of its own.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(ExitCode::Failure, error)
    }
}

/// Gives an error its exit code.
pub trait OrExit<T> {
    /// The value, or a failure with this code.
    fn or_exit(self, code: ExitCode) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: ExitCode) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, error))
    }
}
