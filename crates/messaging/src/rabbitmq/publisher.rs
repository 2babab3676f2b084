//! Publishes, and knows what became of it: confirmed, refused, or returned as unroutable.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use lapin::{
    BasicProperties, Channel, Confirmation, ErrorKind,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::ShortString,
};
use tokio::{sync::Semaphore, time::Instant};
use tracing::warn;

use super::{
    declare,
    line::Line,
    topology::Topology,
    within::{TO_ANSWER, TO_CONFIRM, within},
};
use crate::BoxError;

/// Messages on their way at the same time.
const MAX_AT_ONCE: usize = 64;
/// Not more often than this a missing piece makes us declare everything again.
const REPAIR_PERIOD: Duration = Duration::from_secs(1);

/// A message, addressed.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    /// Whether it is a failure if no queue takes it.
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

/// Why a parcel did not arrive.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// No queue is there for it.
    Unroutable,
    /// It may have arrived, or not.
    Unavailable(BoxError),
}

/// The publishing side of this process.
pub(super) struct Publisher {
    line: Line,
    topology: Arc<Topology>,
    /// One channel for each message on its way. On a shared one the client library ties a returned message
    /// to whichever confirm comes next, which may be another message's.
    idle: Mutex<Vec<Channel>>,
    permits: Semaphore,
    last_repair: tokio::sync::Mutex<Option<Instant>>,
}

impl Publisher {
    pub(super) fn new(line: Line, topology: Arc<Topology>) -> Self {
        Self {
            line,
            topology,
            idle: Mutex::default(),
            permits: Semaphore::new(MAX_AT_ONCE),
            last_repair: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until the topology is there, however long that takes.
    pub(super) async fn up(&self) -> Result<(), BoxError> {
        self.line.up().await.map(drop)
    }

    /// Waits until the topology is there, or says why it is not.
    pub(super) async fn up_soon(&self) -> Result<(), BoxError> {
        self.line.up_soon().await.map(drop)
    }

    /// Publishes to a part of the topology, which is declared again if somebody deleted it.
    pub(super) async fn publish_to_topology(&self, parcel: &Parcel) -> Result<(), Undelivered> {
        match self.publish(parcel).await {
            Err(Undelivered::Unroutable) if self.repair().await => self.publish(parcel).await,
            done => done,
        }
    }

    /// Publishes, and waits for the server's confirm.
    pub(super) async fn publish(&self, parcel: &Parcel) -> Result<(), Undelivered> {
        let _permit = within(TO_CONFIRM, "waiting for earlier messages", self.permits.acquire())
            .await
            .map_err(Undelivered::Unavailable)?;
        let channel = self.channel().await.map_err(Undelivered::Unavailable)?;
        // A wait that is given up takes its channel with it: the late answer is nobody else's.
        let confirmed = within(TO_CONFIRM, "the confirm", send(&channel, parcel)).await;
        let confirmation = confirmed.map_err(undelivered)?;
        self.idle().push(channel);
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            // A returned message is confirmed too.
            Confirmation::Ack(Some(_)) => Err(Undelivered::Unroutable),
            Confirmation::Nack(_) => {
                Err(Undelivered::Unavailable("the server refuses the message, its queue may be full".into()))
            }
            Confirmation::NotRequested => Err(Undelivered::Unavailable("the server confirms nothing".into())),
        }
    }

    /// An idle channel, or a new one.
    async fn channel(&self) -> Result<Channel, BoxError> {
        let connection = self.line.up_soon().await?;
        loop {
            let Some(idle) = self.idle().pop() else { break };
            if idle.status().connected() {
                return Ok(idle);
            }
        }
        let channel = declare::open_channel(&connection).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        within(TO_ANSWER, "asking for confirms", confirms).await?;
        Ok(channel)
    }

    /// Declares everything again; `false` if that is no use.
    async fn repair(&self) -> bool {
        let mut last = self.last_repair.lock().await;
        if last.is_some_and(|at| at.elapsed() < REPAIR_PERIOD) {
            return true; // somebody just has
        }
        let Ok(connection) = self.line.up_soon().await else {
            return false;
        };
        warn!("a part of the topology is missing, declaring it again");
        let declared = declare::everything(&connection, &self.topology).await;
        *last = Some(Instant::now());
        declared.inspect_err(|e| warn!("the topology cannot be declared: {e}")).is_ok()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(channel: &Channel, parcel: &Parcel) -> Result<Confirmation, lapin::Error> {
    let options = BasicPublishOptions { mandatory: parcel.mandatory, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish(
        parcel.exchange.clone(),
        parcel.key.clone(),
        options,
        &parcel.body,
        parcel.properties.clone(),
    );
    sent.await?.await
}

/// An exchange that is missing closes the channel.
fn undelivered(error: BoxError) -> Undelivered {
    let not_found = error.downcast_ref::<lapin::Error>().is_some_and(|error| {
        matches!(error.kind(), ErrorKind::ProtocolError(error)
            if *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
    });
    if not_found { Undelivered::Unroutable } else { Undelivered::Unavailable(error) }
}
