//! What a learner sees of holidays.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::calendar::{DAY, is_weekend};
use crate::{
    holidays::{HolidayCalendar, HolidayDay},
    names::HolidayName,
};

/// A feature of the holidays around a target. Missing where the calendar of holidays knows nothing about the day.
///
/// The order is part of the artifact format: a new feature comes last, and none is ever removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HolidayFeature {
    /// How many days of a step this many days after (before, if negative) the target are holidays: 0 or 1 where
    /// a step is not longer than a day.
    OnDay(i8),
    /// Which holiday it is, as the place of its name in the calendar; missing on other days.
    Name,
    /// Working day 0, bridge day 1, weekend 2, day in the place of a holiday 3, holiday 4.
    KindOfDay,
    /// 1 on a working day between a holiday and another day off, 0 elsewhere.
    BridgeDay,
    /// Days to the next holiday, at most 14; 0 on a holiday.
    DaysToNext,
    /// Days since the last holiday, at most 14; 0 on a holiday.
    DaysSinceLast,
    /// Days to the next holiday of this name, at most 28.
    DaysTo(HolidayName),
    /// Days since the last holiday of this name, at most 28.
    DaysSince(HolidayName),
    /// [`OnDay`](Self::OnDay) 0 of the target's time in the n-th newest known week (0 = newest): what the value
    /// of that week is worth.
    OnSameTimeOfWeek(u8),
    /// The share of holidays among the newest four weeks at the target's time of the week.
    InProfile,
    /// The share of holidays in the span of the recent level.
    InLevel,
    /// Amount: the value at the same time on the same holiday of the year before, or as many days from it.
    SameLastYear,
    /// That value divided by the mean of the four weeks before it at the same time of the week: a line needs it
    /// more than trees do.
    SameLastYearOverProfile,
}

/// Further away is far away.
const FAR_DAYS: i64 = 14;
/// From a named holiday.
const FAR_FROM_NAMED_DAYS: i64 = 28;
/// How many days from a holiday are still like it.
const NEAR_DAYS: i64 = 3;
/// In minutes: of shorter steps, forecasters would hold a year of every series for a few days of it.
const SHORTEST_STEP_OF_A_YEAR: i64 = 15;
/// The holiday whose season is longer than others'.
const MAIN: &str = "Christmas Day";

impl HolidayFeature {
    /// Those for steps of a length; of longer ones than a day, only how many holidays lie in them.
    pub(super) fn all(holidays: &HolidayCalendar, step_minutes: i64, knows_year: bool) -> Vec<Self> {
        let mut features = vec![Self::OnDay(0), Self::OnSameTimeOfWeek(0), Self::InProfile, Self::InLevel];
        if step_minutes > DAY {
            return features;
        }
        features.extend([-1, 1].map(Self::OnDay));
        features.extend([
            Self::Name,
            Self::KindOfDay,
            Self::BridgeDay,
            Self::DaysToNext,
            Self::DaysSinceLast,
        ]);
        let main = HolidayName::new(MAIN).expect("is a name");
        if holidays.place(&main).is_some() {
            features.extend([Self::DaysTo(main.clone()), Self::DaysSince(main)]);
        }
        if knows_year && step_minutes >= SHORTEST_STEP_OF_A_YEAR {
            features.extend([Self::SameLastYear, Self::SameLastYearOverProfile]);
        }
        features
    }

    /// How many days before the origin the feature looks at, if that is further than the profile; else 0.
    pub(super) fn reach_days(&self) -> i64 {
        match self {
            // And a day for clock changes.
            Self::SameLastYear => HolidayCalendar::YEAR_BACK_DAYS + NEAR_DAYS + 1,
            Self::SameLastYearOverProfile => Self::SameLastYear.reach_days() + 4 * 7,
            _ => 0,
        }
    }

    /// The feature of a target whose step begins on a day, if the calendar is all that it needs.
    pub(super) fn on(&self, day: i64, holidays: &HolidayCalendar, step_minutes: i64) -> f64 {
        let days = Days { holidays };
        match self {
            Self::OnDay(after) => days.in_step(day + i64::from(*after), step_minutes),
            _ if !holidays.covers(day) => f64::NAN,
            Self::Name => holidays.holiday(day).map_or(f64::NAN, |holiday| holiday.name.into()),
            Self::KindOfDay => days.kind(day),
            Self::BridgeDay => f64::from(u8::from(days.is_bridge(day))),
            Self::DaysToNext => days.to_next(day, FAR_DAYS, |_| true),
            Self::DaysSinceLast => days.since_last(day, FAR_DAYS, |_| true),
            Self::DaysTo(name) => {
                let place = holidays.place(name);
                days.to_next(day, FAR_FROM_NAMED_DAYS, |holiday| Some(holiday.name) == place)
            }
            Self::DaysSince(name) => {
                let place = holidays.place(name);
                days.since_last(day, FAR_FROM_NAMED_DAYS, |holiday| Some(holiday.name) == place)
            }
            _ => f64::NAN,
        }
    }

