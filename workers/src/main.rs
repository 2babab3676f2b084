//! Parses the command line, starts logs and traces, runs the command, and exits as documented.

use std::process::ExitCode as ProcessExit;

use clap::Parser as _;
use serde_json::json;
use telemetry::{Exporting, LogFormat, Logs, Traces};
use tracing::error;
use workers::{
    cli::{Cli, Command},
    commands,
    config::{self, Config},
    environment,
    failure::{CommandResult, ExitCode, Failure, OrExit as _},
    roles,
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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exporting = {
        let _inside = runtime.enter(); // traces are sent from there
        start_telemetry(&cli.command, &config)?
    };
    let is_json = config.log.format == LogFormat::Json;
    let mut outcome = runtime.block_on(commands::run(cli, config, settings));
    if let (Command::Run { .. }, true, Err(Failure { error, .. })) = (&cli.command, is_json, &mut outcome)
        && let Some(error) = error.take()
    {
        error!("{error:#}"); // whoever reads the log reads objects, to the last line
    }
    if let Some(exporting) = exporting {
        exporting.finish();
    }
    // Does not wait for a thread that is stuck in a read of stdin.
    runtime.shutdown_background();
    outcome
}

/// `run` logs as configured. Other commands print what they have to say themselves, and log only what goes
/// wrong, unless the configuration asks for more.
fn start_telemetry(command: &Command, config: &Config) -> Result<Option<Exporting>, Failure> {
    let is_default = config.log == config::Log::default();
    let quiet = is_default && !matches!(command, Command::Run { .. });
    let filter = if quiet { "warn" } else { config.log.filter.as_str() };
    let logs = Logs { filter, format: config.log.format };
    if !config.traces.are_on() {
        return telemetry::start(&logs, None).or_exit(ExitCode::Invalid);
    }
    let process = match command {
        Command::Run { role, .. } => roles::names(role),
        _ => environment::COMMAND.to_owned(),
    };
    let certificate_authority = environment::certificate_authority(config)?;
    let traces = Traces {
        url: config.traces.url.with_password(),
        share: config.traces.share,
        certificate_authority: certificate_authority.as_deref(),
        process: &process,
        version: env!("CARGO_PKG_VERSION"),
    };
    telemetry::start(&logs, Some(&traces)).or_exit(ExitCode::Invalid)
}
