//! Lets somebody forecast the targets of a bound from what was known then.

use jiff::Timestamp;

use super::{ErrorBound, asking::Asking};
use crate::{
    artifact::Bundle,
    evaluation::{Fault, Forecasts, Row, RowSet},
    learning::{StopFlag, Stopped},
    models::PredictError,
    names::SeriesId,
    routing::{Task, as_candidate, fall_back, forecast},
    series::{Covariates, Frame, Frequency, Grid, Series},
    spec::{DatasetSpec, ModelSpec},
};

/// What edge cases are replayed on.
#[derive(Debug, Clone, Copy)]
pub struct EdgeReplay<'a> {
    /// The model whose horizon is forecast.
    pub model: &'a ModelSpec,
    /// The dataset of the model.
    pub dataset: &'a DatasetSpec,
    /// The history, as of a look.
    pub frame: &'a Frame,
    /// What is known of its series besides, likewise.
    pub covariates: &'a Covariates,
    /// Ends the work early.
    pub stop: &'a StopFlag,
}

/// What came of the targets of a bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// Targets that have an actual to compare with.
    pub points: u32,
    /// The target that was missed by most; `None` if nothing could be compared.
    pub worst: Option<Miss>,
    /// Targets that were missed by more than the limit.
    pub beyond_limit: u64,
    /// The first forecast that is missing, or no number.
    pub unanswered: Option<Fault>,
    /// The first series without anything to compare.
    pub without_points: Option<SeriesId>,
}

/// A forecast of one target, and how far off it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// The series.
    pub series: SeriesId,
    /// From when it was forecast.
    pub origin: Timestamp,
    /// When the step begins that was forecast.
    pub target: Timestamp,
    /// The absolute error, in the unit of the values.
    pub error: f64,
}

impl Replayed {
    /// Whether all targets were forecast, and none was missed by more than the limit.
    pub fn keeps_bound(&self) -> bool {
        self.beyond_limit == 0 && self.unanswered.is_none() && self.without_points.is_none()
    }

    fn add(&mut self, bound: &ErrorBound, rows: &RowSet<'_>, forecasts: &Forecasts) {
        let both = rows.rows().iter().zip(&forecasts.values);
        for (row, forecast) in both.filter(|(row, _)| is_bounded(bound, rows, row)) {
            self.points += 1;
            let origin = rows.origin_of(row);
            if forecast.is_nan() {
                let fault = forecasts.faults.iter().find(|fault| fault.origin == origin).cloned();
                self.unanswered = self.unanswered.take().or(fault);
                continue;
            }
            // An infinite error would not come back from a registry.
            let error = (forecast - row.actual).abs().min(f64::MAX);
            self.beyond_limit += u64::from(error > bound.limit);
            if self.worst.as_ref().is_none_or(|worst| error > worst.error) {
                let series = rows.series_of(row).clone();
                self.worst = Some(Miss { series, origin, target: row.target, error });
            }
        }
    }
}

