//! The rows of a holdout: which points are scored, decided before any side has forecast them.

use std::{collections::BTreeMap, ops::Range};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{Errors, LossScales, PairedLosses, Unpaired, errors::Scored};
use crate::{
    models::PredictError,
    names::SeriesId,
    series::{Frame, Series},
};

/// One point that is scored: a step of the horizon of an origin at which the series has an actual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Index of the series in the frame.
    pub series: usize,
    /// Index of the origin among the origins.
    pub origin: usize,
    /// Which step of the horizon: 0 is the one at the origin.
    pub step: usize,
    /// When the step begins.
    pub target: Timestamp,
    /// What was; finite.
    pub actual: f64,
}

/// The rows on which sides are compared. They depend on the actuals alone, so every side has the same.
///
/// A point without an actual is no row. An origin before which nothing of a series was known has no rows
/// of that series: no side can say anything there.
#[derive(Debug)]
pub struct RowSet<'a> {
    frame: &'a Frame,
    origins: Vec<Timestamp>,
    horizon_steps: usize,
    delay: SignedDuration,
    rows: Vec<Row>,
    blocks: Vec<Block>,
}

/// The rows of one series and origin, which one forecast answers.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    series: usize,
    origin: usize,
    rows: Range<usize>,
}

/// What one side forecast for the rows of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecasts {
    /// One value per row; `NaN` in the rows of a fault.
    pub values: Vec<f64>,
    /// Forecasts that cannot be scored, in the order of the rows. A side with any is not comparable.
    pub faults: Vec<Fault>,
}

/// A forecast that cannot be scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The series that was to be forecast.
    pub series: SeriesId,
    /// From when.
    pub origin: Timestamp,
    /// What is wrong.
    pub problem: Unusable,
}

/// Why a forecast cannot be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// There is none.
    #[error("is missing: {0}")]
    Missing(#[from] PredictError),
    /// It has fewer or more steps than were asked for.
    #[error("has {has} steps instead of {asked}")]
    WrongLength {
        /// Steps that it has.
        has: usize,
        /// Steps of the horizon.
        asked: usize,
    },
    /// One of its values is not a number, or infinite.
    #[error("is {value} at step {step}")]
    NotFinite {
        /// 1 is the step at the origin.
        step: usize,
        /// What stands there.
        value: f64,
    },
}

impl<'a> RowSet<'a> {
    /// The rows of `frame` in the horizons of `origins`, by series, origin and step.
    ///
    /// `delay`: how long after the end of a step its value is known.
    pub fn new(frame: &'a Frame, origins: Vec<Timestamp>, horizon_steps: u32, delay: SignedDuration) -> Self {
        let horizon_steps = horizon_steps as usize;
        let mut set = Self { frame, origins, horizon_steps, delay, rows: Vec::new(), blocks: Vec::new() };
        for (index, series) in frame.series.iter().enumerate() {
            for origin in 0..set.origins.len() {
                set.add_block(index, series, origin);
            }
        }
        set
    }

