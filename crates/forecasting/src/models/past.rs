//! The part of a history that a forecast from an origin may look at.

use jiff::Timestamp;

use super::PredictError;
use crate::{
    preprocessing::Calendar,
    series::{Grid, Series},
};

/// Weeks are counted back from the newest known value as long as it is not older than this.
const STALE_SEASONS: usize = 53;

/// The newest steps before an origin.
pub(crate) struct Past<'a> {
    /// Values from `start` on, all before the origin; the newest steps may be absent.
    pub(crate) values: &'a [f64],
    /// Time stamp of the first of the values.
    pub(crate) start: Timestamp,
    /// Steps from `start` to the origin.
    pub(crate) origin: usize,
    /// Steps from the first known value of the whole history to the origin; 0 if none is known.
    pub(crate) known_steps: usize,
    /// Steps from `start` to the one after the newest known value: where weeks are counted back from.
    pub(crate) known_end: usize,
    /// The newest known value of the whole history before the origin.
    newest: Option<f64>,
}

impl<'a> Past<'a> {
    /// At most `reach_steps` steps before the newest known value, or before a year before the origin: what
    /// is older than that is not worth a calendar that reaches there.
    pub(crate) fn before(
        history: &'a Series,
        grid: &Grid,
        origin: Timestamp,
        reach_steps: usize,
    ) -> Result<Self, PredictError> {
        let origin_index = grid.steps_between(history.start, origin)?;
        let origin_index = usize::try_from(origin_index).map_err(|_| PredictError::NothingKnown)?;
        let before = &history.values[..origin_index.min(history.values.len())];
        let first_known = before.iter().position(|value| !value.is_nan());
        let known_end = before.iter().rposition(|value| !value.is_nan()).map_or(0, |newest| newest + 1);
        let oldest_end = origin_index.saturating_sub(STALE_SEASONS * grid.steps_per_season());
        let from = known_end.max(oldest_end).saturating_sub(reach_steps);
        Ok(Self {
            values: &before[from.min(before.len())..],
            start: history.timestamp(grid, from),
            origin: origin_index - from,
            known_steps: first_known.map_or(0, |first| origin_index - first),
            known_end: known_end.saturating_sub(from),
            newest: known_end.checked_sub(1).map(|newest| before[newest]),
        })
    }

    /// The calendar of the past and of `horizon_steps` targets.
    pub(crate) fn calendar(&self, grid: &Grid, horizon_steps: usize) -> Calendar {
        Calendar::new(grid, self.start, self.origin + horizon_steps)
    }

    /// The known values at the same wall-clock time as `target`, `every_minutes` apart, over the newest
    /// `count` such times up to the newest known value; newest first.
    pub(crate) fn same_time(
        &self,
        calendar: &Calendar,
        target: usize,
        every_minutes: i64,
        count: usize,
    ) -> impl Iterator<Item = f64> {
        calendar.newest_same_times(target, self.known_end, every_minutes).take(count).filter_map(|step| {
            let value = *self.values.get(step?)?;
            (!value.is_nan()).then_some(value)
        })
    }

    /// The mean of everything known in the past; else the newest value known at all.
    pub(crate) fn anything(&self) -> Result<f64, PredictError> {
        mean(self.values.iter().copied().filter(|value| !value.is_nan()))
            .or(self.newest)
            .ok_or(PredictError::NothingKnown)
    }
}

/// `None` without a value.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}