    /// The holiday nearest to a day, and how many days after it the day is; `None` if none is near.
    pub(super) fn nearest(day: i64, holidays: &HolidayCalendar) -> Option<(HolidayDay, i64)> {
        let near = holidays.within(day - NEAR_DAYS, day + NEAR_DAYS).iter();
        let near = near.map(|holiday| (*holiday, day - i64::from(holiday.day)));
        near.min_by_key(|(_, days_after)| days_after.abs())
    }
}

/// The days of a calendar of holidays.
struct Days<'a> {
    holidays: &'a HolidayCalendar,
}

impl Days<'_> {
    fn in_step(&self, day: i64, step_minutes: i64) -> f64 {
        let last = day + (step_minutes / DAY).max(1) - 1;
        if !(self.holidays.covers(day) && self.holidays.covers(last)) {
            return f64::NAN;
        }
        let days = self.holidays.within(day, last);
        days.chunk_by(|one, next| one.day == next.day).count() as f64
    }

    fn kind(&self, day: i64) -> f64 {
        match self.holidays.holiday(day) {
            Some(holiday) if holiday.observed => 3.0,
            Some(_) => 4.0,
            None if is_weekend(day) => 2.0,
            None if self.is_bridge(day) => 1.0,
            None => 0.0,
        }
    }

    fn is_bridge(&self, day: i64) -> bool {
        let is_holiday = |day| self.holidays.holiday(day).is_some();
        let is_off = |day| is_weekend(day) || is_holiday(day);
        !is_off(day) && is_off(day - 1) && is_off(day + 1) && (is_holiday(day - 1) || is_holiday(day + 1))
    }

    /// Missing if the calendar ends before that is known.
    fn to_next(&self, day: i64, far: i64, counts: impl Fn(&HolidayDay) -> bool) -> f64 {
        let next = self.holidays.within(day, day + far - 1).iter().find(|holiday| counts(holiday));
        match next {
            Some(next) => (i64::from(next.day) - day) as f64,
            None if self.holidays.covers(day + far - 1) => far as f64,
            None => f64::NAN,
        }
    }

    /// Missing if the calendar begins after that would be known.
    fn since_last(&self, day: i64, far: i64, counts: impl Fn(&HolidayDay) -> bool) -> f64 {
        let last = self.holidays.within(day - far + 1, day).iter().rfind(|holiday| counts(holiday));
        match last {
            Some(last) => (day - i64::from(last.day)) as f64,
            None if self.holidays.covers(day - far + 1) => far as f64,
            None => f64::NAN,
        }
    }
}

