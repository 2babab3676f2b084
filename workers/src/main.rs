//! Parses the command line, starts logging, runs the command, and exits as documented.

use std::process::ExitCode as ProcessExit;

use clap::Parser as _;
use workers::{
    cli::{Cli, Command},
    commands,
    config::{self, Config},
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
};

fn main() -> ProcessExit {
    let cli = Cli::parse();
    let outcome = start(&cli);
    match outcome {
        Ok(()) => ProcessExit::SUCCESS,
        Err(Failure { code, error }) => {
            if let Some(error) = error {
                complain(&error);
            }
            ProcessExit::from(code as u8)
        }
    }
}

fn start(cli: &Cli) -> CommandResult {
    let (config, settings) = Config::load(&cli.global.flags()).or_exit(ExitCode::Invalid)?;
    start_logging(&cli.command, &config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(commands::run(cli, config, settings))
}

/// `run` logs as configured. Other commands print what they have to say themselves, and log only what goes
/// wrong, unless the configuration asks for more.
fn start_logging(command: &Command, config: &Config) -> CommandResult {
    let is_default = config.log == config::Log::default();
    let quiet = is_default && !matches!(command, Command::Run { .. });
    let filter = if quiet { "warn" } else { config.log.filter.as_str() };
    telemetry::start_logging(filter, config.log.format).or_exit(ExitCode::Invalid)
}

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
