//! Artifacts in Redis: what a fleet loads at the same time is near everybody.
//!
//! Redis is a cache and nothing else. What it holds is checked like anything that comes from outside, and
//! whatever goes wrong with it looks like an empty one: slower, never wrong, never an error.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use forecasting::artifact::ArtifactName;
use redis::{
    Client, IntoConnectionInfo as _, RedisError, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::{Instant, error::Elapsed};
use tracing::{debug, info, warn};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an answer may take: a hundred times as long as that of a healthy server on 10 MB.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A server that failed is left alone for so long: a frozen one costs one timeout in this time, not one for
/// every artifact.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// Larger artifacts are not cached, and larger values not read.
const MOST_CACHED_BYTES: u64 = 32 << 20;
/// What nobody has asked for again after it was stored goes after this.
const KEPT_SECONDS: u64 = 30 * 24 * 60 * 60;

/// Where the server is.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://user:password@host:6379/0`, or `rediss://…` for TLS.
    pub url: String,
    /// Certificates in PEM that the server's must come from; `None`: those that the machine trusts.
    pub certificate_authority: Option<String>,
}

/// Settings that no connection can be made with.
#[derive(Debug, thiserror::Error)]
#[error("the cache's url must be redis://user:password@host:port/number or rediss://…")]
pub struct InvalidRedisSettings;

/// A connection to a server, made when it is needed and whenever it was lost.
pub struct RedisCache {
    connection: ConnectionManager,
    /// None while the server is well.
    left_alone_until: Mutex<Option<Instant>>,
}

impl RedisCache {
    /// Makes ready to connect, and returns at once. Must be called on a runtime.
    ///
    /// # Errors
    /// If no connection can ever be made with these settings.
    pub fn start(settings: &RedisSettings) -> Result<Self, InvalidRedisSettings> {
        // What the client says about a URL may hold a part of it.
        let secret = |_: RedisError| InvalidRedisSettings;
        let address = settings.url.as_str().into_connection_info().map_err(secret)?;
        let client = match &settings.certificate_authority {
            Some(certificates) if settings.url.starts_with("rediss://") => {
                let root_cert = Some(certificates.clone().into_bytes());
                Client::build_with_tls(address, TlsCertificates { client_tls: None, root_cert })
            }
            _ => Client::open(address),
        };
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.map_err(secret)?, config);
        Ok(Self { connection: connection.map_err(secret)?, left_alone_until: Mutex::new(None) })
    }

    /// What the server has under this name, unchecked; none if it has nothing or is not well.
    pub(crate) async fn get(&self, name: &ArtifactName) -> Option<Bytes> {
        let key = key(name);
        let mut connection = self.well()?.clone();
        let found = async {
            // Asked first: a huge value must not be read to find out that it is one.
            let size_bytes = redis::cmd("STRLEN").arg(&key).query_async::<u64>(&mut connection).await;
            let size_bytes = match size_bytes {
                // Something else than a text is garbage; the server is well.
                Err(fault) if fault.code() == Some("WRONGTYPE") => return Ok(None),
                asked => asked?,
            };
            if size_bytes == 0 || size_bytes > MOST_CACHED_BYTES {
                return Ok(None);
            }
            redis::cmd("GET").arg(&key).query_async::<Option<Vec<u8>>>(&mut connection).await
        };
        let found = tokio::time::timeout(CONNECT_TIMEOUT + 2 * RESPONSE_TIMEOUT, found).await;
        self.note(found)?.map(Bytes::from)
    }

    /// Stores the bytes, if the server is well and they are not too large. Returns whether they are there.
    pub(crate) async fn put(&self, name: &ArtifactName, bytes: &Bytes) -> bool {
        if bytes.len() as u64 > MOST_CACHED_BYTES {
            return false;
        }
        let Some(connection) = self.well() else { return false };
        let mut connection = connection.clone();
        let mut set = redis::cmd("SET");
        set.arg(key(name)).arg(&bytes[..]).arg("EX").arg(KEPT_SECONDS);
        let stored = set.query_async::<()>(&mut connection);
        let stored = tokio::time::timeout(CONNECT_TIMEOUT + RESPONSE_TIMEOUT, stored).await;
        self.note(stored).is_some()
    }

    /// Takes an artifact out, if the server is well.
    pub(crate) async fn forget(&self, name: &ArtifactName) {
        let Some(connection) = self.well() else { return };
        let mut connection = connection.clone();
        let mut del = redis::cmd("DEL");
        del.arg(key(name));
        let forgotten = del.query_async::<()>(&mut connection);
        self.note(tokio::time::timeout(CONNECT_TIMEOUT + RESPONSE_TIMEOUT, forgotten).await);
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub async fn ping(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = self.connection.clone();
        let ping = redis::cmd("PING");
        let answer = ping.query_async::<String>(&mut connection);
        tokio::time::timeout(CONNECT_TIMEOUT + RESPONSE_TIMEOUT, answer).await??;
        Ok(())
    }

    /// The connection, unless the server failed a short while ago.
    fn well(&self) -> Option<&ConnectionManager> {
        let until = *self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_none_or(|until| Instant::now() >= until).then_some(&self.connection)
    }

    /// Takes note of how the server is; none if it failed.
    fn note<T>(&self, answer: Result<Result<T, RedisError>, Elapsed>) -> Option<T> {
        let mut until = self.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = match answer {
            Ok(Ok(answer)) => {
                if until.take().is_some() {
                    info!("Redis is back");
                }
                return Some(answer);
            }
            // It answers, if only to say that it is full or takes no writes: what it has can still be read.
            Ok(Err(fault)) if fault.code().is_some() => {
                debug!("Redis refuses a command: {fault}");
                return None;
            }
            Ok(Err(fault)) => format!("{:#}", anyhow::Error::from(fault)),
            Err(elapsed) => elapsed.to_string(),
        };
        if until.replace(Instant::now() + LEFT_ALONE).is_none() {
            warn!("Redis is of no use for now, artifacts come from the store: {fault}");
        }
        None
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").finish_non_exhaustive()
    }
}

fn key(name: &ArtifactName) -> String {
    format!("gatecast:artifact:{name}")
}