    /// The series that the rows are of.
    pub fn frame(&self) -> &'a Frame {
        self.frame
    }

    /// The origins; a row names one by its place.
    pub fn origins(&self) -> &[Timestamp] {
        &self.origins
    }

    /// Steps of a forecast.
    pub fn horizon_steps(&self) -> usize {
        self.horizon_steps
    }

    /// How many forecasts answer all rows: one per series and origin.
    pub fn forecasts(&self) -> usize {
        self.blocks.len()
    }

    /// The series and the origin of each of these forecasts.
    pub fn asked(&self) -> impl Iterator<Item = (&'a SeriesId, Timestamp)> {
        let frame: &'a Frame = self.frame;
        self.blocks.iter().map(|block| (&frame.series[block.series].id, self.origins[block.origin]))
    }

    /// What one of these forecasts is made from, by its place: the series up to the last value known at the origin,
    /// and the origin.
    pub(crate) fn known_for(&self, forecast: usize) -> (Series, Timestamp) {
        let Block { series, origin, .. } = self.blocks[forecast];
        let (series, origin) = (&self.frame.series[series], self.origins[origin]);
        let values = series.values[..self.known_at(series, origin)].to_vec();
        (Series { id: series.id.clone(), start: series.start, values }, origin)
    }

    /// The rows, by series, origin and step.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The series of a row of this set.
    pub fn series_of(&self, row: &Row) -> &'a SeriesId {
        let frame: &'a Frame = self.frame;
        &frame.series[row.series].id
    }

    /// The origin of a row of this set.
    pub fn origin_of(&self, row: &Row) -> Timestamp {
        self.origins[row.origin]
    }

    /// The origins that have rows, in ascending order.
    pub fn scored_origins(&self) -> Vec<Timestamp> {
        self.rows_of_origins().into_keys().map(|origin| self.origins[origin]).collect()
    }

    /// How many origins have at least half as many rows as origins have on average: an origin with a point
    /// or two says too little to count as evidence.
    pub fn telling_origins(&self) -> usize {
        self.telling().count()
    }

    /// Of all origins, rows or not, every so many beginning with the first, if they tell: by their places among those
    /// that have rows, as losses name them. An origin that gets rows late moves no other.
    pub(crate) fn telling_every(&self, every: usize) -> Vec<usize> {
        let kept = self.telling().filter(|(_, origin)| origin.is_multiple_of(every));
        kept.map(|(place, _)| place).collect()
    }

    /// The telling origins: the place among those that have rows, and that among all.
    fn telling(&self) -> impl Iterator<Item = (usize, usize)> {
        let (rows_of_origins, all) = (self.rows_of_origins(), self.rows.len());
        let scored = rows_of_origins.len();
        let places = rows_of_origins.into_iter().enumerate();
        let telling = places.filter(move |(_, (_, rows))| 2 * rows * scored >= all);
        telling.map(|(place, (origin, _))| (place, origin))
    }

    fn rows_of_origins(&self) -> BTreeMap<usize, usize> {
        let mut rows = BTreeMap::new();
        for block in &self.blocks {
            *rows.entry(block.origin).or_insert(0) += block.rows.len();
        }
        rows
    }

    /// The series that have rows.
    pub fn scored_series(&self) -> impl Iterator<Item = &'a SeriesId> {
        self.blocks.chunk_by(|one, next| one.series == next.series).map(|blocks| {
            let frame: &'a Frame = self.frame;
            &frame.series[blocks[0].series].id
        })
    }

    /// SHA-256 in hex over all rows: series, origin, target and actual. Verdicts with the same hash were
    /// found on the same rows.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for row in &self.rows {
            let id = self.series_of(row).as_str();
            hash.update((id.len() as u64).to_le_bytes());
            hash.update(id);
            hash.update(self.origin_of(row).as_nanosecond().to_le_bytes());
            hash.update(row.target.as_nanosecond().to_le_bytes());
            hash.update(row.actual.to_bits().to_le_bytes());
        }
        hex::encode(hash.finalize())
    }

    /// Lets one side forecast every row, once per series and origin.
    ///
    /// `forecast` is given a series that ends with the last value known at the origin, so it cannot look
    /// ahead, and answers all steps of the horizon. Its own error (a stop, say) ends the work.
    pub fn forecast<Stop>(
        &self,
        mut forecast: impl FnMut(&Series, Timestamp) -> Result<Result<Vec<f64>, PredictError>, Stop>,
    ) -> Result<Forecasts, Stop> {
        let mut forecasts = Forecasts { values: vec![f64::NAN; self.rows.len()], faults: Vec::new() };
        for blocks in self.blocks.chunk_by(|one, next| one.series == next.series) {
            // From the latest origin backwards the history only ever gets shorter, in place.
            let mut known = self.frame.series[blocks[0].series].clone();
            for block in blocks.iter().rev() {
                let origin = self.origins[block.origin];
                known.values.truncate(self.known_at(&known, origin));
                let answer = forecast(&known, origin)?.map_err(Unusable::from);
                match answer.and_then(|values| self.check(values)) {
                    Ok(values) => {
                        for row in block.rows.clone() {
                            forecasts.values[row] = values[self.rows[row].step];
                        }
                    }
                    Err(problem) => forecasts.faults.push(self.fault(block, problem)),
                }
            }
        }
        forecasts.faults.sort_by(|one, other| (&one.series, one.origin).cmp(&(&other.series, other.origin)));
        Ok(forecasts)
    }

    /// Errors of one side; `None` if there are no rows or the side has faults.
    pub fn errors(&self, forecasts: &Forecasts, scales: &LossScales) -> Option<Errors> {
        forecasts.faults.is_empty().then(|| Errors::of(&self.scored(forecasts, scales)))?
    }

    /// The losses of both sides.
    ///
    /// # Errors
    /// [`Unpaired`] if a side has faults, or there are no rows.
    pub fn pair(
        &self,
        candidate: &Forecasts,
        incumbent: &Forecasts,
        scales: &LossScales,
    ) -> Result<PairedLosses, Unpaired> {
        let losses = |side| self.scored(side, scales).iter().map(Scored::loss).collect();
        PairedLosses::new(losses(candidate), losses(incumbent), self.scored_origin_of_rows())
    }

    /// Of each row the place of its origin among those that have rows.
    pub(crate) fn scored_origin_of_rows(&self) -> Vec<u32> {
        let mut place = vec![0; self.origins.len()];
        for (next, origin) in (0_u32..).zip(self.rows_of_origins().into_keys()) {
            place[origin] = next;
        }
        self.rows.iter().map(|row| place[row.origin]).collect()
    }

    fn scored(&self, forecasts: &Forecasts, scales: &LossScales) -> Vec<Scored> {
        let scale: Vec<f64> = self.frame.series.iter().map(|series| scales.of(&series.id)).collect();
        let rows = self.rows.iter().zip(&forecasts.values);
        let scored = rows.map(|(row, &forecast)| Scored {
            series: row.series,
            actual: row.actual,
            forecast,
            scale: scale[row.series],
        });
        scored.collect()
    }

    fn add_block(&mut self, index: usize, series: &Series, origin: usize) {
        let grid = &self.frame.grid;
        let at = self.origins[origin];
        let known = &series.values[..self.known_at(series, at)];
        if known.iter().all(|value| value.is_nan()) {
            return;
        }
        // A series on another phase of the frequency has no step at this origin.
        let Some(start) =
            grid.steps_between(series.start, at).ok().and_then(|steps| usize::try_from(steps).ok())
        else {
            return;
        };
        let first_row = self.rows.len();
        let actuals = series.values.iter().skip(start).take(self.horizon_steps).enumerate();
        for (step, &actual) in actuals.filter(|(_, actual)| actual.is_finite()) {
            let target = series.timestamp(grid, start + step);
            self.rows.push(Row { series: index, origin, step, target, actual });
        }
        if self.rows.len() > first_row {
            self.blocks.push(Block { series: index, origin, rows: first_row..self.rows.len() });
        }
    }

    /// How many values of a series were known at an origin: those whose steps had ended `delay` before.
    fn known_at(&self, series: &Series, origin: Timestamp) -> usize {
        let grid = &self.frame.grid;
        let recorded = origin.checked_sub(self.delay).unwrap_or(Timestamp::MIN);
        series.index_of(grid, grid.floor(series.start, recorded))
    }

    fn check(&self, values: Vec<f64>) -> Result<Vec<f64>, Unusable> {
        let (has, asked) = (values.len(), self.horizon_steps);
        if has != asked {
            return Err(Unusable::WrongLength { has, asked });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(Unusable::NotFinite { step: index + 1, value: values[index] }),
            None => Ok(values),
        }
    }

    fn fault(&self, block: &Block, problem: Unusable) -> Fault {
        let series = self.frame.series[block.series].id.clone();
        let origin = self.origins[block.origin];
        Fault { series, origin, problem }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::series::{Frequency, Grid};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn start() -> Timestamp {
        "2025-01-06T00:00:00Z".parse().expect("is a time")
    }

    fn frame(all: &[(&str, &[f64])]) -> Frame {
        let grid = Grid::new(Frequency::Minutes(60), "UTC").expect("UTC is known");
        let series = all.iter().map(|(id, values)| {
            let id = SeriesId::new(*id).expect("is an id");
            Series { id, start: start(), values: values.to_vec() }
        });
        Frame::new(grid, series.collect()).expect("the ids differ")
    }

    fn after(hours: i64) -> Timestamp {
        start() + HOUR * i32::try_from(hours).expect("is small")
    }

    /// What each forecast was given to look at, with an answer of ones.
    fn forecast_ones(set: &RowSet<'_>) -> (Vec<(String, Timestamp, Vec<f64>)>, Forecasts) {
        let mut seen = Vec::new();
        let forecasts = set.forecast(|history, origin| -> Result<_, Infallible> {
            seen.push((history.id.to_string(), origin, history.values.clone()));
            Ok(Ok(vec![1.0; set.horizon_steps]))
        });
        (seen, forecasts.expect("never stops"))
    }

    #[test]
    fn a_point_without_an_actual_is_no_row() {
        let frame = frame(&[("a", &[1.0, 2.0, f64::NAN, 4.0, 5.0])]);
        let set = RowSet::new(&frame, vec![after(1), after(3)], 2, SignedDuration::ZERO);
        let targets: Vec<_> =
            set.rows().iter().map(|row| (row.origin, row.step, row.target, row.actual)).collect();
        assert_eq!(targets, [(0, 0, after(1), 2.0), (1, 0, after(3), 4.0), (1, 1, after(4), 5.0)]);
    }

    #[test]
    fn a_forecast_sees_only_what_was_known_at_its_origin() {
        let frame = frame(&[("a", &[1.0, 2.0, 3.0, 4.0]), ("b", &[5.0, 6.0, 7.0, 8.0])]);
        let set = RowSet::new(&frame, vec![after(2), after(3)], 1, SignedDuration::ZERO);
        let (mut seen, _) = forecast_ones(&set);
        seen.sort_by_key(|(id, origin, _)| (id.clone(), *origin));
        let known: Vec<_> = seen.into_iter().map(|(_, _, values)| values).collect();
        assert_eq!(known, [vec![1.0, 2.0], vec![1.0, 2.0, 3.0], vec![5.0, 6.0], vec![5.0, 6.0, 7.0]]);
        let known_for = (0..set.forecasts()).map(|forecast| set.known_for(forecast).0.values);
        assert_eq!(known_for.collect::<Vec<_>>(), known);
        // A step that ended half an hour before the origin is not recorded after a delay of an hour.
        let delayed = RowSet::new(&frame, vec![after(2), after(3)], 1, HOUR - SignedDuration::from_mins(30));
        let (seen, _) = forecast_ones(&delayed);
        assert!(seen.iter().all(|(_, _, values)| values.len() < 3));
    }

    #[test]
    fn a_series_of_which_nothing_is_known_yet_has_no_rows() {
        let frame = frame(&[("a", &[f64::NAN, f64::NAN, 3.0, 4.0])]);
        let set = RowSet::new(&frame, vec![after(0), after(2), after(3)], 1, SignedDuration::ZERO);
        assert_eq!(set.rows().len(), 1);
        assert_eq!(set.scored_origins(), [after(3)]);
        assert_eq!(set.scored_series().count(), 1);
    }

    #[test]
    fn an_origin_with_hardly_a_point_is_not_telling() {
        let mut values = vec![1.0; 41];
        let telling = |values: &[f64]| {
            let frame = frame(&[("a", values)]);
            let origins = [1, 11, 21, 31].map(after).to_vec();
            let set = RowSet::new(&frame, origins, 10, SignedDuration::ZERO);
            (set.scored_origins().len(), set.telling_origins())
        };
        assert_eq!(telling(&values), (4, 4));
        values[11..15].fill(f64::NAN);
        assert_eq!(telling(&values), (4, 4), "six of ten points");
        values[22..31].fill(f64::NAN);
        assert_eq!(telling(&values), (4, 3), "one of ten points");
        values[21] = f64::NAN;
        assert_eq!(telling(&values), (3, 3));
    }

    #[test]
    fn a_missing_or_infinite_forecast_is_a_fault_that_names_series_and_origin() {
        let frame = frame(&[("a", &[1.0, 2.0, 3.0, 4.0])]);
        let set = RowSet::new(&frame, vec![after(1), after(2)], 2, SignedDuration::ZERO);
        let answers = [
            (Ok(vec![1.0, f64::NAN]), "is NaN at step 2"),
            (Ok(vec![f64::NEG_INFINITY, 1.0]), "is -inf at step 1"),
            (Ok(vec![1.0]), "has 1 steps instead of 2"),
            (Err(PredictError::NothingKnown), "is missing: no value before the origin is known"),
        ];
        for (answer, text) in answers {
            let one_bad = |_: &Series, origin| -> Result<_, Infallible> {
                Ok(if origin == after(2) { answer.clone() } else { Ok(vec![1.0, 1.0]) })
            };
            let forecasts = set.forecast(one_bad).expect("never stops");
            assert_eq!(forecasts.faults.len(), 1);
            let fault = &forecasts.faults[0];
            assert_eq!((fault.series.as_str(), fault.origin), ("a", after(2)));
            assert_eq!(fault.problem.to_string(), text);
            let scales = LossScales::in_sample(&frame, start());
            assert_eq!(set.errors(&forecasts, &scales), None);
            assert!(set.pair(&forecasts, &forecasts, &scales).is_err());
        }
    }

    #[test]
    fn losses_are_paired_row_by_row() {
        let frame = frame(&[("a", &[1.0, 2.0, 4.0])]);
        let set = RowSet::new(&frame, vec![after(1)], 2, SignedDuration::ZERO);
        let (_, ones) = forecast_ones(&set);
        let scales = LossScales::in_sample(&frame, start());
        let losses = set.pair(&ones, &ones, &scales).expect("are paired");
        assert_eq!(losses.candidate(), [1.0, 3.0]);
        assert_eq!(set.errors(&ones, &scales).expect("has rows").mae, 2.0);
    }

    #[test]
    fn the_hash_follows_every_row() {
        let origins = || vec![after(1), after(2)];
        let hash = |frame: &Frame, origins| RowSet::new(frame, origins, 1, SignedDuration::ZERO).hash();
        let before = hash(&frame(&[("a", &[1.0, 2.0, 4.0])]), origins());
        assert_eq!(
            before,
            hash(&frame(&[("a", &[9.0, 2.0, 4.0, 5.0])]), origins()),
            "not scored, not hashed"
        );
        assert_ne!(before, hash(&frame(&[("a", &[1.0, 2.0, 4.5])]), origins()));
        assert_ne!(before, hash(&frame(&[("b", &[1.0, 2.0, 4.0])]), origins()));
        assert_ne!(before, hash(&frame(&[("a", &[1.0, 2.0, 4.0])]), vec![after(1)]));
    }
}
