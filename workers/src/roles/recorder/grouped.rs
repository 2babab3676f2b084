//! Observations of many messages in one transaction: its commit costs far more than what a small message
//! writes. Nobody waits for a group to fill: it is what came while the one before was written. Each dataset has
//! groups of its own, so that one that is slow or locked (by an import) holds up no other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use clock::Clock;
use forecasting::{names::DatasetName, spec::DatasetSpec};
use history::{History, ObservationMessage, RecordError, Recorded};
use tokio::sync::{mpsc, oneshot};

/// Messages written together, at the most.
const GROUP: usize = 64;

/// Writes observations, dataset by dataset.
pub struct GroupedRecords {
    history: Arc<dyn History>,
    clock: Arc<dyn Clock>,
    /// The writer of each dataset that something came for. It ends with this.
    writers: Mutex<HashMap<DatasetName, mpsc::UnboundedSender<Waiting>>>,
}

/// A message with its dataset, and where its outcome is waited for.
struct Waiting {
    dataset: DatasetSpec,
    message: ObservationMessage,
    outcome: oneshot::Sender<Result<Recorded, RecordError>>,
}

impl GroupedRecords {
    /// Writes into `history`.
    pub fn new(history: Arc<dyn History>, clock: Arc<dyn Clock>) -> Self {
        Self { history, clock, writers: Mutex::default() }
    }

    /// Records the observations of a message; returns when they are there to stay.
    ///
    /// # Errors
    /// The history's.
    pub async fn record(
        &self,
        dataset: DatasetSpec,
        message: ObservationMessage,
    ) -> Result<Recorded, RecordError> {
        let (outcome, told) = oneshot::channel();
        self.hand_over(Waiting { dataset, message, outcome });
        told.await.unwrap_or_else(|_ended| Err(RecordError::Failed("the writer has ended".into())))
    }

    /// Gives a message to the writer of its dataset. One that has panicked is replaced.
    fn hand_over(&self, waiting: Waiting) {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let dataset = waiting.dataset.name.clone();
        let waiting = match writers.get(&dataset) {
            None => waiting,
            Some(writer) => match writer.send(waiting) {
                Ok(()) => return,
                Err(mpsc::error::SendError(waiting)) => waiting,
            },
        };
        let (writer, came) = mpsc::unbounded_channel(); // bounded by what the worker holds
        let _ = writer.send(waiting); // its other end is here
        tokio::spawn(write(came, self.history.clone(), self.clock.clone()));
        writers.insert(dataset, writer);
    }
}

/// Writes group after group until the other end is gone.
async fn write(mut came: mpsc::UnboundedReceiver<Waiting>, history: Arc<dyn History>, clock: Arc<dyn Clock>) {
    let mut group = Vec::new();
    while came.recv_many(&mut group, GROUP).await > 0 {
        write_group(&*history, &*clock, std::mem::take(&mut group)).await;
    }
}

/// Writes what waits for one dataset, and tells each its outcome.
async fn write_group(history: &dyn History, clock: &dyn Clock, group: Vec<Waiting>) {
    let Some(dataset) = group.last().map(|last| last.dataset.clone()) else { return };
    let (messages, askers): (Vec<_>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.message, waiting.outcome)).unzip();
    let written = history.record_messages(&dataset.name, &dataset.grid(), &messages, clock.now()).await;
    let outcomes = written.unwrap_or_else(|fault| {
        let is_away = matches!(fault, RecordError::Unavailable(_));
        let fault = format!("{:#}", anyhow::Error::from(fault));
        let kind = if is_away { RecordError::Unavailable } else { RecordError::Failed };
        askers.iter().map(|_| Err(kind(fault.clone().into()))).collect()
    });
    for (asker, outcome) in askers.into_iter().zip(outcomes) {
        let _ = asker.send(outcome); // one that has gone sees to its message again
    }
}
