//! Where the server is, and what things are called on it.

use std::{fmt, time::Duration};

use lapin::uri::AMQPUri;
use serde::{Deserialize, Serialize};

/// Heartbeats in seconds, unless the URL says otherwise: a peer that is silent twice as long is gone.
const HEARTBEAT_SECONDS: u16 = 10;
/// How long a server waits for the acknowledgement of a delivery before it takes it back, unless its
/// `consumer_timeout` says otherwise. A client cannot ask for that.
pub const DEFAULT_CONSUMER_TIMEOUT: Duration = Duration::from_mins(30);
/// Longest prefix and name in bytes, so that every name made from them fits AMQP's 255.
const MAX_PART_BYTES: usize = 64;

/// Where the server is, and what things are called on it.
#[derive(Clone)]
pub struct RabbitSettings {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS; `?heartbeat=` is honoured.
    pub url: String,
    /// Stands before the name of every exchange and queue, so that tests and tenants can share a server.
    pub prefix: String,
    /// What the connections and the private queues of this process are named after, e.g. its role.
    pub name: String,
    /// The kind of the queue `forecast-requests`.
    pub forecast_requests: QueueType,
    /// Certificates in PEM that the server's must come from; `None`: those that the machine trusts.
    pub certificate_authority: Option<String>,
}

/// How the server keeps a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// On one node: fast, and away with its node.
    Classic,
    /// On a majority of the nodes, on disk.
    Quorum,
}

/// Settings that no connection can be made with.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// It is not a URL of AMQP. What the client says about it may hold the password.
    #[error("the broker's url must be amqp://user:password@host:port/vhost or amqps://…")]
    Url,
    /// It would make names that AMQP does not allow.
    #[error(
        "the broker's {part} {found:?} must have at most {MAX_PART_BYTES} characters of a-z, A-Z, 0-9, '-', '_' and '.'"
    )]
    Part {
        /// Which setting.
        part: &'static str,
        /// What it is.
        found: String,
    },
}

impl RabbitSettings {
    /// The settings of a process called `name`: no prefix, classic `forecast-requests`.
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: String::new(),
            name: name.into(),
            forecast_requests: QueueType::Classic,
            certificate_authority: None,
        }
    }

    /// The address, if everything else is as it must be too.
    pub(super) fn check(&self) -> Result<AMQPUri, InvalidSettings> {
        for (part, found) in [("prefix", &self.prefix), ("name", &self.name)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if found.len() > MAX_PART_BYTES || !found.chars().all(plain) {
                let found = found.chars().take(MAX_PART_BYTES + 1).collect();
                return Err(InvalidSettings::Part { part, found });
            }
        }
        let mut uri: AMQPUri = self.url.parse().map_err(|_secret| InvalidSettings::Url)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(uri)
    }
}

/// Without the URL's password.
impl fmt::Debug for RabbitSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitSettings")
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .field("forecast_requests", &self.forecast_requests)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_fit_are_refused() {
        let mut settings = RabbitSettings::new("amqp://localhost", "forecaster");
        assert!(settings.check().is_ok());
        settings.prefix = "tenant-1.".into();
        assert!(settings.check().is_ok());
        for bad in ["a b", "ü", "a\0", &"x".repeat(65)] {
            settings.prefix = bad.to_owned();
            assert!(settings.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn neither_a_bad_url_nor_debug_output_shows_the_password() {
        for url in ["http://user:canary@host", "amqp:user:canary@host", "amqp://user:canary@host:port"] {
            let settings = RabbitSettings::new(url, "x");
            let error = settings.check().expect_err("no AMQP").to_string();
            assert!(!error.contains("canary"), "{error}");
            assert!(!format!("{settings:?}").contains("canary"));
        }
    }

    #[test]
    fn the_url_may_choose_the_heartbeat() {
        let heartbeat = |url: &str| RabbitSettings::new(url, "x").check().expect("a url").query.heartbeat;
        assert_eq!(heartbeat("amqp://host"), Some(HEARTBEAT_SECONDS));
        assert_eq!(heartbeat("amqp://host/%2f?heartbeat=3"), Some(3));
    }
}
