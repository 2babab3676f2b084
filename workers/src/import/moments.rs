//! From text to instants.

use std::collections::HashSet;

use forecasting::series::{Frequency, Grid};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{DaylightSavingRepairs, OnDaylightSaving};

/// Reads time stamps, with an offset or as the wall clock of one zone shows them.
#[derive(Debug)]
pub(super) struct Clock {
    naive_zone: Option<TimeZone>,
    on_daylight_saving: OnDaylightSaving,
    /// Steps are days: a time stamp at midnight means the day, even one that begins at 01:00.
    by_day: bool,
    latest: Timestamp,
    /// Repeated local times that were read once already, by series.
    repeated: HashSet<(usize, DateTime)>,
    pub(super) repairs: DaylightSavingRepairs,
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
            latest: now.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX),
            repeated: HashSet::new(),
            repairs: DaylightSavingRepairs::default(),
        }
    }

    /// The instant, or `None` if the row is to be left out; the error says what is wrong with the text.
    ///
    /// `series`: tells series apart.
    pub(super) fn read(&mut self, text: &str, series: usize) -> Result<Option<Timestamp>, String> {
        check_shape(text)?;
        let instant = if has_offset(text) {
            Some(text.parse::<Timestamp>().map_err(|_| NO_TIME)?)
        } else {
            self.read_naive(text, series)?
        };
        match instant {
            Some(instant) => self.check_range(instant).map(Some),
            None => Ok(None),
        }
    }

    fn read_naive(&mut self, text: &str, series: usize) -> Result<Option<Timestamp>, String> {
        let local: DateTime = match text.len() {
            10 => text.parse::<Date>().map_err(|_| NO_TIME)?.into(),
            _ => text.parse().map_err(|_| NO_TIME)?,
        };
        let zone = self.naive_zone.as_ref().ok_or(NO_OFFSET)?;
        if text.len() == 10 || (self.by_day && local.time() == Time::midnight()) {
            let midnight = local.date().to_zoned(zone.clone()).and_then(|day| day.start_of_day());
            return midnight.map(|start| Some(start.timestamp())).map_err(|_| NO_TIME.to_owned());
        }
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

    fn check_range(&self, instant: Timestamp) -> Result<Timestamp, String> {
        if !is_within_years(instant) {
            return Err(OUTSIDE_YEARS.to_owned());
        }
        if instant > self.latest {
            return Err(format!("lies in the future: the latest possible is {}", self.latest));
        }
        Ok(instant)
    }
}

/// What is wrong where [`is_within_years`] says no.
pub(crate) const OUTSIDE_YEARS: &str = "lies outside the years 1900 to 2200";

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

/// Epoch seconds and milliseconds look alike to a program that guesses, and are 50,000 years apart.
fn describe_number(text: &str) -> String {
    let number = text.parse::<i64>().ok();
    let seconds = number.and_then(|number| Timestamp::from_second(number).ok());
    let milliseconds = number.and_then(|number| Timestamp::from_millisecond(number).ok());
    let plausible = |unit, at: Option<Timestamp>| {
        let at = at.filter(|at| (FIRST_SECOND..END_SECOND).contains(&at.as_second()))?;
        Some(format!("is a number; if it counts {unit} since 1970, write {at}"))
    };
    let guess =
        if text.len() > 11 { plausible("milliseconds", milliseconds) } else { plausible("seconds", seconds) };
    guess.unwrap_or_else(|| NO_TIME.to_owned())
}
