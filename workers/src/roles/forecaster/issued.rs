//! Forecasts that were given out, on their way to the history.

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use clock::Clock;
use messaging::Broker;
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{ForecastsIssued, IssuedForecast},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::metrics;

/// A batch leaves when it is this old, …
const PATIENCE: Duration = Duration::from_millis(100);
/// … or this large in forecasts, …
const BATCH: usize = 64;
/// … or this large in points, which keeps it far below the limit on a body.
const BATCH_POINTS: usize = 40_000;
/// Forecasts that may wait for a slow broker before new ones are dropped, …
const WAITING: usize = 16_384;
/// … and their points: 32 MiB.
const WAITING_POINTS: usize = 2_000_000;

/// Takes note of forecasts that were given out. Never waits: a history that cannot keep up loses
/// forecasts (which are counted), not replies.
#[derive(Clone)]
pub struct IssuedLog {
    sender: mpsc::Sender<Waiting>,
    /// For points; what waits holds as many of its permits.
    room: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

/// A forecast that waits to leave.
struct Waiting {
    forecast: IssuedForecast,
    room: OwnedSemaphorePermit,
}

/// The end of the log that publishes.
pub struct Outgoing {
    receiver: mpsc::Receiver<Waiting>,
}

impl IssuedLog {
    /// A log and its other end.
    pub fn new(clock: Arc<dyn Clock>) -> (Self, Outgoing) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender, room: Arc::new(Semaphore::new(WAITING_POINTS)), clock }, Outgoing { receiver })
    }

    /// The present instant, as `issued_at`.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Notes forecasts.
    pub fn note(&self, forecasts: impl IntoIterator<Item = IssuedForecast>) {
        let dropped = forecasts.into_iter().filter_map(|forecast| self.refuse(forecast)).count();
        if dropped > 0 {
            metrics::issued_dropped(dropped);
            warn!(
                dropped,
                "{dropped} forecasts issued will be missing in the history: the broker is too slow"
            );
        }
    }
}

impl IssuedLog {
    /// The forecast again, if there is no room for it.
    fn refuse(&self, forecast: IssuedForecast) -> Option<IssuedForecast> {
        let points = u32::try_from(forecast.points.values.len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(points) else { return Some(forecast) };
        self.sender.try_send(Waiting { forecast, room }).err().map(|full| full.into_inner().forecast)
    }
}

impl Outgoing {
    /// Publishes batches until every [`IssuedLog`] is gone and nothing is left. What is left once it is
    /// `out_of_time` is dropped.
    pub async fn publish(mut self, broker: Arc<dyn Broker>, out_of_time: CancellationToken) {
        while let Some(first) = self.receiver.recv().await {
            let (batch, room) = self.batch(first).await;
            let forecasts = batch.len();
            let publishing = publish(&*broker, ForecastsIssued { forecasts: batch });
            let published = out_of_time.run_until_cancelled(publishing).await;
            let published =
                published.unwrap_or_else(|| Err(anyhow!("there is no time left to publish them")));
            drop(room);
            if let Err(fault) = published {
                metrics::issued_dropped(forecasts);
                warn!(forecasts, "{forecasts} forecasts issued will be missing in the history: {fault:#}");
            }
        }
    }

    /// Forecasts that leave together, and the room that they take until they have left.
    async fn batch(&mut self, first: Waiting) -> (Vec<IssuedForecast>, OwnedSemaphorePermit) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let Waiting { forecast, mut room } = first;
        let mut batch = vec![forecast];
        while batch.len() < BATCH && room.num_permits() < BATCH_POINTS {
            let Ok(Some(next)) = tokio::time::timeout_at(deadline, self.receiver.recv()).await else {
                break;
            };
            room.merge(next.room);
            batch.push(next.forecast);
        }
        (batch, room)
    }
}

async fn publish(broker: &dyn Broker, batch: ForecastsIssued) -> anyhow::Result<()> {
    let message = WireMessage::new(&batch, ContentType::MessagePack, Uuid::now_v7().to_string())?;
    broker.publish(&Destination::Queue(Queue::ForecastsIssued), message).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::messages::{Route, SeriesValues};

    use super::*;

    fn forecast(points: usize) -> IssuedForecast {
        IssuedForecast {
            request_id: "r".into(),
            model: "m".into(),
            version: None,
            generation: 0,
            route: Route::Fallback,
            reason: None,
            issued_at: jiff::Timestamp::UNIX_EPOCH,
            points: SeriesValues {
                id: "a".into(),
                start: jiff::Timestamp::UNIX_EPOCH,
                frequency: "PT1H".into(),
                tz: "UTC".into(),
                values: vec![None; points],
            },
        }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_points_and_leaves_room_behind() {
        let (log, mut outgoing) = IssuedLog::new(Arc::new(clock::SystemClock));
        let large = WAITING_POINTS / 2;
        assert!(log.refuse(forecast(large)).is_none());
        assert!(log.refuse(forecast(large)).is_none());
        assert!(log.refuse(forecast(1)).is_some(), "there is no room left");
        let first = outgoing.receiver.recv().await.expect("it waits");
        drop(outgoing.batch(first).await);
        assert!(log.refuse(forecast(large)).is_none(), "what has left takes no room");
    }
}
