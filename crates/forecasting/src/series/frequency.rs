//! How far apart two steps of a series lie.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Span};
use serde::{Deserialize, Serialize};

/// The distance of two steps: a whole number of minutes that divides a day evenly, or whole days.
///
/// Written as an ISO 8601 duration: `PT15M`, `PT1H`, `P1D`, `P7D` (or `P1W`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Frequency {
    /// Steps of this many minutes of elapsed time: 1 to 720, dividing 1440.
    Minutes(u16),
    /// Steps of this many calendar days from local midnight to local midnight: 1 to 7.
    Days(u16),
}

impl Frequency {
    /// Steps in a day of 24 hours; `None` where a step is a day or longer.
    pub fn steps_per_day(self) -> Option<usize> {
        match self {
            Frequency::Minutes(minutes) => Some(MINUTES_PER_DAY / usize::from(minutes)),
            Frequency::Days(_) => None,
        }
    }

    /// The length of a step where no clock is changed: a calendar day counts as 24 hours.
    pub fn nominal(self) -> SignedDuration {
        match self {
            Frequency::Minutes(minutes) => SignedDuration::from_mins(minutes.into()),
            Frequency::Days(days) => SignedDuration::from_hours(24 * i64::from(days)),
        }
    }
}

/// Why a text is not a frequency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("frequency {value:?} {problem}")]
pub struct InvalidFrequency {
    /// The text, cut to 60 characters.
    pub value: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

const MINUTES_PER_DAY: usize = 1440;
const NOT_A_DURATION: &str = "is not an ISO 8601 duration such as PT15M, PT1H or P1D";

impl FromStr for Frequency {
    type Err = InvalidFrequency;

    fn from_str(value: &str) -> Result<Self, InvalidFrequency> {
        parse(value).map_err(|problem| InvalidFrequency { value: value.chars().take(60).collect(), problem })
    }
}

fn parse(value: &str) -> Result<Frequency, &'static str> {
    // jiff also reads "1 hour"; one way of writing is enough for something that is compared and hashed.
    if !value.starts_with('P') {
        return Err(NOT_A_DURATION);
    }
    let span: Span = value.parse().map_err(|_| NOT_A_DURATION)?;
    let days = 7 * i64::from(span.get_weeks()) + i64::from(span.get_days());
    let minutes = 60 * i64::from(span.get_hours()) + span.get_minutes();
    let understood = Span::new()
        .weeks(span.get_weeks())
        .days(span.get_days())
        .hours(span.get_hours())
        .minutes(span.get_minutes());
    if span.fieldwise() != understood.fieldwise() {
        return Err("must be made of minutes and hours, or of days and weeks");
    }
    match (days, minutes) {
        (0, 0) => Err("must be longer than nothing"),
        (0, 1440) => Err("must be written as P1D: days follow the local calendar"),
        (0, minutes) => match u16::try_from(minutes) {
            Ok(minutes) if 1440 % minutes == 0 => Ok(Frequency::Minutes(minutes)),
            _ => Err("must divide a day evenly"),
        },
        (days, 0) => match u16::try_from(days) {
            Ok(days) if days <= 7 => Ok(Frequency::Days(days)),
            _ => Err("must be at most 7 days"),
        },
        _ => Err("must be made of minutes and hours, or of days and weeks, not of both"),
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Frequency::Days(days) => write!(f, "P{days}D"),
            Frequency::Minutes(minutes) => match (minutes / 60, minutes % 60) {
                (0, minutes) => write!(f, "PT{minutes}M"),
                (hours, 0) => write!(f, "PT{hours}H"),
                (hours, minutes) => write!(f, "PT{hours}H{minutes}M"),
            },
        }
    }
}

impl TryFrom<String> for Frequency {
    type Error = InvalidFrequency;
    fn try_from(value: String) -> Result<Self, InvalidFrequency> {
        value.parse()
    }
}

impl From<Frequency> for String {
    fn from(frequency: Frequency) -> String {
        frequency.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_written_as_it_is_read() {
        let cases = [
            ("PT1M", Frequency::Minutes(1)),
            ("PT15M", Frequency::Minutes(15)),
            ("PT1H", Frequency::Minutes(60)),
            ("PT1H30M", Frequency::Minutes(90)),
            ("PT12H", Frequency::Minutes(720)),
            ("P1D", Frequency::Days(1)),
            ("P7D", Frequency::Days(7)),
        ];
        for (text, frequency) in cases {
            assert_eq!(text.parse(), Ok(frequency));
            assert_eq!(frequency.to_string(), text);
        }
        assert_eq!("P1W".parse(), Ok(Frequency::Days(7)));
        assert_eq!("PT60M".parse(), Ok(Frequency::Minutes(60)));
    }

    #[test]
    fn what_does_not_divide_a_day_is_refused_with_the_reason() {
        let cases = [
            ("", NOT_A_DURATION),
            ("1 hour", NOT_A_DURATION),
            ("-PT1H", NOT_A_DURATION),
            ("hourly", NOT_A_DURATION),
            ("PT0M", "must be longer than nothing"),
            ("PT7M", "must divide a day evenly"),
            ("PT25H", "must divide a day evenly"),
            ("PT24H", "must be written as P1D: days follow the local calendar"),
            ("P8D", "must be at most 7 days"),
            ("PT30S", "must be made of minutes and hours, or of days and weeks"),
            ("P1M", "must be made of minutes and hours, or of days and weeks"),
            ("P1DT1H", "must be made of minutes and hours, or of days and weeks, not of both"),
        ];
        for (text, problem) in cases {
            let refused = InvalidFrequency { value: text.to_owned(), problem };
            assert_eq!(text.parse::<Frequency>(), Err(refused));
        }
    }
}
