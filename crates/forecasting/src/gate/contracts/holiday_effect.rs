//! Which way the forecast of a working day goes if it becomes a holiday.

use super::{Examination, Probe, Probed, Tested, against, curve::Curve};
use crate::{
    holidays::{HolidayCalendar, days_since_epoch},
    learning::Stopped,
    models::{Covered, Relative},
    series::{Frequency, Grid},
    spec::Direction,
};

const CHANGE: &str = "a holiday on its first day";

/// Each is forecast without a holiday and with one. A fallback looks at no holidays.
pub(super) fn test(
    examination: &Examination<'_>,
    direction: Direction,
    tolerance: f64,
) -> Result<Tested, Stopped> {
    let Some(regression) = examination.regression() else {
        return Ok(Tested::untested("looks at no features"));
    };
    let relative = regression.relative();
    let Some(holidays) = &relative.features.holidays else {
        return Ok(Tested::untested("knows no holidays"));
    };
    let mut changed = relative.features.clone();
    let mut probed = Probed::new(against(direction), tolerance);
    for probe in examination.probes() {
        let probe = probe?;
        let task = examination.task(&probe);
        let Some(first) = FirstDay::of(&probe, task.grid, task.horizon_steps) else { continue };
        let Some(name) = first.would_be(holidays) else { continue };
        let series = Covered { history: task.history, covariates: task.covariates };
        let curve = Curve::along(&[false, true], |is_holiday| {
            changed.holidays = Some(holidays.with_day(first.day, is_holiday.then_some(name)));
            let relative = Relative { features: &changed, non_negative: relative.non_negative };
            let rows = relative.rows(series, task.grid, task.origin, first.steps);
            Ok(rows.and_then(|rows| rows.values(regression.ratios(&rows.cells))))
        })?;
        let moved = curve.map(|curve| (CHANGE.to_owned(), curve.against(direction).part));
        probed.note(&probe.history.id, probe.origin, moved, CHANGE);
    }
    Ok(Tested::Probed(probed))
}

/// The local day on which a horizon begins.
struct FirstDay {
    /// Days since 1970-01-01.
    day: i64,
    /// Steps of the horizon that begin on it.
    steps: usize,
}

impl FirstDay {
    /// `None` at weekends: a holiday there takes no work from anybody.
    fn of(probe: &Probe, grid: &Grid, horizon_steps: u32) -> Option<Self> {
        let local = grid.local(probe.origin);
        let has_weekends = matches!(grid.frequency(), Frequency::Minutes(_) | Frequency::Days(1));
        if has_weekends && local.weekday().to_monday_zero_offset() >= 5 {
            return None;
        }
        let is_on_it = |ahead: &i64| grid.local(grid.advance(probe.origin, *ahead)).date() == local.date();
        let steps = (0..i64::from(horizon_steps)).take_while(is_on_it).count();
        Some(Self { day: days_since_epoch(local.date()).into(), steps })
    }

    /// The place of the name that the nearest holiday has: models know what it is like. `None` where nothing is known of
    /// the day, or of any holiday within half a year.
    fn would_be(&self, holidays: &HolidayCalendar) -> Option<u16> {
        const HALF_A_YEAR: i64 = 183;
        let around = holidays.within(self.day - HALF_A_YEAR, self.day + HALF_A_YEAR).iter();
        let nearest = around.min_by_key(|holiday| (i64::from(holiday.day) - self.day).abs());
        nearest.filter(|_| holidays.covers(self.day)).map(|holiday| holiday.name)
    }
}
