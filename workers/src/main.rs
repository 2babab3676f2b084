//! Parses the command line, starts logging, runs the command, and exits as documented.

use std::process::ExitCode as ProcessExit;

use clap::Parser as _;
use serde_json::json;
use telemetry::LogFormat;
use tracing::error;
use workers::{
    cli::{Cli, Command},
    commands,
    config::{self, Config},
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    terminal::{complain, print},
};

fn main() -> ProcessExit {
    let cli = Cli::parse();
    let Err(Failure { code, error }) = start(&cli) else { return ProcessExit::SUCCESS };
    if let Some(error) = error {
        complain(format_args!("{error:#}"));
        if cli.global.json {
            // Programs get one document, whatever happens.
            print(json!({ "error": format!("{error:#}"), "exit_code": code as u8 }));
        }
    }
    ProcessExit::from(code as u8)
}

fn start(cli: &Cli) -> CommandResult {
    // The clients of all servers use the same cryptography; without this each would have to be told.
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    installed.expect("nothing has chosen another provider before");
    let (config, settings) = Config::load(&cli.global.flags()).or_exit(ExitCode::Invalid)?;
    start_logging(&cli.command, &config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let is_json = config.log.format == LogFormat::Json;
    let mut outcome = runtime.block_on(commands::run(cli, config, settings));
    if let (Command::Run { .. }, true, Err(Failure { error, .. })) = (&cli.command, is_json, &mut outcome)
        && let Some(error) = error.take()
    {
        error!("{error:#}"); // whoever reads the log reads objects, to the last line
    }
    // Does not wait for a thread that is stuck in a read of stdin.
    runtime.shutdown_background();
    outcome
}

/// `run` logs as configured. Other commands print what they have to say themselves, and log only what goes
/// wrong, unless the configuration asks for more.
fn start_logging(command: &Command, config: &Config) -> CommandResult {
    let is_default = config.log == config::Log::default();
    let quiet = is_default && !matches!(command, Command::Run { .. });
    let filter = if quiet { "warn" } else { config.log.filter.as_str() };
    telemetry::start_logging(filter, config.log.format).or_exit(ExitCode::Invalid)
}
