//! The wall clock of consecutive steps.

use jiff::{SignedDuration, Timestamp};

use crate::{
    holidays::days_since_epoch,
    series::{Frequency, Grid},
};

/// Minutes in a day of 24 hours.
pub(crate) const DAY: i64 = 1440;
/// Minutes in a week of 168 hours.
pub(crate) const WEEK: i64 = 7 * DAY;

/// The wall clock of consecutive steps of a grid: which hour and day each is, and which step showed the
/// same wall-clock time days or weeks ago.
///
/// Lags follow the **local wall clock**, not elapsed steps: demand at 08:00 resembles demand at 08:00 a
/// week ago also across a clock change, when 167 or 169 hours lie between. A wall-clock time that the
/// clock skipped has no step (a missing value); of one that it repeated, either of the two is found.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Minutes since 1970-01-01T00:00 on the local wall clock, one per step.
    wall_clock: Vec<i64>,
    step_minutes: i64,
}

impl Calendar {
    /// The calendar of `len` steps from `start` on.
    pub fn new(grid: &Grid, start: Timestamp, len: usize) -> Self {
        match grid.frequency() {
            Frequency::Minutes(minutes) => {
                Self { wall_clock: wall_clock_minutes(grid, start, len), step_minutes: minutes.into() }
            }
            Frequency::Days(days) => {
                let first_day = i64::from(days_since_epoch(grid.local(start).date()));
                let step_minutes = i64::from(days) * DAY;
                let wall_clock = (0..).map(|step| first_day * DAY + step * step_minutes).take(len).collect();
                Self { wall_clock, step_minutes }
            }
        }
    }

    /// Number of steps that the calendar covers.
    pub fn len(&self) -> usize {
        self.wall_clock.len()
    }

    /// Whether the calendar covers no step.
    pub fn is_empty(&self) -> bool {
        self.wall_clock.is_empty()
    }

    /// Minutes between two steps where no clock is changed.
    pub fn step_minutes(&self) -> i64 {
        self.step_minutes
    }

    /// Days since 1970-01-01.
    pub fn day(&self, step: usize) -> i64 {
        self.wall_clock[step].div_euclid(DAY)
    }

    /// Minutes since local midnight.
    pub fn minute_of_day(&self, step: usize) -> i64 {
        self.wall_clock[step].rem_euclid(DAY)
    }

    /// Monday is 0, Sunday is 6.
    pub fn day_of_week(&self, step: usize) -> i64 {
        day_of_week(self.day(step))
    }

    /// Saturday or Sunday.
    pub fn is_weekend(&self, step: usize) -> bool {
        is_weekend(self.day(step))
    }

    /// How much of the (mean solar) year has passed, 0 to 1; the same date drifts by under a day.
    pub fn share_of_year(&self, step: usize) -> f64 {
        const YEAR_MINUTES: f64 = 365.2425 * 1440.0;
        (self.wall_clock[step] as f64 / YEAR_MINUTES).rem_euclid(1.0)
    }

    /// The steps with the same wall-clock time as `target` before `origin`, `every_minutes` (a day or a
    /// week) apart, newest first; `None` where the clock skipped the time, and before the first step.
    /// At the edge of a clock change the first may not lie before the origin.
    pub fn newest_same_times(
        &self,
        target: usize,
        origin: usize,
        every_minutes: i64,
    ) -> impl Iterator<Item = Option<usize>> {
        let first = self.newest_before(target, origin, every_minutes);
        (first..).map(move |times| self.back(target, times * every_minutes))
    }

    /// How many times `every_minutes` lie between `target` and the newest same time before `origin`.
    pub fn newest_before(&self, target: usize, origin: usize, every_minutes: i64) -> i64 {
        let ahead_steps = i64::try_from(target - origin).expect("a series is shorter than 2^63 steps");
        ahead_steps * self.step_minutes / every_minutes + 1
    }

    /// The step whose wall clock showed the time of `step` `minutes` ago; `None` before the first step of
    /// the calendar, and where the clock skipped that time.
    pub fn back(&self, step: usize, minutes: i64) -> Option<usize> {
        let wanted = self.wall_clock[step] - minutes;
        let guess = i64::try_from(step).ok()? - minutes.div_euclid(self.step_minutes);
        // A clock change in between moves the guess by the change, usually an hour.
        let guessed_clock = *self.wall_clock.get(usize::try_from(guess).ok()?)?;
        let found = guess + (wanted - guessed_clock).div_euclid(self.step_minutes);
        let found = usize::try_from(found).ok()?;
        // Where a change is half a step (Lord Howe), the step that holds the wanted time will do.
        let off = wanted - self.wall_clock.get(found)?;
        (off.abs() < self.step_minutes).then_some(found)
    }
}

/// Of a day since 1970-01-01: Monday is 0, Sunday is 6.
fn day_of_week(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7)
}

/// Saturday or Sunday.
pub(super) fn is_weekend(day: i64) -> bool {
    day_of_week(day) >= 5
}

