//! A connection that is built anew whenever it ends, for ever.

use std::{io, pin::pin, sync::Arc, time::Duration};

use futures::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, ErrorKind, Event,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    runtime,
    tcp::OwnedTLSConfig,
    uri::AMQPUri,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{self, Instant, MissedTickBehavior},
};
use tracing::{info, warn};

use super::{
    declare,
    topology::Topology,
    within::{TO_COME_UP, TO_CONNECT, within},
};
use crate::BoxError;

/// The first wait after a failed try; it doubles, up to the longest, which is also how long a try may take
/// before there is another beside it. Each wait is shortened by up to a half.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// A connection that ended without telling is noticed after this time.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// While a server stays away, every so many tries are worth a line in the log.
const TRIES_PER_LINE: u32 = 20;

/// How to make one of the connections.
pub(super) struct Dialer {
    pub(super) uri: AMQPUri,
    pub(super) tls: OwnedTLSConfig,
    /// Shown in the server's list of connections.
    pub(super) name: String,
    /// What is declared before anybody gets the connection.
    pub(super) topology: Option<Arc<Topology>>,
}

/// A supervised connection.
pub(super) struct Line {
    state: watch::Receiver<State>,
    supervisor: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// Why there is none.
    problem: Option<Arc<str>>,
    /// Whether that is a matter for people: the server was reached, and one side does not trust the other.
    is_distrust: bool,
}

impl State {
    fn failed(error: &BoxError) -> Self {
        let problem = Some(error.to_string().into());
        Self { connection: None, problem, is_distrust: is_distrust(error) }
    }
}

/// Whether a certificate or a password was refused.
fn is_distrust(error: &BoxError) -> bool {
    match error.downcast_ref::<lapin::Error>().map(lapin::Error::kind) {
        Some(ErrorKind::IOError(error)) => error.kind() == io::ErrorKind::InvalidData,
        Some(ErrorKind::ProtocolError(error)) => matches!(
            error.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
        ),
        _ => false,
    }
}

impl Line {
    pub(super) fn start(dialer: Dialer) -> Self {
        let (out, state) = watch::channel(State::default());
        let supervisor = tokio::spawn(supervise(dialer, out));
        Self { state, supervisor }
    }

    /// The connection, as soon as there is one, however long that takes.
    pub(super) async fn up(&self) -> Result<Arc<Connection>, BoxError> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| state.connection.is_some()).await?;
        Ok(up.connection.clone().expect("waited for"))
    }

    /// Waits for the first connection; fails if the line ends before.
    pub(super) fn first_up(&self) -> impl Future<Output = Result<(), BoxError>> + use<> {
        let mut state = self.state.clone();
        async move { Ok(state.wait_for(|state| state.connection.is_some()).await.map(drop)?) }
    }

    /// The connection, if there is one soon; else the reason why there is none. No wait mends distrust.
    pub(super) async fn up_soon(&self) -> Result<Arc<Connection>, BoxError> {
        let mut state = self.state.clone();
        let told = state.wait_for(|state| state.connection.is_some() || state.is_distrust);
        let _ = time::timeout(TO_COME_UP, told).await;
        let State { connection, problem, .. } = self.state.borrow().clone();
        connection.ok_or_else(|| {
            let problem = problem.as_deref().unwrap_or("the server does not answer");
            format!("not connected: {problem}").into()
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

async fn supervise(dialer: Dialer, out: watch::Sender<State>) {
    let dialer = Arc::new(dialer);
    loop {
        let connection = Arc::new(until_connected(&dialer, &out).await);
        out.send_replace(State { connection: Some(Arc::clone(&connection)), ..State::default() });
        let end = until_it_ends(&connection, &dialer.name).await;
        warn!("the connection {} has ended: {end}", dialer.name);
        out.send_replace(State { problem: Some(end.into()), ..State::default() });
        time::sleep(wait_after(0)).await;
    }
}

/// Tries until one try succeeds. One that is neither taken nor refused does not hold up the next: its packets
/// may be lost for good, and yet a slow server must be given its time.
async fn until_connected(dialer: &Arc<Dialer>, out: &watch::Sender<State>) -> Connection {
    let mut tries = JoinSet::new();
    let mut next_try = Instant::now();
    let mut failures = 0;
    loop {
        let ended = tokio::select! {
            () = time::sleep_until(next_try) => {
                tries.spawn(Arc::clone(dialer).dial());
                next_try = Instant::now() + LONGEST_WAIT;
                continue;
            }
            Some(ended) = tries.join_next() => ended,
        };
        match ended.unwrap_or_else(|panic| Err(panic.into())) {
            Ok(connection) => return connection,
            Err(error) => {
                if failures % TRIES_PER_LINE == 0 {
                    warn!("no connection {}, trying on: {error}", dialer.name);
                }
                failures += 1;
                out.send_replace(State::failed(&error));
                next_try = next_try.min(Instant::now() + wait_after(failures));
            }
        }
    }
}

/// Grows, and differs from process to process, so that a fleet does not come back at the same instant.
fn wait_after(failures: u32) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_WAIT);
    wait.mul_f64(1.0 - fastrand::f64() / 2.0)
}

/// Watches the connection; returns why it ended.
async fn until_it_ends(connection: &Connection, name: &str) -> String {
    let mut events = pin!(connection.events_listener());
    let mut looks = time::interval(LOOK_PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    warn!("the server takes nothing more from {name}: {reason}");
                }
                Some(Event::ConnectionUnblocked) => info!("the server takes messages from {name} again"),
                Some(Event::Error(error)) => return error.to_string(),
                Some(_) => {}
                None => return "the client has stopped".to_owned(),
            },
            _ = looks.tick() => {
                if !connection.status().connected() {
                    return "closed".to_owned();
                }
            }
        }
    }
}

impl Dialer {
    async fn dial(self: Arc<Self>) -> Result<Connection, BoxError> {
        let properties = ConnectionProperties::default()
            .with_connection_name(self.name.as_str().into())
            .with_client_property("product".into(), "gatecast".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let connecting = Connection::connect_uri_with_config(
            self.uri.clone(),
            properties,
            self.tls.clone(),
            runtime::default_runtime()?,
        );
        let connection = within(TO_CONNECT, "connecting", connecting).await?;
        if let Some(topology) = &self.topology {
            declare::everything(&connection, topology).await?;
        }
        info!("connected {}", self.name);
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_differ() {
        for failures in [0, 1, 5, 40, u32::MAX] {
            assert!(wait_after(failures) <= LONGEST_WAIT, "{failures}");
            assert!(wait_after(failures) >= FIRST_WAIT / 2, "{failures}");
        }
        assert!(wait_after(10) >= LONGEST_WAIT / 2);
        assert!((0..20).any(|_| wait_after(10) != wait_after(10)));
    }
}
