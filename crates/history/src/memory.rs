//! A history in memory, for tests and for a first look.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use database::instant::{cut_to_micros, from_micros, to_micros};
use forecasting::{
    names::{CovariateName, DatasetName, ModelName, SeriesId},
    series::{Attribute, Covariates, Frame, Grid},
    spec::CovariateSpec,
};
use jiff::Timestamp;

use crate::{
    Coverage, Forgettable, History, IssuedForecast, Observation, ObservationMessage, Range, ReadError,
    RecordError, Recorded, RecordedRows, Rows, SeriesCoverage,
    covariates::{self, Columns},
    forecasts::refuse_missing_values,
    observations::{Batch, Change, Ends, Known, Point, refuse_unreadable},
    reading::lay_on_grid,
};

/// A [`History`] that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryHistory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the next messages find their dataset locked.
    next_are_refused: bool,
    datasets: HashMap<DatasetName, Dataset>,
    forecasts: Vec<IssuedForecast>,
}

#[derive(Debug, Clone, Default)]
struct Dataset {
    revision: u64,
    series: BySeries,
    beside: Beside,
    /// When each message was recorded, and what that told.
    handled: HashMap<String, (i64, Recorded)>,
}

type BySeries = BTreeMap<SeriesId, Steps>;

/// The rows of each step, in ascending order of their record times.
type Steps = BTreeMap<i64, Vec<Known>>;

/// What is known of the series besides their values.
#[derive(Debug, Clone, Default)]
struct Beside {
    numbers: BTreeMap<CovariateName, BySeries>,
    /// What each attribute said, in ascending order of the record times.
    attributes: BTreeMap<(SeriesId, CovariateName), Vec<(i64, Attribute)>>,
}

impl MemoryHistory {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next messages find their dataset locked, and nothing of them is recorded.
    pub fn refuse_next_messages(&self) {
        self.state().next_are_refused = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

#[async_trait]
impl History for MemoryHistory {
    async fn record_rows(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        rows: Rows<'_>,
        recorded_at: Timestamp,
    ) -> Result<RecordedRows, RecordError> {
        self.state().datasets.entry(dataset.clone()).or_default().record_rows(grid, rows, recorded_at)
    }

    async fn record_messages(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        messages: &[ObservationMessage],
        recorded_at: Timestamp,
    ) -> Result<Vec<Result<Recorded, RecordError>>, RecordError> {
        let mut state = self.state();
        if mem::take(&mut state.next_are_refused) {
            return Err(RecordError::Unavailable("somebody else goes on writing to it".into()));
        }
        let dataset = state.datasets.entry(dataset.clone()).or_default();
        let outcomes = messages.iter().map(|message| {
            if let Some((_, recorded)) = dataset.handled.get(&message.message_id) {
                return Ok(*recorded);
            }
            let recorded = dataset.record(grid, &message.observations, recorded_at)?;
            dataset.handled.insert(message.message_id.clone(), (to_micros(recorded_at), recorded));
            Ok(recorded)
        });
        Ok(outcomes.collect())
    }

    async fn coverage(
        &self,
        dataset: &DatasetName,
        as_of: Option<Timestamp>,
    ) -> Result<Option<Coverage>, ReadError> {
        let state = self.state();
        let Some(dataset) = state.datasets.get(dataset) else {
            return Ok(None);
        };
        let range = Range { as_of, ..Range::default() };
        let covered = dataset.series.iter().filter_map(|(id, steps)| {
            let points = points(steps, &range);
            let first = from_micros(points.first()?.ds).expect("came from a timestamp");
            let last = from_micros(points.last()?.ds).expect("came from a timestamp");
            Some(SeriesCoverage { id: id.clone(), first, last, rows: points.len() as u64 })
        });
        Ok(Coverage::of(covered.collect()))
    }

    async fn newest(&self, dataset: &DatasetName) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.coverage(dataset, None).await?.and_then(|coverage| coverage.last()))
    }

    async fn read(&self, dataset: &DatasetName, grid: &Grid, range: &Range) -> Result<Frame, ReadError> {
        let state = self.state();
        let mut series = Vec::new();
        for (id, steps) in state.datasets.get(dataset).into_iter().flat_map(|dataset| &dataset.series) {
            if range.series.as_ref().is_none_or(|asked| asked.contains(id)) {
                series.extend(lay_on_grid(id, grid, &points(steps, range))?);
            }
        }
        Ok(Frame { grid: grid.clone(), series })
    }

