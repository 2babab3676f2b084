//! The features by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::HolidayFeature;
use crate::names::{AttributeText, CovariateName};

/// One column of what a learner sees. *Amounts* are divided by the recent level of the series; anything
/// that is not known at the origin, or where the history has a gap, is missing (`NaN`).
///
/// "Newest known" days and weeks are counted back from the target to the first that lies before the
/// origin, so a feature means the same at step 1 and at step 24.
///
/// The order is part of the artifact format: a new feature comes last, and none is ever removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// Place of the series in [`super::FeatureSpec::series`]; missing for a series unseen in training.
    Series,
    /// Steps from the origin to the target; the first target is step 1.
    Step,
    /// Natural logarithm of the recent level: the one amount that is not divided by it.
    LogLevel,
    /// Recent level divided by the level of four such spans.
    LevelTrend,
    /// Amount: the level this many level spans earlier.
    EarlierLevel(u8),
    /// Amount: the value at the same time of the week in the n-th newest known week (0 = newest).
    SameTimeOfWeek(u8),
    /// Amount: mean over the newest four weeks at the same time of the week (the weekly profile).
    ProfileMean,
    /// Amount: median over the newest five weeks at the same time of the week.
    ProfileMedian,
    /// Amount: standard deviation over the newest five weeks at the same time of the week.
    ProfileSpread,
    /// Amount: lowest of the newest five weeks at the same time of the week.
    ProfileLowest,
    /// Amount: highest of the newest five weeks at the same time of the week.
    ProfileHighest,
    /// Amount: the value at the same time of the n-th newest known day (0 = newest).
    SameTimeOfDay(u8),
    /// Amount: the value this many steps after (before, if negative) the same time of the newest known day.
    AroundSameTimeOfDay(i8),
    /// Amount: mean over the newest seven known days at the same time.
    DaysMean,
    /// Amount: mean over those of the newest seven known days that are, like the target's, working days
    /// or weekends, at the same time.
    SameKindOfDayMean,
    /// Amount: how far the same time of the newest known day was above its own weekly profile.
    SameTimeDeviation,
    /// Amount: the n-th newest known value (0 = newest).
    Newest(u8),
    /// Amount: how far the newest steps were above their weekly profile, on average.
    RecentDeviation {
        /// How many of the newest steps.
        steps: u16,
    },
    /// Mean of the newest day divided by the mean of the same hours a week earlier.
    DayOverWeekBefore,
    /// Calendar of the target, on the local wall clock.
    Clock(Clock),
    /// A covariate that is known in advance, at the target. What covariates say is no amount: nobody divides
    /// it by the level.
    Known(CovariateName),
    /// Mean of a covariate that is known in advance over one level span before the origin: what the recent
    /// level was reached with.
    KnownRecently(CovariateName),
    /// The newest known number of a past-only covariate within one level span before the origin.
    PastNewest(CovariateName),
    /// Mean of a past-only covariate over one level span before the origin.
    PastRecently(CovariateName),
    /// A past-only covariate at the same time of the week in the newest known week.
    PastSameTimeOfWeek(CovariateName),
    /// A static attribute that is a number.
    Attribute(CovariateName),
    /// 1 where a static attribute says this text, 0 where it says another one.
    AttributeIs(CovariateName, AttributeText),
    /// The holidays around the target.
    Holiday(HolidayFeature),
}

impl Feature {
    /// The covariate that it is made of.
    pub fn covariate(&self) -> Option<&CovariateName> {
        match self {
            Feature::Known(name)
            | Feature::KnownRecently(name)
            | Feature::PastNewest(name)
            | Feature::PastRecently(name)
            | Feature::PastSameTimeOfWeek(name)
            | Feature::Attribute(name)
            | Feature::AttributeIs(name, _) => Some(name),
            _ => None,
        }
    }
}

/// What the local wall clock shows at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// Hours since midnight, with fractions: 0 to 24.
    HourOfDay,
    /// Monday is 0, Sunday is 6.
    DayOfWeek,
    /// Hours since Monday 0:00, with fractions: 0 to 168.
    HourOfWeek,
    /// Sine of the time of year, this many periods a year.
    YearSine(u8),
    /// Cosine of the time of year, this many periods a year.
    YearCosine(u8),
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feature::Series => f.write_str("series"),
            Feature::Step => f.write_str("step"),
            Feature::LogLevel => f.write_str("log-level"),
            Feature::LevelTrend => f.write_str("level-trend"),
            Feature::EarlierLevel(spans) => write!(f, "level-{spans}-spans-earlier"),
            Feature::SameTimeOfWeek(week) => write!(f, "same-time-of-week-{week}"),
            Feature::ProfileMean => f.write_str("profile-mean"),
            Feature::ProfileMedian => f.write_str("profile-median"),
            Feature::ProfileSpread => f.write_str("profile-spread"),
            Feature::ProfileLowest => f.write_str("profile-lowest"),
            Feature::ProfileHighest => f.write_str("profile-highest"),
            Feature::SameTimeOfDay(day) => write!(f, "same-time-of-day-{day}"),
            Feature::AroundSameTimeOfDay(steps) => write!(f, "same-time-of-day-0{steps:+}-steps"),
            Feature::DaysMean => f.write_str("days-mean"),
            Feature::SameKindOfDayMean => f.write_str("same-kind-of-day-mean"),
            Feature::SameTimeDeviation => f.write_str("same-time-deviation"),
            Feature::Newest(n) => write!(f, "newest-{n}"),
            Feature::RecentDeviation { steps } => write!(f, "deviation-of-newest-{steps}-steps"),
            Feature::DayOverWeekBefore => f.write_str("day-over-week-before"),
            Feature::Clock(Clock::HourOfDay) => f.write_str("hour-of-day"),
            Feature::Clock(Clock::DayOfWeek) => f.write_str("day-of-week"),
            Feature::Clock(Clock::HourOfWeek) => f.write_str("hour-of-week"),
            Feature::Clock(Clock::YearSine(periods)) => write!(f, "year-sine-{periods}"),
            Feature::Clock(Clock::YearCosine(periods)) => write!(f, "year-cosine-{periods}"),
            Feature::Known(name) => write!(f, "known-{name}"),
            Feature::KnownRecently(name) => write!(f, "known-{name}-recently"),
            Feature::PastNewest(name) => write!(f, "past-{name}-newest"),
            Feature::PastRecently(name) => write!(f, "past-{name}-recently"),
            Feature::PastSameTimeOfWeek(name) => write!(f, "past-{name}-same-time-of-week"),
            Feature::Attribute(name) => write!(f, "static-{name}"),
            Feature::AttributeIs(name, text) => write!(f, "static-{name}-is-{text}"),
            Feature::Holiday(feature) => feature.fmt(f),
        }
    }
}
