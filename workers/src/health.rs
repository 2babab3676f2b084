//! Probes and metrics over HTTP, on a port of their own: `/livez`, `/readyz`, `/metrics`.
//!
//! Liveness asks nobody: a process that is restarted because a server is away helps nobody. Readiness means
//! that the process does its work: every queue of its roles is consumed on a connection that works, a forecaster
//! has something to answer with, a scheduler has seen the schedules.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use protocol::Queue;
use telemetry::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::{ExitCode, Failure};

/// How long connections may go on after the stop.
const DRAIN: Duration = Duration::from_secs(1);

/// The check of a forecaster.
pub const KNOWS_ANSWERS: &str = "knows what to answer with";
/// The check of a scheduler.
pub const SCHEDULES: &str = "publishes train jobs";

/// The check of whoever consumes a queue.
pub fn consumes(queue: Queue) -> String {
    format!("consumes {queue}")
}

/// What readiness depends on. Nothing is well before it was reported.
#[derive(Default)]
pub struct Health {
    checks: Mutex<BTreeMap<String, Look>>,
}

/// Whether something is well now.
type Look = Box<dyn Fn() -> bool + Send + Sync>;

/// One thing that must be well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
}

impl Health {
    /// Something has to be well that will be reported later.
    pub fn expect(&self, name: impl Into<String>) {
        self.report(name, || false);
    }

    /// Something is well from now on whenever `is_well` says so.
    pub fn report(&self, name: impl Into<String>, is_well: impl Fn() -> bool + Send + Sync + 'static) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), Box::new(is_well));
    }

    /// Everything that readiness depends on, by name.
    pub fn checks(&self) -> Vec<Check> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().map(|(name, is_well)| Check { name: name.clone(), ok: is_well() }).collect()
    }

    /// Whether all of it is well. A process that nothing is expected of is none that should be asked for work.
    pub fn is_ready(&self) -> bool {
        let checks = self.checks();
        !checks.is_empty() && checks.iter().all(|check| check.ok)
    }
}

/// A port that probes are answered on until it is stopped.
pub struct HealthServer {
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl HealthServer {
    /// Listens on `address`.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(address: SocketAddr, health: Arc<Health>, metrics: Metrics) -> Result<Self, Failure> {
        let listening =
            TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = listening.map_err(|fault| {
            let told = anyhow::Error::from(fault).context(format!("health.listen = {address}"));
            Failure::new(ExitCode::Unreachable, told)
        })?;
        let app = Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(render))
            .with_state(Probed { health, metrics });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stopped);
            let _ = served.await; // ends only when it is stopped
        });
        info!(%address, "probes and metrics are at http://{address}");
        Ok(Self { stop, serving, address })
    }

    /// Answers nothing new, and lets go of the port.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(DRAIN, self.serving).await;
    }
}

#[derive(Clone)]
struct Probed {
    health: Arc<Health>,
    metrics: Metrics,
}

/// One line per check; 503 unless all are well.
async fn ready(State(probed): State<Probed>) -> impl IntoResponse {
    let checks = probed.health.checks();
    let code = if probed.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let line = |check: &Check| format!("{} {}\n", if check.ok { "ok    " } else { "failed" }, check.name);
    (code, checks.iter().map(line).collect::<String>())
}

async fn render(State(probed): State<Probed>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], probed.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_ready_before_everything_was_reported_and_is_well() {
        let health = Health::default();
        assert!(!health.is_ready(), "nothing is expected yet");
        health.expect(consumes(Queue::TrainJobs));
        health.expect(KNOWS_ANSWERS);
        assert!(!health.is_ready());
        health.report(consumes(Queue::TrainJobs), || true);
        assert!(!health.is_ready());
        health.report(KNOWS_ANSWERS, || true);
        assert!(health.is_ready());
        health.report(KNOWS_ANSWERS, || false);
        assert!(!health.is_ready());
    }
}
