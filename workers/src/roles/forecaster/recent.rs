//! The look-back window of every dataset that is served.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use forecasting::{
    names::DatasetName,
    routing::Serving,
    series::{Frame, Grid},
};
use history::{History, Range, ReadError};
use tracing::error;

use super::local_copy::Window;

/// How far behind the newest value a request's origin may lie and still be answered as if its origin
/// were now.
const ORIGINS_BACK_DAYS: i64 = 56;

/// Recent history by dataset.
#[derive(Default)]
pub struct RecentHistory {
    by_dataset: RwLock<HashMap<DatasetName, Recent>>,
}

struct Recent {
    frame: Arc<Frame>,
    revision: u64,
    /// How far the window reaches back from an origin.
    steps: usize,
}

impl RecentHistory {
    /// The recent history of a dataset; none if nothing was recorded.
    pub fn of(&self, dataset: &DatasetName) -> Option<Arc<Frame>> {
        let by_dataset = self.by_dataset.read().unwrap_or_else(PoisonError::into_inner);
        by_dataset.get(dataset).map(|recent| recent.frame.clone())
    }

    /// Reads the windows of those datasets again whose history has changed, or whose models look further
    /// back than before. Returns what could not be read and stays as it was.
    ///
    /// # Errors
    /// If the history is away for all of them.
    pub async fn look(
        &self,
        history: &dyn History,
        served: &[Arc<Serving>],
    ) -> Result<Vec<String>, ReadError> {
        let mut wanted: HashMap<&DatasetName, (Grid, usize)> = HashMap::new();
        for serving in served {
            let (_, steps) =
                wanted.entry(&serving.dataset.name).or_insert_with(|| (serving.dataset.grid(), 0));
            *steps = (*steps).max(serving.liked_steps());
        }
        self.forget_others(&wanted);
        let all = wanted.len();
        let mut behind = Vec::new();
        for (dataset, (grid, steps)) in wanted {
            match self.refresh(history, dataset, &grid, steps).await {
                Ok(()) => {}
                Err(away @ ReadError::Unavailable(_)) if behind.len() + 1 == all => return Err(away),
                Err(fault) => {
                    let fault = anyhow::Error::from(fault);
                    error!(%dataset, "the recent history of {dataset} cannot be read again: {fault:#}");
                    behind.push(format!("the recent history of {dataset}"));
                }
            }
        }
        Ok(behind)
    }

    /// Takes over a window of the local copy.
    pub fn restore(&self, dataset: DatasetName, window: Window) {
        let recent = Recent { frame: window.frame, revision: window.revision, steps: window.steps };
        self.by_dataset.write().unwrap_or_else(PoisonError::into_inner).insert(dataset, recent);
    }

    /// What a local copy has to hold.
    pub fn windows(&self) -> Vec<(DatasetName, Window)> {
        let by_dataset = self.by_dataset.read().unwrap_or_else(PoisonError::into_inner);
        let window = |recent: &Recent| Window {
            frame: recent.frame.clone(),
            revision: recent.revision,
            steps: recent.steps,
        };
        by_dataset.iter().map(|(dataset, recent)| (dataset.clone(), window(recent))).collect()
    }

    /// Lets go of the windows that nothing serves from any more.
    fn forget_others(&self, wanted: &HashMap<&DatasetName, (Grid, usize)>) {
        let mut by_dataset = self.by_dataset.write().unwrap_or_else(PoisonError::into_inner);
        by_dataset.retain(|dataset, _recent| wanted.contains_key(dataset));
    }

    async fn refresh(
        &self,
        history: &dyn History,
        dataset: &DatasetName,
        grid: &Grid,
        steps: usize,
    ) -> Result<(), ReadError> {
        let revision = history.revision(dataset).await?;
        if self.covers(dataset, revision, grid, steps) {
            return Ok(());
        }
        let frame = window(history, dataset, grid, steps).await?;
        let recent = Recent { frame: Arc::new(frame), revision, steps };
        self.by_dataset.write().unwrap_or_else(PoisonError::into_inner).insert(dataset.clone(), recent);
        Ok(())
    }

    /// Whether the window is of this revision. No other history has the same one, and another grid of the dataset
    /// would lay its values out anew.
    fn covers(&self, dataset: &DatasetName, revision: u64, grid: &Grid, steps: usize) -> bool {
        let by_dataset = self.by_dataset.read().unwrap_or_else(PoisonError::into_inner);
        by_dataset.get(dataset).is_some_and(|recent| {
            recent.revision == revision && recent.steps >= steps && recent.frame.grid == *grid
        })
    }
}

/// The newest `steps` steps of every series, and as many before as origins may lie back.
///
/// # Errors
/// If the history cannot be read.
pub async fn window(
    history: &dyn History,
    dataset: &DatasetName,
    grid: &Grid,
    steps: usize,
) -> Result<Frame, ReadError> {
    let newest = history.newest(dataset).await?;
    let back = i64::try_from(steps).unwrap_or(i64::MAX);
    let from = newest.map(|newest| grid.start_of_day(grid.advance(newest, -back), -ORIGINS_BACK_DAYS));
    history.read(dataset, grid, &Range { from, ..Range::default() }).await
}