impl fmt::Display for HolidayFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDay(0) => f.write_str("holiday"),
            Self::OnDay(after) => write!(f, "holiday-{after:+}-days"),
            Self::Name => f.write_str("holiday-name"),
            Self::KindOfDay => f.write_str("kind-of-day"),
            Self::BridgeDay => f.write_str("bridge-day"),
            Self::DaysToNext => f.write_str("days-to-holiday"),
            Self::DaysSinceLast => f.write_str("days-since-holiday"),
            Self::DaysTo(name) => write!(f, "days-to-{name}"),
            Self::DaysSince(name) => write!(f, "days-since-{name}"),
            Self::OnSameTimeOfWeek(week) => write!(f, "holiday-on-same-time-of-week-{week}"),
            Self::InProfile => f.write_str("holidays-in-profile"),
            Self::InLevel => f.write_str("holidays-in-level"),
            Self::SameLastYear => f.write_str("same-holiday-last-year"),
            Self::SameLastYearOverProfile => f.write_str("same-holiday-last-year-over-profile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::*;
    use crate::holidays::days_since_epoch;

    /// Thursday 2024-05-09 is Ascension, Wednesday 2024-05-01 Labour Day; a free Monday in the place of a Sunday.
    fn may() -> HolidayCalendar {
        let named =
            |month, day, name: &str| (date(2024, month, day), HolidayName::new(name).expect("is a name"));
        let days = [
            named(5, 1, "Labour Day"),
            named(5, 9, "Ascension"),
            named(5, 27, "Founder's Day (observed)"),
            named(12, 25, MAIN),
        ];
        HolidayCalendar::new(date(2024, 4, 20), date(2024, 12, 31), days).expect("is a calendar")
    }

    fn on(feature: &HolidayFeature, date: Date) -> f64 {
        feature.on(days_since_epoch(date).into(), &may(), DAY)
    }

    #[test]
    fn features_are_what_their_names_say() {
        let main = || HolidayName::new(MAIN).expect("is a name");
        let cases = [
            ("holiday", HolidayFeature::OnDay(0), [1.0, 0.0, 0.0, 1.0]),
            ("holiday-+1-days", HolidayFeature::OnDay(1), [0.0, 0.0, 0.0, 0.0]),
            ("holiday--1-days", HolidayFeature::OnDay(-1), [0.0, 1.0, 0.0, 0.0]),
            // In alphabetical order: Ascension, Christmas Day, Founder's Day, Labour Day.
            ("holiday-name", HolidayFeature::Name, [0.0, f64::NAN, f64::NAN, 2.0]),
            ("kind-of-day", HolidayFeature::KindOfDay, [4.0, 1.0, 2.0, 3.0]),
            ("bridge-day", HolidayFeature::BridgeDay, [0.0, 1.0, 0.0, 0.0]),
            ("days-to-holiday", HolidayFeature::DaysToNext, [0.0, 14.0, 9.0, 0.0]),
            ("days-since-holiday", HolidayFeature::DaysSinceLast, [0.0, 1.0, 9.0, 0.0]),
            ("days-to-Christmas Day", HolidayFeature::DaysTo(main()), [28.0, 28.0, 28.0, 28.0]),
        ];
        for (name, feature, expected) in cases {
            assert_eq!(feature.to_string(), name);
            for (day, expected) in [9, 10, 18, 27].into_iter().zip(expected) {
                let found = on(&feature, date(2024, 5, day));
                let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                assert!(same, "{name} on the {day}th: {found} instead of {expected}");
            }
        }
        let advent = date(2024, 12, 1);
        assert_eq!(on(&HolidayFeature::DaysTo(main()), advent).to_bits(), 24.0_f64.to_bits());
        let after = date(2024, 12, 31);
        assert_eq!(on(&HolidayFeature::DaysSince(main()), after).to_bits(), 6.0_f64.to_bits());
    }

    #[test]
    fn what_the_calendar_does_not_know_is_missing_and_not_an_ordinary_day() {
        for (feature, day) in [
            (HolidayFeature::OnDay(0), date(2025, 1, 1)),
            (HolidayFeature::OnDay(1), date(2024, 12, 31)),
            (HolidayFeature::KindOfDay, date(2024, 4, 19)),
            (HolidayFeature::DaysToNext, date(2024, 12, 26)),
            (HolidayFeature::DaysSinceLast, date(2024, 4, 30)),
        ] {
            assert!(on(&feature, day).is_nan(), "{feature} on {day}");
        }
        let far = on(&HolidayFeature::DaysToNext, date(2024, 12, 1));
        assert_eq!(far.to_bits(), 14.0_f64.to_bits(), "near the end, but nothing comes within two weeks");
    }

    #[test]
    fn a_step_of_several_days_counts_its_holidays() {
        let count =
            |day| HolidayFeature::OnDay(0).on(days_since_epoch(date(2024, 5, day)).into(), &may(), 7 * DAY);
        assert_eq!([1, 3, 10].map(|day| count(day).to_bits()), [1.0_f64, 1.0, 0.0].map(f64::to_bits));
        let of_week = HolidayFeature::all(&may(), 7 * DAY, true);
        assert!(of_week.len() == 4 && of_week.iter().all(|feature| feature.reach_days() == 0));
    }

    #[test]
    fn days_near_a_holiday_belong_to_the_nearest() {
        let nearest = |day| {
            let day = days_since_epoch(date(2024, 5, day));
            HolidayFeature::nearest(day.into(), &may()).map(|(holiday, after)| (day - holiday.day, after))
        };
        assert_eq!([9, 12, 8, 25].map(nearest), [Some((0, 0)), Some((3, 3)), Some((-1, -1)), Some((-2, -2))]);
        assert_eq!(nearest(13), None);
    }
}
