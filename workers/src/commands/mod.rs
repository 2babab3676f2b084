//! What a person asks for, one file per command.

mod acts;
mod backtest;
mod config;
mod datasets;
mod dead_letters;
mod decisions;
mod demo;
mod doctor;
mod edge_cases;
mod forecast;
mod gate;
mod healthcheck;
mod import;
mod init;
mod migrate;
mod models;
mod run;
mod shell;
mod spec_file;
mod train;
mod up;
mod verdict;

use std::{sync::Arc, time::Duration};

use clock::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Cli, Command, ModelsCommand, SpecCommand},
    config::{Config, Setting},
    environment::Environment,
    failure::{CommandResult, ExitCode, Failure},
    roles::{self, Role},
};

pub use backtest::ALL_LEARNERS;
pub use gate::ALL_RULES;
pub use verdict::{Difference, Replay, replay};

/// Runs the command that was given.
///
/// # Errors
/// What is told to the person, with the documented exit code.
pub async fn run(cli: &Cli, config: Config, settings: Vec<Setting>) -> CommandResult {
    // These two end in their own way.
    match &cli.command {
        Command::Run { role, migrate } => {
            if *migrate {
                migrate::migrate(&config, cli.global.json).await?;
            }
            return run::run(config, role).await;
        }
        Command::Demo { once } => return demo::demo(config, &settings, *once, cli.global.json).await,
        _ => {}
    }
    tokio::select! {
        outcome = run_briefly(cli, config, settings) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::silent(ExitCode::Interrupted)),
    }
}

async fn run_briefly(cli: &Cli, config: Config, settings: Vec<Setting>) -> CommandResult {
    let json = cli.global.json;
    match &cli.command {
        Command::Config(command) => config::config(*command, &settings, json),
        Command::Migrate => migrate::migrate(&config, json).await,
        Command::Doctor => doctor::doctor(&config, json).await,
        Command::Healthcheck => healthcheck::healthcheck(&config).await,
        Command::Completions { shell } => {
            shell::completions(*shell);
            Ok(())
        }
        Command::Man { command } => shell::man(command.as_deref()),
        Command::Init(arguments) => init::init(arguments, SystemClock.now(), json).await,
        Command::Backtest(arguments) => backtest::backtest(arguments, SystemClock.now(), json).await,
        Command::Gate(command) => gate::gate(command, SystemClock.now(), json).await,
        command => {
            let environment = Environment::visit(config, Arc::new(SystemClock)).await?;
            run_with_parts(command, &environment, json).await
        }
    }
}

/// What needs the registry, the history, the artifacts or the broker.
async fn run_with_parts(command: &Command, environment: &Environment, json: bool) -> CommandResult {
    match command {
        Command::Datasets(SpecCommand::Apply { file }) => datasets::apply(environment, file, json).await,
        Command::Datasets(SpecCommand::List) => datasets::list(environment, json).await,
        Command::Models(command) => about_models(environment, command, json).await,
        Command::DeadLetters(command) => dead_letters::dead_letters(environment, command, json).await,
        Command::EdgeCases(command) => edge_cases::edge_cases(environment, command, json).await,
        Command::Import(arguments) => import::import(environment, arguments, json).await,
        Command::Up(arguments) => up::up(environment, arguments, json).await,
        Command::Train(arguments) => train::train(environment, arguments, json).await,
        Command::Forecast(arguments) => forecast::forecast(environment, arguments, json).await,
        Command::Decisions { model, limit } => decisions::decisions(environment, model, *limit, json).await,
        Command::Verdict(arguments) => verdict::verdict(environment, arguments, json).await,
        Command::Backtest(_)
        | Command::Gate(_)
        | Command::Config(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Init(_)
        | Command::Doctor
        | Command::Healthcheck
        | Command::Migrate
        | Command::Run { .. }
        | Command::Demo { .. } => {
            unreachable!("handled above")
        }
    }
}

async fn about_models(environment: &Environment, command: &ModelsCommand, json: bool) -> CommandResult {
    match command {
        ModelsCommand::Apply { file } => models::apply(environment, file, json).await,
        ModelsCommand::List => models::list(environment, json).await,
        ModelsCommand::Show { model } => models::show(environment, model, json).await,
        ModelsCommand::Act(command) => acts::act(environment, command, json).await,
    }
}

/// How often a command that waits looks whether the process that it waits for is still there.
const OWNER_LOOK: Duration = Duration::from_millis(500);

/// Does something that needs roles. The process that owns the data folder runs them; where there is none, or
/// where it goes away meanwhile, this one does.
async fn with_roles<T>(
    environment: &Environment,
    roles: &[Role],
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::pin!(work);
    let owner = loop {
        let (config, clock) = (environment.config.clone(), environment.clock.clone());
        if let Some(owner) = Environment::own_if_free(config, clock).await? {
            break Arc::new(owner);
        }
        if let Ok(outcome) = tokio::time::timeout(OWNER_LOOK, &mut work).await {
            return outcome;
        }
    };
    let stop = CancellationToken::new();
    let running = roles::run(&owner, roles, stop.clone());
    tokio::pin!(running);
    let outcome = tokio::select! {
        outcome = &mut work => outcome,
        ended = &mut running => return Err(ended.err().unwrap_or_else(|| anyhow::anyhow!("the roles ended")).into()),
    };
    stop.cancel();
    running.await?;
    outcome
}

/// What applying a specification did.
fn applied_line(what: &str, name: &str, applied: registry::Applied) -> String {
    let version = applied.version;
    if applied.changed {
        format!("applied {what} {name} as version {version}")
    } else {
        format!("{what} {name} is unchanged (version {version})")
    }
}
