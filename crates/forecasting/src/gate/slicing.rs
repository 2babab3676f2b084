//! Which rows are of which slice.
//!
//! A further kind of slice is a [`SliceName`], a key of the policy and a line in [`declared`]: holidays when the
//! calendar of a dataset is known here, groups of series when their attributes are.

use std::{collections::BTreeMap, ops::RangeInclusive};

use jiff::Timestamp;

use super::{Slice, SliceName};
use crate::{
    evaluation::RowSet,
    names::SeriesId,
    series::{Frequency, Grid},
    spec::SlicePolicy,
};

/// The slices of the policy.
pub(super) fn declared(rows: &RowSet<'_>, policy: &SlicePolicy) -> Vec<Slice> {
    let clocks = clocks(rows);
    let mut slices = if policy.series { of_series(rows) } else { Vec::new() };
    if policy.weekend {
        slices.push(Slice { name: SliceName::Weekend, points: points(&clocks, Clock::is_weekend) });
    }
    if let Some([first, last]) = policy.peak_hours {
        let is_peak = |clock: Clock| within(clock.hour, first, last);
        slices.push(Slice { name: SliceName::PeakHours, points: points(&clocks, is_peak) });
    }
    slices
}

/// Where a bad slice is searched: each series, weekends, and each three hours of the day.
pub(super) fn searched(rows: &RowSet<'_>) -> Vec<Slice> {
    searched_besides(of_series(rows), &clocks(rows), has_hours(&rows.frame().grid))
}

/// The same where the slices of series are made; `clocks` has one of each point.
pub(crate) fn searched_besides(of_series: Vec<Slice>, clocks: &[Clock], has_hours: bool) -> Vec<Slice> {
    let mut slices = of_series;
    slices.push(Slice { name: SliceName::Weekend, points: points(clocks, Clock::is_weekend) });
    if has_hours {
        slices.extend((0..24).step_by(3).map(|first| {
            let last = first + 2;
            let is_in = |clock: Clock| within(clock.hour, first, last);
            Slice { name: SliceName::Hours(first, last), points: points(clocks, is_in) }
        }));
    }
    slices.retain(|slice| !slice.points.is_empty());
    slices
}

/// Steps of days have no hours.
pub(crate) fn has_hours(grid: &Grid) -> bool {
    matches!(grid.frequency(), Frequency::Minutes(_))
}

/// From the first hour to the last, past midnight if the last is the smaller.
fn within(hour: u8, first: u8, last: u8) -> bool {
    let inside: RangeInclusive<u8> = first..=last;
    if first <= last { inside.contains(&hour) } else { hour >= first || hour <= last }
}

/// When a row's step begins, as people there say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) hour: u8,
    /// 0 is Monday.
    pub(crate) weekday: u8,
}

impl Clock {
    pub(crate) fn of(step: Timestamp, grid: &Grid) -> Self {
        let local = grid.local(step);
        Self {
            hour: local.hour().unsigned_abs(),
            weekday: local.weekday().to_monday_zero_offset().unsigned_abs(),
        }
    }

    pub(crate) fn is_weekend(self) -> bool {
        self.weekday >= 5
    }
}

/// One per row. All series share the steps of an origin, so each is looked up once.
fn clocks(rows: &RowSet<'_>) -> Vec<Clock> {
    let grid = &rows.frame().grid;
    let mut known = BTreeMap::new();
    let mut clock = |target| *known.entry(target).or_insert_with(|| Clock::of(target, grid));
    rows.rows().iter().map(|row| clock(row.target)).collect()
}

fn points(clocks: &[Clock], is_in: impl Fn(Clock) -> bool) -> Vec<u32> {
    let all = (0_u32..).zip(clocks);
    all.filter(|(_, clock)| is_in(**clock)).map(|(point, _)| point).collect()
}

fn of_series(rows: &RowSet<'_>) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    let mut last: Option<&SeriesId> = None;
    for (point, row) in (0_u32..).zip(rows.rows()) {
        let id = rows.series_of(row);
        if last != Some(id) {
            slices.push(Slice { name: SliceName::Series(id.clone()), points: Vec::new() });
            last = Some(id);
        }
        if let Some(slice) = slices.last_mut() {
            slice.points.push(point);
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        evaluation::holdout_origins,
        examples::{grid, history, start},
    };

    /// Ten days from a Monday on, from the third day on.
    fn with_rows(check: impl Fn(&RowSet<'_>)) {
        let frame = history(10);
        let cut_off = grid().advance(grid().start_of_day(start(), 2), -1);
        let last = frame.last_target().expect("has values");
        let origins = holdout_origins(&frame.grid, cut_off, SignedDuration::ZERO, last, 24);
        check(&RowSet::new(&frame, origins, 24, SignedDuration::ZERO));
    }

    fn sizes(slices: &[Slice]) -> Vec<(String, usize)> {
        slices.iter().map(|slice| (slice.name.to_string(), slice.points.len())).collect()
    }

    #[test]
    fn slices_follow_the_clock_of_the_dataset() {
        with_rows(|rows| {
            let policy = SlicePolicy { series: true, weekend: true, peak_hours: Some([22, 1]) };
            let slices = declared(rows, &policy);
            let expected = [
                ("series arcade", 8 * 24),
                ("series bridge", 8 * 24),
                ("series court", 8 * 24),
                ("weekends", 3 * 2 * 24),
                ("peak hours", 3 * 8 * 4),
            ];
            assert_eq!(sizes(&slices), expected.map(|(name, points)| (name.to_owned(), points)));
            let local = |point: &u32| rows.frame().grid.local(rows.rows()[*point as usize].target);
            assert!(slices[3].points.iter().all(|point| local(point).weekday().to_monday_zero_offset() > 4));
            assert!(slices[4].points.iter().all(|point| [22, 23, 0, 1].contains(&local(point).hour())));
        });
    }

    #[test]
    fn nothing_is_declared_by_default_and_everything_is_searched() {
        with_rows(|rows| {
            assert_eq!(declared(rows, &SlicePolicy::default()), []);
            let names: Vec<String> = sizes(&searched(rows)).into_iter().map(|(name, _)| name).collect();
            let expected = [
                "series arcade",
                "series bridge",
                "series court",
                "weekends",
                "hours 0 to 2",
                "hours 3 to 5",
                "hours 6 to 8",
                "hours 9 to 11",
                "hours 12 to 14",
                "hours 15 to 17",
                "hours 18 to 20",
                "hours 21 to 23",
            ];
            assert_eq!(names, expected);
        });
    }

    #[test]
    fn hours_may_reach_past_midnight() {
        let hours = |first, last| (0..24).filter(|&hour| within(hour, first, last)).collect::<Vec<u8>>();
        assert_eq!(hours(7, 9), [7, 8, 9]);
        assert_eq!(hours(22, 1), [0, 1, 22, 23]);
        assert_eq!(hours(5, 5), [5]);
    }
}