    async fn covariates(
        &self,
        dataset: &DatasetName,
        grid: &Grid,
        declared: &CovariateSpec,
        range: &Range,
    ) -> Result<Covariates, ReadError> {
        let state = self.state();
        match state.datasets.get(dataset) {
            Some(dataset) if !declared.is_empty() => dataset.covariates(grid, declared, range),
            _ => Ok(Covariates::default()),
        }
    }

    async fn revision(&self, dataset: &DatasetName) -> Result<u64, ReadError> {
        Ok(self.state().datasets.get(dataset).map_or(0, |dataset| dataset.revision))
    }

    async fn record_forecasts(
        &self,
        forecasts: &[IssuedForecast],
        _recorded_at: Timestamp,
    ) -> Result<u64, RecordError> {
        refuse_missing_values(forecasts)?;
        let mut state = self.state();
        let before = state.forecasts.len();
        for forecast in forecasts {
            let same = |known: &IssuedForecast| {
                known.request_id == forecast.request_id && known.series == forecast.series
            };
            if !state.forecasts.iter().any(same) {
                state.forecasts.push(IssuedForecast {
                    origin: cut_to_micros(forecast.origin),
                    issued_at: cut_to_micros(forecast.issued_at),
                    ..forecast.clone()
                });
            }
        }
        Ok((state.forecasts.len() - before) as u64)
    }

    async fn forecasts_issued(
        &self,
        model: &ModelName,
        limit: u32,
    ) -> Result<Vec<IssuedForecast>, ReadError> {
        let state = self.state();
        let of_model = state.forecasts.iter().rev().filter(|forecast| forecast.model == *model);
        let mut found: Vec<_> = of_model.cloned().collect();
        found.sort_by_key(|forecast| std::cmp::Reverse(forecast.issued_at));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn forget(&self, what: Forgettable, before: Timestamp, limit: u32) -> Result<u64, RecordError> {
        let mut state = self.state();
        let mut left = limit;
        let mut goes = |at: i64| {
            let goes = at < to_micros(before) && left > 0;
            left -= u32::from(goes);
            goes
        };
        match what {
            Forgettable::ForecastsIssued => {
                state.forecasts.sort_by_key(|forecast| forecast.issued_at);
                state.forecasts.retain(|forecast| !goes(to_micros(forecast.issued_at)));
            }
            Forgettable::HandledMessages => {
                for dataset in state.datasets.values_mut() {
                    dataset.handled.retain(|_id, (at, _recorded)| !goes(*at));
                }
            }
        }
        Ok(u64::from(limit - left))
    }
}

impl Dataset {
    fn record(
        &mut self,
        grid: &Grid,
        observations: &[Observation],
        recorded_at: Timestamp,
    ) -> Result<Recorded, RecordError> {
        let recorded = record(&mut self.series, None, grid, observations, recorded_at)?;
        self.revise(recorded, recorded_at);
        Ok(recorded)
    }

    fn record_rows(
        &mut self,
        grid: &Grid,
        rows: Rows<'_>,
        recorded_at: Timestamp,
    ) -> Result<RecordedRows, RecordError> {
        let mut aside = self.clone(); // what is refused half-way leaves no trace
        let values = aside.record(grid, rows.observations, recorded_at)?;
        for (id, of_series) in rows.covariates.all() {
            let mut numbers = of_series.known.values().chain(of_series.past.values()).flatten();
            if numbers.any(|number| !number.is_nan()) || !of_series.attributes.is_empty() {
                aside.series.entry(id.clone()).or_default();
            }
        }
        let covariates = aside.beside.record(&aside.series, grid, rows.covariates, recorded_at)?;
        aside.revise(covariates, recorded_at);
        *self = aside;
        Ok(RecordedRows { values, covariates })
    }

    fn revise(&mut self, recorded: Recorded, recorded_at: Timestamp) {
        if recorded.changed_anything() {
            self.revision = (self.revision + 1).max(u64::try_from(to_micros(recorded_at)).unwrap_or(0));
        }
    }

