//! The holidays of a place, by local date.

use std::ops::Range;

use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{bounded::at_most, names::HolidayName};

/// The holidays of a place over a span of days. Days outside the span are not ordinary days: nothing is known
/// of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HolidayCalendar {
    /// Days since 1970-01-01, as all days here.
    first_day: i32,
    last_day: i32,
    /// In ascending order, each once.
    #[serde(deserialize_with = "at_most::<MOST_NAMES, _, _>")]
    names: Vec<HolidayName>,
    /// In ascending order of days. Of several holidays on a day, the first is what the day is called.
    #[serde(deserialize_with = "at_most::<MOST_DAYS, _, _>")]
    days: Vec<HolidayDay>,
}

/// A holiday of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HolidayDay {
    pub(crate) day: i32,
    /// Place in the names.
    pub(crate) name: u16,
    /// Free in the place of the holiday, which was on a weekend, say.
    pub(crate) observed: bool,
}

/// Days that cannot be a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCalendar {
    /// The span ends before it begins.
    #[error("holidays from {first} to {last}: no day is covered")]
    Nothing {
        /// First day of the span.
        first: Date,
        /// Last day of the span.
        last: Date,
    },
    /// A holiday lies outside the span.
    #[error("holiday {name} on {date}: is not from {first} to {last}")]
    Outside {
        /// Which holiday.
        name: HolidayName,
        /// When.
        date: Date,
        /// First day of the span.
        first: Date,
        /// Last day of the span.
        last: Date,
    },
    /// More than any place has.
    #[error("{days} holidays with {names} names; at most {MOST_DAYS} with {MOST_NAMES} names are possible")]
    TooMany {
        /// How many holidays.
        days: usize,
        /// How many names.
        names: usize,
    },
}

const MOST_NAMES: usize = 1000;
const MOST_DAYS: usize = 20_000;
/// About eight thousand years from 1970.
const FURTHEST_DAY: i32 = 2_900_000;
/// What marks the name of a holiday on a day in its place.
const OBSERVED: &str = " (observed)";
/// The same holiday of the year before lies this many days back: one on the fourth Thursday of a month, or after
/// the moon, moves by weeks.
const YEAR_BEFORE: Range<i64> = 183..401;

impl HolidayCalendar {
    /// How many days back a forecast looks for the same holiday of the year before.
    pub(crate) const YEAR_BACK_DAYS: i64 = YEAR_BEFORE.end;

    /// The holidays from `first` to `last`, in any order; a day that is free in the place of a holiday has its
    /// name with ` (observed)` behind it.
    pub fn new(
        first: Date,
        last: Date,
        holidays: impl IntoIterator<Item = (Date, HolidayName)>,
    ) -> Result<Self, InvalidCalendar> {
        if last < first {
            return Err(InvalidCalendar::Nothing { first, last });
        }
        let mut marked = Vec::new();
        for (date, name) in holidays {
            if !(first..=last).contains(&date) {
                return Err(InvalidCalendar::Outside { name, date, first, last });
            }
            let plain = name.as_str().strip_suffix(OBSERVED).and_then(|plain| HolidayName::new(plain).ok());
            let observed = plain.is_some();
            marked.push((date, plain.unwrap_or(name), observed));
        }
        let mut names: Vec<HolidayName> = marked.iter().map(|(_, name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        if marked.len() > MOST_DAYS || names.len() > MOST_NAMES {
            return Err(InvalidCalendar::TooMany { days: marked.len(), names: names.len() });
        }
        // A stable sort: what the table names first is what the day is called.
        marked.sort_by_key(|(date, _, observed)| (*date, *observed));
        let days = marked.into_iter().map(|(date, name, observed)| {
            let place = names.binary_search(&name).expect("was just put there");
            let name = u16::try_from(place).expect("there are at most 1,000");
            HolidayDay { day: days_since_epoch(date), name, observed }
        });
        let days = days.collect();
        Ok(Self { first_day: days_since_epoch(first), last_day: days_since_epoch(last), names, days })
    }

    /// The first and the last day that the calendar knows about.
    pub fn span(&self) -> (Date, Date) {
        (date(self.first_day), date(self.last_day))
    }

    /// The holidays of a day, and whether each is free in the place of the holiday.
    pub fn on(&self, date: Date) -> impl Iterator<Item = (&HolidayName, bool)> {
        let days = self.within(days_since_epoch(date).into(), days_since_epoch(date).into());
        days.iter().map(|holiday| (&self.names[usize::from(holiday.name)], holiday.observed))
    }

    /// The place of a name that any of its holidays has.
    pub(crate) fn place(&self, name: &HolidayName) -> Option<u16> {
        self.names.binary_search(name).ok().and_then(|place| u16::try_from(place).ok())
    }

    /// Whether anything is known about a day.
    pub(crate) fn covers(&self, day: i64) -> bool {
        (i64::from(self.first_day)..=i64::from(self.last_day)).contains(&day)
    }

    /// The holidays from one day to another, both included.
    pub(crate) fn within(&self, from: i64, to: i64) -> &[HolidayDay] {
        let begin = self.days.partition_point(|holiday| i64::from(holiday.day) < from);
        let len = self.days[begin..].partition_point(|holiday| i64::from(holiday.day) <= to);
        &self.days[begin..begin + len]
    }

    /// What a day is called, if it is a holiday.
    pub(crate) fn holiday(&self, day: i64) -> Option<HolidayDay> {
        self.within(day, day).first().copied()
    }

    /// The day of the same holiday of the year before.
    pub(crate) fn year_before(&self, holiday: HolidayDay) -> Option<i64> {
        let day = i64::from(holiday.day);
        let earlier = self.within(day - YEAR_BEFORE.end + 1, day - YEAR_BEFORE.start);
        let same = earlier.iter().rev().find(|other| other.name == holiday.name && !other.observed);
        same.map(|same| same.day.into())
    }

    /// The same calendar but for one day, which is the holiday whose name has a place, or none.
    pub(crate) fn with_day(&self, day: i64, name: Option<u16>) -> Self {
        let begin = self.days.partition_point(|holiday| i64::from(holiday.day) < day);
        let end = begin + self.within(day, day).len();
        let then = i32::try_from(day).ok().zip(name);
        let mut changed = self.clone();
        drop(
            changed
                .days
                .splice(begin..end, then.map(|(day, name)| HolidayDay { day, name, observed: false })),
        );
        changed
    }

    /// Checks what looking days up relies on.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let (first, last) = (self.first_day, self.last_day);
        if !(-FURTHEST_DAY <= first && first <= last && last <= FURTHEST_DAY) {
            return Err("the span of holidays lies outside of time");
        }
        if !self.days.is_sorted_by_key(|holiday| holiday.day) {
            return Err("holidays must be in ascending order");
        }
        let ends = [self.days.first(), self.days.last()];
        if ends.into_iter().flatten().any(|holiday| !(first..=last).contains(&holiday.day)) {
            return Err("a holiday lies outside its span");
        }
        if !self.names.is_sorted_by(|one, next| one < next) {
            return Err("names of holidays must be in ascending order, each once");
        }
        if self.days.iter().any(|holiday| usize::from(holiday.name) >= self.names.len()) {
            return Err("a holiday without a name");
        }
        Ok(())
    }
}

/// Days since 1970-01-01.
pub(crate) fn days_since_epoch(date: Date) -> i32 {
    (date - Date::constant(1970, 1, 1)).get_days()
}

fn date(day: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(day.days())
}
