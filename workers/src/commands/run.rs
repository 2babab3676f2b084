//! `gatecast run`

use std::sync::Arc;

use clock::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    config::Config,
    environment::Environment,
    failure::CommandResult,
    health::HealthServer,
    metrics,
    roles::{self, Role},
};

/// Runs the roles until SIGTERM or ctrl-c, and then until each has finished what it holds.
pub(super) async fn run(config: Config, roles: &[Role]) -> CommandResult {
    let environment = Arc::new(Environment::own(config, &roles::names(roles), Arc::new(SystemClock)).await?);
    let stop = stop_on_signal()?;
    let config = &environment.config;
    let place = if config.is_embedded() {
        config.data_folder.display().to_string()
    } else {
        config.broker.url.to_string()
    };
    info!(%place, "running on {place}");
    let health = match config.health.listen.parse() {
        Ok(address) => {
            let metrics = telemetry::start_metrics();
            metrics::describe();
            for role in roles {
                role.expect(&environment.health); // before anyone can ask
            }
            Some(HealthServer::start(address, environment.health.clone(), metrics).await?)
        }
        Err(_none) => None, // checked with the configuration: it is empty
    };
    roles::run(&environment, roles, stop).await?;
    if let Some(health) = health {
        health.stop().await;
    }
    info!("stopped");
    Ok(())
}

/// A token that the first SIGTERM or ctrl-c cancels. A second one ends the process as usual.
pub(super) fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => info!("told to stop (SIGTERM)"),
            _ = interrupt.recv() => info!("told to stop (ctrl-c)"),
        }
        told.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(stop)
}
