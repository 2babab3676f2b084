//! From text to instants.

use std::collections::HashSet;

use forecasting::series::{Frequency, Grid};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{
    DaylightSavingRepairs, OnDaylightSaving,
    look::{LENIENT, Written, offset_seconds},
};

/// Reads time stamps, with an offset or as the wall clock of one zone shows them.
#[derive(Debug)]
pub(super) struct Clock {
    naive_zone: Option<TimeZone>,
    on_daylight_saving: OnDaylightSaving,
    /// Steps are days: a time stamp at midnight means the day, even one that begins at 01:00.
    by_day: bool,
    now: Timestamp,
    /// Repeated local times that were read once already, by series.
    repeated: HashSet<(usize, DateTime)>,
    pub(super) repairs: DaylightSavingRepairs,
    /// Set where the offsets are to be looked at.
    pub(super) written: Option<Written>,
}

const NO_TIME: &str = "is not a time such as 2025-01-31T13:00:00+01:00 or 2025-01-31T12:00:00Z";
const NO_OFFSET: &str = "has no offset; --tz says in which zone it is (none: a plain grid in UTC)";

impl Clock {
    pub(super) fn new(
        grid: &Grid,
        naive_zone: Option<TimeZone>,
        on_daylight_saving: OnDaylightSaving,
        now: Timestamp,
    ) -> Self {
        Self {
            naive_zone,
            on_daylight_saving,
            by_day: matches!(grid.frequency(), Frequency::Days(_)),
            now,
            repeated: HashSet::new(),
            repairs: DaylightSavingRepairs::default(),
            written: None,
        }
    }

    /// One that notes how time stamps are written, for a file whose grid is not known yet.
    pub(super) fn looking(naive_zone: TimeZone, now: Timestamp) -> Self {
        let grid = Grid::new(Frequency::Minutes(1), "UTC").expect("UTC is known");
        Self { written: Some(Written::default()), ..Self::new(&grid, Some(naive_zone), LENIENT, now) }
    }

    /// Whether a text is a time, with an offset or without.
    pub(super) fn is_time(text: &str) -> bool {
        let parsed = if has_offset(text) {
            text.parse::<Timestamp>().is_ok()
        } else {
            text.parse::<DateTime>().is_ok()
        };
        parsed && check_shape(text).is_ok()
    }

    /// The instant, or `None` if the row is to be left out; the error says what is wrong with the text.
    ///
    /// `series`: tells series apart.
    pub(super) fn read(&mut self, text: &str, series: usize) -> Result<Option<Timestamp>, String> {
        check_shape(text)?;
        if has_offset(text) {
            let instant = text.parse().map_err(|_| NO_TIME)?;
            if let Some(written) = &mut self.written {
                written.note(instant, offset_seconds(text).unwrap_or_default());
            }
            return check_years(instant);
        }
        match text.len() {
            10 => self.read_day(text.parse().map_err(|_| NO_TIME)?),
            _ => self.read_local(text.parse().map_err(|_| NO_TIME)?, series),
        }
    }

    /// An instant that a file holds as such.
    pub(super) fn read_instant(&mut self, instant: Timestamp) -> Result<Option<Timestamp>, String> {
        if let Some(written) = &mut self.written {
            written.note(instant, 0);
        }
        check_years(instant)
    }

    /// The start of a day of the zone.
    pub(super) fn read_day(&mut self, day: Date) -> Result<Option<Timestamp>, String> {
        if let Some(written) = &mut self.written {
            written.without = true;
        }
        let zone = self.naive_zone.as_ref().ok_or(NO_OFFSET)?;
        let start = day.to_zoned(zone.clone()).and_then(|day| day.start_of_day()).map_err(|_| NO_TIME)?;
        check_years(start.timestamp())
    }

    /// As [`read`](Self::read), for what a wall clock of the zone shows.
    pub(super) fn read_local(&mut self, local: DateTime, series: usize) -> Result<Option<Timestamp>, String> {
        if let Some(written) = &mut self.written {
            written.without = true;
        }
        if self.by_day && local.time() == Time::midnight() {
            return self.read_day(local.date());
        }
        match self.resolve(local, series)? {
            Some(instant) => check_years(instant),
            None => Ok(None),
        }
    }