    fn covariates(
        &self,
        grid: &Grid,
        declared: &CovariateSpec,
        range: &Range,
    ) -> Result<Covariates, ReadError> {
        let is_asked = |id: &SeriesId| range.series.as_ref().is_none_or(|asked| asked.contains(id));
        let asked = self.series.keys().filter(|id| is_asked(id)).cloned();
        let mut columns = Columns::of(asked, grid, declared);
        for name in declared.known().iter().chain(declared.past()) {
            let by_series = self.beside.numbers.get(name).into_iter().flatten();
            for (id, steps) in by_series.filter(|(id, _)| is_asked(id)) {
                if let Some(numbers) = lay_on_grid(id, grid, &points(steps, range))? {
                    columns.add_numbers(name, numbers);
                }
            }
        }
        let as_of = range.as_of.map_or(i64::MAX, to_micros);
        for ((id, name), said) in &self.beside.attributes {
            if let Some((_, attribute)) = said.iter().rev().find(|(recorded_at, _)| *recorded_at <= as_of) {
                columns.add_attribute(id, name.clone(), attribute.clone());
            }
        }
        Ok(columns.lay())
    }
}

impl Beside {
    fn record(
        &mut self,
        values: &BySeries,
        grid: &Grid,
        covariates: &Covariates,
        recorded_at: Timestamp,
    ) -> Result<Recorded, RecordError> {
        let mut recorded = Recorded::default();
        for (name, numbers) in covariates::numbers(covariates, grid) {
            let of_name = self.numbers.entry(name.clone()).or_default();
            recorded.add(record(of_name, Some(values), grid, &numbers, recorded_at)?);
        }
        for (series, name, attribute) in covariates::attributes(covariates)? {
            let said = self.attributes.entry((series.clone(), name.clone())).or_default();
            let known = said.last().map(|(recorded_at, attribute)| (*recorded_at, attribute));
            let change = Change::of_attribute(attribute, known, to_micros(recorded_at));
            recorded.count(change);
            said.extend(change.recorded_at().map(|recorded_at| (recorded_at, attribute.clone())));
        }
        Ok(recorded)
    }
}

/// Records values, or numbers that lie on the grid of the values `beside`.
fn record(
    all: &mut BySeries,
    beside: Option<&BySeries>,
    grid: &Grid,
    observations: &[Observation],
    recorded_at: Timestamp,
) -> Result<Recorded, RecordError> {
    let batch = Batch::new(observations)?;
    let mut recorded = Recorded { unchanged: batch.repeated, ..Recorded::default() };
    for (id, points) in &batch.series {
        let known = |of: &BySeries| of.get(*id).and_then(ends);
        refuse_unreadable(id, grid, points, known(all))?;
        if let Some(values) = beside {
            refuse_unreadable(id, grid, points, known(values))?;
        }
    }
    for (id, points) in batch.series {
        let steps = all.entry(id.clone()).or_default();
        for Point { ds, y } in points {
            let rows = steps.entry(ds).or_default();
            let change = Change::of(y, rows.last().copied(), to_micros(recorded_at));
            recorded.count(change);
            rows.extend(change.recorded_at().map(|recorded_at| Known { recorded_at, y }));
        }
    }
    Ok(recorded)
}

/// The first and the last value; `None` if every step is missing.
fn ends(steps: &Steps) -> Option<Ends> {
    let has_value = |(_, rows): &(&i64, &Vec<Known>)| rows.last().is_some_and(|row| !row.y.is_nan());
    let (first, _) = steps.iter().find(has_value)?;
    let (last, _) = steps.iter().rfind(has_value)?;
    let instant = |ds: i64| from_micros(ds).expect("came from a timestamp");
    Some(Ends { first: instant(*first), last: instant(*last) })
}

/// The values in the range as they were known.
fn points(steps: &Steps, range: &Range) -> Vec<Point> {
    let from = range.from.map_or(i64::MIN, to_micros);
    let until = range.until.map_or(i64::MAX, to_micros);
    let as_of = range.as_of.map_or(i64::MAX, to_micros);
    let in_range = steps.iter().filter(|(ds, _)| (from..until).contains(*ds));
    let known = in_range.filter_map(|(&ds, rows)| {
        let row = rows.iter().rev().find(|row| row.recorded_at <= as_of)?;
        (!row.y.is_nan()).then_some(Point { ds, y: row.y })
    });
    known.collect()
}
