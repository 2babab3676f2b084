//! Forecasts that were given out, on their way to the history.

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use clock::Clock;
use messaging::Broker;
use protocol::{
    ContentType, Destination, Queue, WireMessage,
    messages::{ForecastsIssued, IssuedForecast},
};
use tokio::sync::mpsc;
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
/// Forecasts that may wait for a slow broker before new ones are dropped.
const WAITING: usize = 16_384;

/// Takes note of forecasts that were given out. Never waits: a history that cannot keep up loses
/// forecasts (which are counted), not replies.
#[derive(Clone)]
pub struct IssuedLog {
    sender: mpsc::Sender<IssuedForecast>,
    clock: Arc<dyn Clock>,
}

/// The end of the log that publishes.
pub struct Outgoing {
    receiver: mpsc::Receiver<IssuedForecast>,
}

impl IssuedLog {
    /// A log and its other end.
    pub fn new(clock: Arc<dyn Clock>) -> (Self, Outgoing) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender, clock }, Outgoing { receiver })
    }

    /// The present instant, as `issued_at`.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Notes forecasts.
    pub fn note(&self, forecasts: impl IntoIterator<Item = IssuedForecast>) {
        let dropped =
            forecasts.into_iter().filter(|forecast| self.sender.try_send(forecast.clone()).is_err()).count();
        if dropped > 0 {
            metrics::issued_dropped(dropped);
            warn!(
                dropped,
                "{dropped} forecasts issued will be missing in the history: the broker is too slow"
            );
        }
    }
}

impl Outgoing {
    /// Publishes batches until every [`IssuedLog`] is gone and nothing is left. What is left once it is
    /// `out_of_time` is dropped.
    pub async fn publish(mut self, broker: Arc<dyn Broker>, out_of_time: CancellationToken) {
        while let Some(first) = self.receiver.recv().await {
            let batch = self.batch(first).await;
            let forecasts = batch.len();
            let publishing = publish(&*broker, ForecastsIssued { forecasts: batch });
            let published = out_of_time.run_until_cancelled(publishing).await;
            let published =
                published.unwrap_or_else(|| Err(anyhow!("there is no time left to publish them")));
            if let Err(fault) = published {
                metrics::issued_dropped(forecasts);
                warn!(forecasts, "{forecasts} forecasts issued will be missing in the history: {fault:#}");
            }
        }
    }

    async fn batch(&mut self, first: IssuedForecast) -> Vec<IssuedForecast> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut points = first.points.values.len();
        let mut batch = vec![first];
        while batch.len() < BATCH && points < BATCH_POINTS {
            let Ok(Some(next)) = tokio::time::timeout_at(deadline, self.receiver.recv()).await else {
                break;
            };
            points += next.points.values.len();
            batch.push(next);
        }
        batch
    }
}

async fn publish(broker: &dyn Broker, batch: ForecastsIssued) -> anyhow::Result<()> {
    let message = WireMessage::new(&batch, ContentType::MessagePack, Uuid::now_v7().to_string())?;
    broker.publish(&Destination::Queue(Queue::ForecastsIssued), message).await?;
    Ok(())
}