    fn resolve(&mut self, local: DateTime, series: usize) -> Result<Option<Timestamp>, String> {
        let zone = self.naive_zone.as_ref().ok_or(NO_OFFSET)?;
        let ambiguous = zone.to_ambiguous_timestamp(local);
        match (ambiguous.offset(), self.on_daylight_saving) {
            (AmbiguousOffset::Unambiguous { .. }, _) => {
                ambiguous.unambiguous().map(Some).map_err(|_| NO_TIME.to_owned())
            }
            (AmbiguousOffset::Gap { .. }, OnDaylightSaving::Error) => {
                Err("does not exist: the clock skips it (--dst drop or shift)".to_owned())
            }
            (AmbiguousOffset::Fold { .. }, OnDaylightSaving::Error) => {
                Err("exists twice: the clock repeats it (--dst drop or shift, or write the offset)"
                    .to_owned())
            }
            (_, OnDaylightSaving::Drop) => {
                self.repairs.dropped += 1;
                Ok(None)
            }
            (_, OnDaylightSaving::Shift) => {
                self.repairs.shifted += 1;
                let is_first = self.repeated.insert((series, local));
                let shifted = if is_first { ambiguous.compatible() } else { ambiguous.later() };
                shifted.map(Some).map_err(|_| NO_TIME.to_owned())
            }
        }
    }

    /// Whether it is for a file that nobody has described: which of its columns are covariates is not known yet.
    pub(super) fn is_looking(&self) -> bool {
        self.written.is_some()
    }

    /// Refuses an instant that is too far ahead for a row with a value, or for one without.
    pub(super) fn check_ahead(&self, instant: Timestamp, has_value: bool) -> Result<(), String> {
        let ahead = if has_value { VALUES_AHEAD } else { COVARIATES_AHEAD };
        let latest = self.now.checked_add(ahead).unwrap_or(Timestamp::MAX);
        if instant <= latest {
            return Ok(());
        }
        Err(format!("lies in the future: the latest possible is {latest}"))
    }
}

/// The clock of whoever counted may be of another zone.
const VALUES_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// What is known in advance is known as far as forecasts reach: five years.
const COVARIATES_AHEAD: SignedDuration = SignedDuration::from_hours(24 * (5 * 365 + 2));

/// What is wrong where [`is_within_years`] says no.
pub(crate) const OUTSIDE_YEARS: &str = "lies outside the years 1900 to 2200";

fn check_years(instant: Timestamp) -> Result<Option<Timestamp>, String> {
    if is_within_years(instant) { Ok(Some(instant)) } else { Err(OUTSIDE_YEARS.to_owned()) }
}

/// Whether an observation may have this time stamp, however it arrives.
pub(crate) fn is_within_years(ds: Timestamp) -> bool {
    (FIRST_SECOND..END_SECOND).contains(&ds.as_second())
}

/// 1900-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -2_208_988_800;
/// 2201-01-01T00:00:00Z.
const END_SECOND: i64 = 7_289_654_400;

fn has_offset(text: &str) -> bool {
    text.bytes().skip(10).any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))
}

/// Refuses what would otherwise be read as something else.
fn check_shape(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(describe_number(text));
    }
    // jiff reads second 60 as 59, which would be a silent repair.
    if text.as_bytes().get(16) == Some(&b':') && text.get(17..19) == Some("60") {
        return Err("has a second 60".to_owned());
    }
    Ok(())
}

/// Epoch seconds and their fractions look alike to a program that guesses, and are ages apart.
fn describe_number(text: &str) -> String {
    let Ok(number) = text.parse::<i64>() else { return NO_TIME.to_owned() };
    let (unit, at) = match text.len() {
        ..12 => ("seconds", Timestamp::from_second(number)),
        12..15 => ("milliseconds", Timestamp::from_millisecond(number)),
        15..18 => ("microseconds", Timestamp::from_microsecond(number)),
        _ => ("nanoseconds", Timestamp::from_nanosecond(number.into())),
    };
    match at {
        Ok(at) if is_within_years(at) => {
            format!("is a number; if it counts {unit} since 1970, write {at}")
        }
        _ => NO_TIME.to_owned(),
    }
}