/// One look at the time-zone rules per clock change, not per step.
fn wall_clock_minutes(grid: &Grid, start: Timestamp, len: usize) -> Vec<i64> {
    let zone = grid.time_zone();
    let mut minutes = Vec::with_capacity(len);
    while minutes.len() < len {
        let from = grid.advance(start, as_steps(minutes.len()));
        let offset = i64::from(zone.to_offset(from).seconds());
        // Steps before the next change of the clock; the step at the change has the new offset already.
        let steps = match zone.following(from).next() {
            Some(change) => grid.steps_up_to(from, change.timestamp() - SignedDuration::from_nanos(1)) + 1,
            None => i64::MAX,
        };
        let steps = usize::try_from(steps).unwrap_or(usize::MAX).min(len - minutes.len());
        let step_minutes = grid.frequency().nominal().as_mins();
        let first = (from.as_second() + offset).div_euclid(60);
        minutes.extend((0..).map(|step| first + step * step_minutes).take(steps));
    }
    minutes
}

fn as_steps(count: usize) -> i64 {
    i64::try_from(count).expect("a series is shorter than 2^63 steps")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("tests write time stamps")
    }

    fn calendar(frequency: &str, zone: &str, start: &str, len: usize) -> (Grid, Calendar) {
        let grid = Grid::new(frequency.parse().expect("is a frequency"), zone).expect("is a zone");
        let calendar = Calendar::new(&grid, at(start), len);
        (grid, calendar)
    }

    /// The step at a time stamp.
    fn step(grid: &Grid, start: &str, time: &str) -> usize {
        usize::try_from(grid.steps_between(at(start), at(time)).expect("is on the grid")).expect("is later")
    }

    #[test]
    fn every_step_shows_the_wall_clock_of_its_zone() {
        let zones = ["UTC", "Europe/Berlin", "Pacific/Auckland", "Australia/Lord_Howe", "America/Sao_Paulo"];
        for (zone, frequency) in
            zones.iter().flat_map(|zone| [(zone, "PT15M"), (zone, "PT1H"), (zone, "P1D")])
        {
            let grid = Grid::new(frequency.parse().expect("is a frequency"), zone).expect("is a zone");
            let start = grid.start_of_day(at("2018-01-05T12:00:00Z"), 0);
            let calendar = Calendar::new(&grid, start, 3000);
            for step in 0..calendar.len() {
                let local = grid.local(grid.advance(start, as_steps(step)));
                let clock = i64::from(local.hour()) * 60 + i64::from(local.minute());
                // A day is a day, even where its first instant is 01:00.
                let clock = if frequency == "P1D" { 0 } else { clock };
                let weekday = i64::from(local.weekday().to_monday_zero_offset());
                let shown = (calendar.minute_of_day(step), calendar.day_of_week(step));
                assert_eq!(shown, (clock, weekday), "{zone} {frequency} {local}");
            }
        }
    }

    #[test]
    fn lags_follow_the_wall_clock_across_a_clock_change() {
        let start = "2025-03-20T00:00:00+01:00";
        let (grid, berlin) = calendar("PT1H", "Europe/Berlin", start, 600);
        // Clocks went forward on 2025-03-30.
        let monday = step(&grid, start, "2025-03-31T08:00:00+02:00");
        assert_eq!(berlin.back(monday, WEEK), Some(step(&grid, start, "2025-03-24T08:00:00+01:00")));
        assert_eq!(berlin.back(monday, DAY), Some(step(&grid, start, "2025-03-30T08:00:00+02:00")));
        let skipped = step(&grid, start, "2025-03-31T02:00:00+02:00");
        assert_eq!(berlin.back(skipped, DAY), None, "02:00 did not exist on the 30th");
        assert_eq!(
            berlin.back(step(&grid, start, "2025-03-20T08:00:00+01:00"), DAY),
            None,
            "before the first"
        );
    }

    #[test]
    fn a_repeated_hour_is_found_once() {
        let start = "2025-10-20T00:00:00+02:00";
        let (grid, berlin) = calendar("PT1H", "Europe/Berlin", start, 400);
        let after = step(&grid, start, "2025-10-27T02:00:00+01:00");
        let found = berlin.back(after, DAY).expect("02:00 was there twice");
        let either = ["2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"];
        assert!(either.map(|time| step(&grid, start, time)).contains(&found));
    }

    #[test]
    fn a_clock_change_of_half_a_step_finds_the_step_that_holds_the_time() {
        let start = "2025-04-01T00:00:00+11:00";
        let (_, lord_howe) = calendar("PT1H", "Australia/Lord_Howe", start, 400);
        // Clocks went back by half an hour on 2025-04-06.
        let later = 24 * 10;
        let found = lord_howe.back(later, WEEK).expect("was there");
        let off = lord_howe.minute_of_day(later) - lord_howe.minute_of_day(found);
        assert_eq!(off.abs(), 30);
    }

    #[test]
    fn the_newest_same_time_lies_before_the_origin() {
        let (_, utc) = calendar("PT1H", "UTC", "2025-01-01T00:00:00Z", 24 * 40);
        let origin = 24 * 20;
        for (ahead, days, weeks) in [(0, 1, 1), (23, 1, 1), (24, 2, 1), (167, 7, 1), (168, 8, 2)] {
            let newest = |every| utc.newest_same_times(origin + ahead, origin, every).next().flatten();
            assert_eq!(newest(DAY), Some(origin + ahead - 24 * days), "{ahead} h ahead");
            assert_eq!(newest(WEEK), Some(origin + ahead - 168 * weeks), "{ahead} h ahead");
        }
    }
}
