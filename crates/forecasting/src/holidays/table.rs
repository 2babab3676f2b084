//! The format of the tables in `data/holidays`; the README there describes it.

use std::str::SplitAsciiWhitespace;

use jiff::civil::{Date, date};

use super::HolidayCalendar;
use crate::names::HolidayName;

/// The holidays of a country and its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// The country's code: what all of it has in common is the region of that name.
    pub(super) country: &'static str,
    pub(super) text: &'static str,
}

impl Table {
    /// The country and its parts.
    pub(super) fn regions(&self) -> impl Iterator<Item = &'static str> {
        self.words("regions ")
    }

    /// The holidays of one of the [`Table::regions`].
    ///
    /// # Panics
    /// If the table is not as the README says: it is shipped, and tests read all of it.
    pub(super) fn calendar(&self, region: &str) -> HolidayCalendar {
        let mut years = self.words("years ").map(|year| year.parse::<i16>().expect("is a year"));
        let (first, last) = (years.next().expect("a first year"), years.next().expect("a last year"));
        let rows = self.text.lines().filter_map(|line| Row::read(line, region));
        let holidays = rows.flat_map(|row| Days::of(row.days).map(move |date| (date, row.name.clone())));
        HolidayCalendar::new(date(first, 1, 1), date(last, 12, 31), holidays)
            .expect("the table is a calendar")
    }

    /// What stands in the line that begins so.
    fn words(&self, beginning: &str) -> SplitAsciiWhitespace<'static> {
        let line = self.text.lines().find_map(|line| line.strip_prefix(beginning));
        line.expect("the table has its line").split_ascii_whitespace()
    }
}

/// `name | where | when`
struct Row<'a> {
    name: HolidayName,
    days: &'a str,
}

impl<'a> Row<'a> {
    /// `None` for another line, and for a holiday elsewhere.
    fn read(line: &'a str, region: &str) -> Option<Self> {
        let (name, rest) = line.split_once(" | ")?;
        let (places, days) = rest.split_once(" | ").expect("a holiday has its days");
        let name = HolidayName::new(name).expect("is a name");
        is_there(places, region).then_some(Self { name, days })
    }
}

/// Whether `region` is among `AK AL`, or in `* -AK -AL`, which is everywhere but there.
fn is_there(places: &str, region: &str) -> bool {
    match places.strip_prefix('*') {
        Some(missing) => {
            missing.split_ascii_whitespace().all(|place| place.strip_prefix('-') != Some(region))
        }
        None => places.split_ascii_whitespace().any(|place| place == region),
    }
}

/// The days of `1990 0101*3 1226 2001 0407`: the first of January in three years from 1990 on, the 26th of
/// December of the year after those, the 7th of April 2001.
struct Days<'a> {
    words: SplitAsciiWhitespace<'a>,
    year: i16,
    /// Month and day, and in how many more years they come again.
    repeated: (i16, u8),
}

impl<'a> Days<'a> {
    fn of(text: &'a str) -> Self {
        Self { words: text.split_ascii_whitespace(), year: 0, repeated: (0, 0) }
    }
}

impl Iterator for Days<'_> {
    type Item = Date;

    fn next(&mut self) -> Option<Date> {
        while self.repeated.1 == 0 {
            let word = self.words.next()?;
            let (number, times) = word.split_once('*').unwrap_or((word, "1"));
            let number: i16 = number.parse().expect("is a year, or a month and a day");
            // No day of a year comes after 1231.
            if number > 1231 {
                self.year = number;
            } else {
                self.repeated = (number, times.parse().expect("is a number of years"));
            }
        }
        let (monthday, times) = self.repeated;
        self.repeated.1 = times - 1;
        let part = |number: i16| i8::try_from(number).expect("is below 100");
        let day = date(self.year, part(monthday / 100), part(monthday % 100));
        self.year += 1;
        Some(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_year_after_year() {
        let days: Vec<String> = Days::of("1990 0101*3 1226 2001 0407").map(|day| day.to_string()).collect();
        assert_eq!(days, ["1990-01-01", "1991-01-01", "1992-01-01", "1993-12-26", "2001-04-07"]);
    }

    #[test]
    fn a_holiday_is_somewhere_or_everywhere_but_somewhere() {
        for (places, region, there) in [
            ("*", "AL", true),
            ("* -AK", "AL", true),
            ("* -AK -AL", "AL", false),
            ("AK AL", "AL", true),
            ("AK ALX", "AL", false),
        ] {
            assert_eq!(is_there(places, region), there, "{places}");
        }
    }
}
