//! Which origin is which night.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{super::points::Points, LevelShift, NightsError, NightsSettings};
use crate::{
    evaluation::{FrameCoverage, LossScales, RowSet, holdout_origins, older_half, size_holdout},
    series::Frame,
};

/// Origins, each with its place, and what is fixed before the first night.
pub(super) struct Timeline {
    pub(super) origins: Vec<Timestamp>,
    /// The local day of each origin.
    pub(super) dates: Vec<Date>,
    /// Which origins are nights; each forecasts what is after it.
    pub(super) first_night: usize,
    pub(super) nights: usize,
    /// Origins that a rule judges on.
    pub(super) holdout: usize,
    /// How many origins a horizon reaches over.
    pub(super) overlap: usize,
    /// Origins of a block that is drawn as a whole.
    pub(super) block_origins: usize,
    /// The first origin in the new regime.
    pub(super) shift: Option<usize>,
}

/// Days after a promotion that show whether it was a good one.
pub(super) const FOLLOW: usize = 28;

impl Timeline {
    pub(super) fn lay(frame: &Frame, settings: &NightsSettings<'_>) -> Result<Self, NightsError> {
        let delay = settings.dataset.availability_delay;
        if !delay.is_zero() {
            return Err(NightsError::Delay { delay });
        }
        let (grid, nights, horizon_steps) = (&frame.grid, settings.nights, settings.model.horizon_steps);
        let coverage = FrameCoverage::of(frame).ok_or(NightsError::NoValue)?;
        let holdout = size_holdout(settings.model, settings.dataset, &coverage)?.origins as usize;
        let FrameCoverage { first_target, last_target, .. } = coverage;
        let third = grid.advance(first_target, grid.steps_up_to(first_target, last_target) / 3);
        let origins = holdout_origins(grid, third, SignedDuration::ZERO, last_target, horizon_steps);
        let overlap = grid.strides_of(horizon_steps) as usize;
        let block_origins = grid.strides_drawn_together(horizon_steps) as usize;
        let needed = holdout + overlap + nights + FOLLOW;
        if origins.len() < needed {
            let (follow, has) = (FOLLOW, origins.len());
            return Err(NightsError::TooShort { nights, holdout, follow, needed, has });
        }
        let dates: Vec<Date> = origins.iter().map(|&origin| grid.local(origin).date()).collect();
        let first_night = origins.len() - FOLLOW - nights;
        let shift = None;
        let mut timeline =
            Self { origins, dates, first_night, nights, holdout, overlap, block_origins, shift };
        if let Some(shift) = settings.shift {
            timeline.shift = Some(timeline.night_of(shift)?);
        }
        Ok(timeline)
    }

    /// What the models of a night's candidate saw of the origins: all before this one.
    pub(super) fn held_back(&self, night: usize) -> usize {
        self.judged_until(night) - self.holdout
    }

    /// The origins whose last target is known at a night end before this one.
    pub(super) fn judged_until(&self, night: usize) -> usize {
        night + 1 - self.overlap
    }

    /// After a declared drift and until a whole holdout lies in the new regime: where in the new regime the
    /// candidate's training ends. It learns from the older half, and the newer half judges.
    pub(super) fn cut_off_in_new_regime(&self, night: usize) -> Option<usize> {
        let shift = self.shift?;
        let since = self.judged_until(night).checked_sub(shift)?;
        let older = older_half(since)?;
        (since - older < self.holdout).then_some(shift + older)
    }

    pub(super) fn rows<'f>(&self, frame: &'f Frame, origins: Range<usize>, horizon_steps: u32) -> RowSet<'f> {
        RowSet::new(frame, self.origins[origins].to_vec(), horizon_steps, SignedDuration::ZERO)
    }

    /// One unit for all nights, from before them.
    pub(super) fn scales(&self, frame: &Frame) -> LossScales {
        let before = self.origins[self.held_back(self.first_night)];
        LossScales::in_sample(frame, frame.grid.advance(before, -1))
    }

    pub(super) fn points(&self, frame: &Frame, horizon_steps: u32) -> Points {
        Points::of(&self.rows(frame, 0..self.origins.len(), horizon_steps), &self.scales(frame))
    }

    /// The history with a shift.
    pub(super) fn shifted(&self, frame: &Frame, shift: LevelShift) -> Result<Frame, NightsError> {
        if !(shift.factor.is_finite() && shift.factor > 0.0) {
            return Err(NightsError::ShiftFactor { factor: shift.factor });
        }
        let from = self.origins[self.night_of(shift)?];
        let mut frame = frame.clone();
        for series in &mut frame.series {
            let first = series.index_of(&frame.grid, from);
            series.values[first..].iter_mut().for_each(|value| *value *= shift.factor);
        }
        Ok(frame)
    }

    fn night_of(&self, shift: LevelShift) -> Result<usize, NightsError> {
        let nights = self.first_night..self.first_night + self.nights;
        let dates = &self.dates[nights.clone()];
        let outside =
            || NightsError::ShiftOutside { date: shift.date, first: dates[0], last: dates[dates.len() - 1] };
        let place = dates.iter().position(|&date| date >= shift.date).ok_or_else(outside)?;
        if place == 0 && dates[0] > shift.date { Err(outside()) } else { Ok(nights.start + place) }
    }
}
