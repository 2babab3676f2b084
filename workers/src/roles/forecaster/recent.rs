//! The look-back window of every dataset that is served.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use forecasting::{
    names::DatasetName,
    routing::Serving,
    series::{Covariates, Frame, Grid},
    spec::DatasetSpec,
};
use history::{History, Range, ReadError};
use jiff::Timestamp;
use tracing::error;

use super::local_copy::Window;

/// How far behind the newest value a request's origin may lie and still be answered as if its origin
/// were now.
const ORIGINS_BACK_DAYS: i64 = 56;

/// Recent history by dataset.
#[derive(Default)]
pub struct RecentHistory {
    by_dataset: RwLock<HashMap<DatasetName, Window>>,
}

impl RecentHistory {
    /// The recent history of a dataset, and what is known besides; none if nothing was recorded.
    pub fn of(&self, dataset: &DatasetName) -> Option<(Arc<Frame>, Arc<Covariates>)> {
        let by_dataset = self.by_dataset.read().unwrap_or_else(PoisonError::into_inner);
        by_dataset.get(dataset).map(|window| (window.frame.clone(), window.covariates.clone()))
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
        let mut wanted: HashMap<&DatasetName, (&DatasetSpec, usize)> = HashMap::new();
        for serving in served {
            let (_, steps) = wanted.entry(&serving.dataset.name).or_insert((&serving.dataset, 0));
            *steps = (*steps).max(serving.liked_steps());
        }
        self.forget_others(&wanted);
        let all = wanted.len();
        let mut behind = Vec::new();
        for (dataset, (spec, steps)) in wanted {
            match self.refresh(history, spec, steps).await {
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
        self.by_dataset.write().unwrap_or_else(PoisonError::into_inner).insert(dataset, window);
    }

    /// What a local copy has to hold.
    pub fn windows(&self) -> Vec<(DatasetName, Window)> {
        let by_dataset = self.by_dataset.read().unwrap_or_else(PoisonError::into_inner);
        by_dataset.iter().map(|(dataset, window)| (dataset.clone(), window.clone())).collect()
    }

    /// Lets go of the windows that nothing serves from any more.
    fn forget_others(&self, wanted: &HashMap<&DatasetName, (&DatasetSpec, usize)>) {
        let mut by_dataset = self.by_dataset.write().unwrap_or_else(PoisonError::into_inner);
        by_dataset.retain(|dataset, _window| wanted.contains_key(dataset));
    }

    async fn refresh(
        &self,
        history: &dyn History,
        dataset: &DatasetSpec,
        steps: usize,
    ) -> Result<(), ReadError> {
        let revision = history.revision(&dataset.name).await?;
        if self.covers(dataset, revision, steps) {
            return Ok(());
        }
        let window = window(history, dataset, revision, steps).await?;
        let mut by_dataset = self.by_dataset.write().unwrap_or_else(PoisonError::into_inner);
        by_dataset.insert(dataset.name.clone(), window);
        Ok(())
    }

    /// Whether the window is of this revision. No other history has the same one, and another grid of the dataset
    /// would lay its values out anew, as another declaration would its covariates.
    fn covers(&self, dataset: &DatasetSpec, revision: u64, steps: usize) -> bool {
        let by_dataset = self.by_dataset.read().unwrap_or_else(PoisonError::into_inner);
        by_dataset.get(&dataset.name).is_some_and(|window| {
            window.revision == revision
                && window.steps >= steps
                && window.frame.grid == dataset.grid()
                && window.declared == dataset.covariates
        })
    }
}

/// The newest `steps` steps of every series, and as many before as origins may lie back.
///
/// # Errors
/// If the history cannot be read.
pub async fn window(
    history: &dyn History,
    dataset: &DatasetSpec,
    revision: u64,
    steps: usize,
) -> Result<Window, ReadError> {
    let (name, grid, declared) = (&dataset.name, dataset.grid(), dataset.covariates.clone());
    let newest = history.newest(name).await?;
    let from = newest.map(|newest| window_begins(&grid, newest, steps));
    let range = Range { from, ..Range::default() }; // to whatever is known in advance
    let frame = Arc::new(history.read(name, &grid, &range).await?);
    let covariates = Arc::new(history.covariates(name, &grid, &declared, &range).await?);
    Ok(Window { frame, covariates, declared, revision, steps })
}

/// Where a window begins that holds `steps` steps before the newest one.
pub fn window_begins(grid: &Grid, newest: Timestamp, steps: usize) -> Timestamp {
    let back = i64::try_from(steps).unwrap_or(i64::MAX);
    grid.start_of_day(grid.advance(newest, -back), -ORIGINS_BACK_DAYS)
}
