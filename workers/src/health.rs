//! Probes and metrics over HTTP, on a port of their own: `/livez`, `/readyz`, `/metrics`.
//!
//! Liveness asks nobody: a process that is restarted because a server is away helps nobody. Readiness means
//! that the process does its work: every queue is consumed on a connection that works, and a forecaster has
//! something to answer with.

use std::{
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
use runner::Counts;
use telemetry::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    failure::{ExitCode, Failure},
    roles::forecaster::UpToDate,
};

/// How long connections may go on after the stop.
const DRAIN: Duration = Duration::from_secs(1);

/// What readiness depends on, as roles report it.
#[derive(Default)]
pub struct Health {
    consumers: Mutex<Vec<(Queue, Arc<Counts>)>>,
    forecaster: Mutex<Option<Arc<UpToDate>>>,
}

/// One thing that must be well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
}

impl Health {
    /// A queue is to be consumed from now on.
    pub fn consumes(&self, queue: Queue, counts: Arc<Counts>) {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).push((queue, counts));
    }

    /// Forecasts are to be answered from now on.
    pub fn answers_from(&self, up_to_date: Arc<UpToDate>) {
        *self.forecaster.lock().unwrap_or_else(PoisonError::into_inner) = Some(up_to_date);
    }

    /// Everything that readiness depends on.
    pub fn checks(&self) -> Vec<Check> {
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut checks: Vec<Check> = consumers
            .iter()
            .map(|(queue, counts)| Check { name: format!("consumes {queue}"), ok: counts.is_consuming() })
            .collect();
        if let Some(up_to_date) = &*self.forecaster.lock().unwrap_or_else(PoisonError::into_inner) {
            checks.push(Check { name: "knows what to answer with".to_owned(), ok: up_to_date.is_servable() });
        }
        checks
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
    let code =
        if checks.iter().all(|check| check.ok) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let line = |check: &Check| format!("{} {}\n", if check.ok { "ok    " } else { "failed" }, check.name);
    (code, checks.iter().map(line).collect::<String>())
}

async fn render(State(probed): State<Probed>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], probed.metrics.render())
}
