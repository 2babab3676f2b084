//! No wait without an end: the client library has no timeouts of its own.

use std::time::Duration;

use tokio::time;

use crate::BoxError;

/// Connection and handshake.
pub(super) const TO_CONNECT: Duration = Duration::from_secs(10);
/// From the connection to the server's first word, where nothing depends on it.
pub(super) const TO_GREET: Duration = Duration::from_secs(2);
/// Anything that a channel is asked.
pub(super) const TO_ANSWER: Duration = Duration::from_secs(5);
/// From a message's first byte to its confirm.
pub(super) const TO_CONFIRM: Duration = Duration::from_secs(10);
/// Until a connection is there that is being made.
pub(super) const TO_COME_UP: Duration = Duration::from_secs(10);

/// Waits for the work, not longer than `limit`.
pub(super) async fn within<T, E: Into<BoxError>>(
    limit: Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, BoxError> {
    match time::timeout(limit, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(TookTooLong { what, limit }.into()),
    }
}

/// A peer that accepts and never answers.
#[derive(Debug, thiserror::Error)]
#[error("{what} took longer than {limit:?}")]
struct TookTooLong {
    what: &'static str,
    limit: Duration,
}
