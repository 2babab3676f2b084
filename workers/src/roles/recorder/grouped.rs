//! Observations of many messages in one transaction: its commit costs far more than what a small message
//! writes. Nobody waits for a group to fill: it is what came while the one before was written.

use std::{collections::HashMap, sync::Arc};

use clock::Clock;
use forecasting::{names::DatasetName, spec::DatasetSpec};
use history::{History, ObservationMessage, RecordError, Recorded};
use runner::HandleError;
use tokio::sync::{mpsc, oneshot};

/// The end that handlers hold.
#[derive(Clone)]
pub struct GroupedRecords {
    waiting: mpsc::Sender<Waiting>,
}

/// The end that writes.
pub struct GroupWriter {
    waiting: mpsc::Receiver<Waiting>,
    most: usize,
}

/// A message with its dataset, and where its outcome is waited for.
struct Waiting {
    dataset: DatasetSpec,
    message: ObservationMessage,
    outcome: oneshot::Sender<Result<Recorded, RecordError>>,
}

impl GroupedRecords {
    /// Both ends. At most `most` messages, at least 1, are written together.
    pub fn new(most: usize) -> (Self, GroupWriter) {
        let (sender, waiting) = mpsc::channel(most);
        (Self { waiting: sender }, GroupWriter { waiting, most })
    }

    /// Records the observations of a message; returns when they are there to stay.
    ///
    /// # Errors
    /// The inner one is the history's; the outer one means that nobody wrote it.
    pub async fn record(
        &self,
        dataset: DatasetSpec,
        message: ObservationMessage,
    ) -> Result<Result<Recorded, RecordError>, HandleError> {
        let (outcome, told) = oneshot::channel();
        let sent = self.waiting.send(Waiting { dataset, message, outcome }).await;
        sent.map_err(|_ended| HandleError::transient("the writer has ended"))?;
        told.await.map_err(|_ended| HandleError::transient("the writer has ended"))
    }
}

impl GroupWriter {
    /// Writes group after group until every other end is gone.
    pub async fn write(mut self, history: Arc<dyn History>, clock: Arc<dyn Clock>) {
        let mut group = Vec::with_capacity(self.most);
        while self.waiting.recv_many(&mut group, self.most).await > 0 {
            let mut by_dataset: HashMap<DatasetName, Vec<Waiting>> = HashMap::new();
            for waiting in group.drain(..) {
                by_dataset.entry(waiting.dataset.name.clone()).or_default().push(waiting);
            }
            for waiting in by_dataset.into_values() {
                write_one(&*history, &*clock, waiting).await;
            }
        }
    }
}

/// Writes what waits for one dataset, and tells each its outcome.
async fn write_one(history: &dyn History, clock: &dyn Clock, waiting: Vec<Waiting>) {
    let Some(dataset) = waiting.last().map(|last| last.dataset.clone()) else { return };
    let (messages, askers): (Vec<_>, Vec<_>) =
        waiting.into_iter().map(|waiting| (waiting.message, waiting.outcome)).unzip();
    let written = history.record_messages(&dataset.name, &dataset.grid(), &messages, clock.now()).await;
    match written {
        Ok(outcomes) => {
            for (asker, outcome) in askers.into_iter().zip(outcomes) {
                let _ = asker.send(outcome); // one that has gone sees to its message again
            }
        }
        Err(fault) => {
            let (is_away, cause) = match fault {
                RecordError::Unavailable(cause) => (true, anyhow::anyhow!(cause)),
                RecordError::Failed(cause) => (false, anyhow::anyhow!(cause)),
                other => (false, other.into()),
            };
            for asker in askers {
                let cause = format!("{cause:#}").into();
                let told = if is_away { RecordError::Unavailable(cause) } else { RecordError::Failed(cause) };
                let _ = asker.send(Err(told)); // likewise
            }
        }
    }
}