impl EdgeReplay<'_> {
    /// Replays a version as a forecaster serves it, its fallback included.
    ///
    /// # Errors
    /// [`Stopped`] if the stop flag was set meanwhile.
    pub fn version(&self, bundle: &Bundle, bound: &ErrorBound) -> Result<Replayed, Stopped> {
        self.replay(bound, |task| forecast(bundle, task).map(|(values, _)| values))
    }

    /// Replays what answers before any version does.
    ///
    /// # Errors
    /// As for [`version`](Self::version).
    pub fn fallback(&self, bound: &ErrorBound) -> Result<Replayed, Stopped> {
        let fallback = self.asking().fallback();
        self.replay(bound, |task| fall_back(fallback, task))
    }

    /// Replays who wants to go live, who must not hide a number that is none behind a fallback.
    pub(super) fn candidate(&self, bundle: &Bundle, bound: &ErrorBound) -> Result<Replayed, Stopped> {
        self.replay(bound, |task| as_candidate(forecast(bundle, task)).map(|(values, _)| values))
    }

    /// How many targets of a series there are to compare.
    pub(super) fn points(&self, bound: &ErrorBound, series: &Series) -> u32 {
        let frame = self.alone(series);
        let rows = self.rows(bound, &frame);
        let bounded = rows.rows().iter().filter(|row| is_bounded(bound, &rows, row));
        u32::try_from(bounded.count()).unwrap_or(u32::MAX)
    }

    fn replay(
        &self,
        bound: &ErrorBound,
        answer: impl Fn(&Task<'_>) -> Result<Vec<f64>, PredictError>,
    ) -> Result<Replayed, Stopped> {
        let mut replayed = Replayed::default();
        for id in &bound.series {
            let before = replayed.points;
            if let Some(series) = self.frame.series(id) {
                let frame = self.alone(series);
                let rows = self.rows(bound, &frame);
                let forecasts = rows.forecast(|history, origin| {
                    self.stop.check()?;
                    Ok(answer(&self.asking().task(history, origin)))
                })?;
                replayed.add(bound, &rows, &forecasts);
            }
            if replayed.points == before {
                replayed.without_points.get_or_insert_with(|| id.clone());
            }
        }
        Ok(replayed)
    }

    /// Each series has origins on its own grid.
    fn alone(&self, series: &Series) -> Frame {
        Frame { grid: self.frame.grid.clone(), series: vec![series.clone()] }
    }

    fn rows<'f>(&self, bound: &ErrorBound, alone: &'f Frame) -> RowSet<'f> {
        let horizon_steps = self.model.horizon_steps;
        let origins = origins(bound, &alone.grid, alone.series[0].start, horizon_steps);
        RowSet::new(alone, origins, horizon_steps, self.dataset.availability_delay)
    }

    fn asking(&self) -> Asking<'_> {
        let Self { model, dataset, covariates, .. } = *self;
        Asking { model, dataset, grid: &self.frame.grid, covariates }
    }
}

/// The origins that the targets of a bound are forecast from, on the grid through `through`: as those of a holdout the
/// first steps of local days, or every step of a longer frequency, and where a horizon ends before the next of them,
/// another one follows there.
fn origins(bound: &ErrorBound, grid: &Grid, through: Timestamp, horizon_steps: u32) -> Vec<Timestamp> {
    let first_target = grid.ceil(through, bound.from);
    let day_of = |at: Timestamp, days: i64| match grid.frequency() {
        Frequency::Days(_) => grid.advance(at, days),
        Frequency::Minutes(_) => grid.ceil(through, grid.start_of_day(at, days)),
    };
    let mut origins = Vec::new();
    let mut origin = day_of(first_target, 0);
    while origin < bound.to {
        let next = day_of(origin, 1).min(grid.advance(origin, i64::from(horizon_steps)));
        if next > bound.from {
            origins.push(origin);
        }
        origin = next;
    }
    origins
}

