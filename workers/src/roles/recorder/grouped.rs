//! Observations of many messages in one transaction: its commit costs far more than what a small message
//! writes. Nobody waits for a group to fill: it is what came while the one before was written. Each dataset has
//! groups of its own, so that one that is slow or locked (by an import) holds up no other; and what comes for a
//! locked one goes back at once, since it would take the worker's places from the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clock::Clock;
use forecasting::{names::DatasetName, spec::DatasetSpec};
use history::{History, ObservationMessage, RecordError, Recorded};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Messages written together, at the most.
const GROUP: usize = 64;
/// A dataset that was away is tried again after this. It costs its messages nothing: they come back later still.
const LEFT_ALONE: Duration = Duration::from_secs(5);

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

/// Writes group after group until the other end is gone, with a pause after each that found the dataset away.
async fn write(mut came: mpsc::UnboundedReceiver<Waiting>, history: Arc<dyn History>, clock: Arc<dyn Clock>) {
    let mut group = Vec::new();
    while came.recv_many(&mut group, GROUP).await > 0 {
        let away = write_group(&*history, &*clock, std::mem::take(&mut group)).await;
        if let Some(fault) = away {
            let _is_over = timeout(LEFT_ALONE, refuse(&mut came, &fault)).await;
        }
    }
}

/// Tells whoever waits, and whoever comes, that the dataset is away.
async fn refuse(came: &mut mpsc::UnboundedReceiver<Waiting>, fault: &str) {
    while let Some(waiting) = came.recv().await {
        let _ = waiting.outcome.send(Err(RecordError::Unavailable(fault.into())));
    }
}

/// Writes what waits for one dataset, and tells each its outcome. Returns the fault if the dataset is away.
async fn write_group(history: &dyn History, clock: &dyn Clock, group: Vec<Waiting>) -> Option<String> {
    let dataset = group.last()?.dataset.clone();
    let (messages, askers): (Vec<_>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.message, waiting.outcome)).unzip();
    let written = history.record_messages(&dataset.name, &dataset.grid(), &messages, clock.now()).await;
    let mut away = None;
    let outcomes = written.unwrap_or_else(|fault| {
        let is_away = matches!(fault, RecordError::Unavailable(_));
        let fault = format!("{:#}", anyhow::Error::from(fault));
        let kind = if is_away { RecordError::Unavailable } else { RecordError::Failed };
        let outcomes = askers.iter().map(|_| Err(kind(fault.clone().into()))).collect();
        away = is_away.then_some(fault);
        outcomes
    });
    for (asker, outcome) in askers.into_iter().zip(outcomes) {
        let _ = asker.send(outcome); // one that has gone sees to its message again
    }
    away
}

#[cfg(test)]
mod tests {
    use clock::ManualClock;
    use history::{MemoryHistory, Observation};
    use jiff::Timestamp;

    use super::*;

    fn dataset(name: &str) -> DatasetSpec {
        let text = format!("name = \"{name}\"\nfrequency = \"PT1H\"\ntime_zone = \"UTC\"\n");
        toml::from_str(&text).expect("a specification")
    }

    fn message(id: &str) -> ObservationMessage {
        let series = "a".parse().expect("an id");
        let observation = Observation { series, ds: Timestamp::UNIX_EPOCH, y: 1.0 };
        ObservationMessage { message_id: id.to_owned(), observations: vec![observation] }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_for_a_dataset_that_was_just_away_goes_back_without_a_try() {
        let history = Arc::new(MemoryHistory::new());
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let records = GroupedRecords::new(history.clone(), clock);
        history.refuse_next_messages();
        for id in ["first", "second"] {
            let recorded = records.record(dataset("locked"), message(id)).await;
            assert!(matches!(recorded, Err(RecordError::Unavailable(_))), "{id}: {recorded:?}");
        }
        let recorded = records.record(dataset("free"), message("first")).await;
        assert_eq!(recorded.expect("it is another dataset").new, 1);
        tokio::time::sleep(2 * LEFT_ALONE).await;
        let recorded = records.record(dataset("locked"), message("first")).await;
        assert_eq!(recorded.expect("it is tried again").new, 1);
    }
}