/// Whether a row is a target of the bound, forecast from the latest origin that is not after it.
fn is_bounded(bound: &ErrorBound, rows: &RowSet<'_>, row: &Row) -> bool {
    let next_origin = rows.origins().get(row.origin + 1);
    (bound.from..bound.to).contains(&row.target) && next_origin.is_none_or(|next| row.target < *next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{dataset, grid, history, id, long_mean, model, start, version};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("is a time")
    }

    fn bound(from: &str, to: &str) -> ErrorBound {
        ErrorBound { series: vec![id("arcade")], from: at(from), to: at(to), limit: 30.0 }
    }

    #[test]
    fn each_target_is_forecast_from_the_day_that_it_lies_on() {
        let bound = bound("2025-03-01T22:00:00+01:00", "2025-03-03T01:00:00+01:00");
        let days = ["2025-03-01T00:00:00+01:00", "2025-03-02T00:00:00+01:00", "2025-03-03T00:00:00+01:00"];
        assert_eq!(origins(&bound, &grid(), start(), 24), days.map(at));
        assert_eq!(origins(&bound, &grid(), start(), 168), days.map(at), "however far a horizon reaches");
    }

    #[test]
    fn a_short_horizon_is_issued_again_where_it_ends() {
        let bound = bound("2025-03-01T22:00:00+01:00", "2025-03-02T11:00:00+01:00");
        let every_ten_hours =
            ["2025-03-01T20:00:00+01:00", "2025-03-02T00:00:00+01:00", "2025-03-02T10:00:00+01:00"];
        assert_eq!(origins(&bound, &grid(), start(), 10), every_ten_hours.map(at));
    }

    #[test]
    fn every_step_of_daily_data_is_an_origin() {
        let daily = Grid::new(Frequency::Days(1), "Europe/Berlin").expect("is known");
        let bound = bound("2025-03-29T00:00:00+01:00", "2025-04-01T00:00:00+02:00");
        let days = ["2025-03-29T00:00:00+01:00", "2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00"];
        assert_eq!(origins(&bound, &daily, start(), 28), days.map(at));
    }

    /// What each forecast was asked from, and what it knew last.
    fn asked(delay_hours: i64) -> Vec<(Timestamp, Timestamp)> {
        let (model, mut dataset, frame, stop) = (model(), dataset(), history(60), StopFlag::default());
        dataset.availability_delay = jiff::SignedDuration::from_hours(delay_hours);
        let covariates = Covariates::none();
        let replay = EdgeReplay { model: &model, dataset: &dataset, frame: &frame, covariates, stop: &stop };
        let asked = std::cell::RefCell::new(Vec::new());
        let bound = bound("2025-02-10T22:00:00+01:00", "2025-02-11T02:00:00+01:00");
        let replayed = replay.replay(&bound, |task| {
            let last = task.history.last_target(task.grid).expect("has values");
            asked.borrow_mut().push((task.origin, last));
            Ok(vec![0.0; 24])
        });
        assert_eq!(replayed.expect("nobody stops it").points, 4);
        let mut asked = asked.into_inner();
        asked.sort_unstable();
        asked
    }

    #[test]
    fn a_replay_knows_what_was_known_then() {
        let origins = ["2025-02-10T00:00:00+01:00", "2025-02-11T00:00:00+01:00"].map(at);
        let hours_before =
            |hours| origins.map(|origin| (origin, origin - jiff::SignedDuration::from_hours(hours)));
        assert_eq!(asked(0), hours_before(1));
        assert_eq!(asked(5), hours_before(6));
    }

    #[test]
    fn versions_and_the_fallback_are_held_to_the_same_bound() {
        let (model, dataset, frame, stop) = (model(), dataset(), history(60), StopFlag::default());
        let covariates = Covariates::none();
        let replay = EdgeReplay { model: &model, dataset: &dataset, frame: &frame, covariates, stop: &stop };
        let wide = bound("2025-02-10T00:00:00+01:00", "2025-02-12T00:00:00+01:00");
        let narrow = ErrorBound { limit: 0.001, ..wide.clone() };
        let long_mean = version(long_mean(), 30);
        let of_version = replay.version(&long_mean, &wide).expect("nobody stops it");
        let of_fallback = replay.fallback(&wide).expect("nobody stops it");
        assert_eq!((of_version.points, of_version.beyond_limit, of_fallback.points), (48, 0, 48));
        assert!(of_version.keeps_bound() && of_fallback.keeps_bound());
        let missed = replay.version(&long_mean, &narrow).expect("nobody stops it");
        assert!(!missed.keeps_bound() && missed.beyond_limit > 40, "{missed:?}");
        assert_eq!(missed.worst, of_version.worst);
    }

    #[test]
    fn a_replay_stops_when_asked() {
        let (model, dataset, frame, stop) = (model(), dataset(), history(60), StopFlag::default());
        let covariates = Covariates::none();
        let replay = EdgeReplay { model: &model, dataset: &dataset, frame: &frame, covariates, stop: &stop };
        stop.stop();
        let bound = bound("2025-02-10T00:00:00+01:00", "2025-02-12T00:00:00+01:00");
        assert_eq!(replay.fallback(&bound), Err(Stopped));
    }
}
