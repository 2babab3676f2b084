//! A look at a file that nobody has described yet: which columns, which steps, which clock.

use std::collections::BTreeMap;

use forecasting::{
    names::SeriesId,
    series::{Frequency, time_zone},
};
use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone, TimeZoneDatabase},
};

use super::{
    ColumnNames, ImportError, ImportOptions, Input, OnDaylightSaving, moments::Clock, parse,
    points::SeriesPoints, source,
};

/// What a file holds, as far as it tells itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Rows after the header.
    pub rows: u64,
    /// The series, in ascending order of their ids.
    pub series: Vec<SeriesId>,
    /// The most common distance of two rows of a series.
    pub frequency: Frequency,
    /// How many of all such distances have it, 0 to 1.
    pub frequency_share: f64,
    /// What its time stamps say about the clock.
    pub clock: WrittenBy,
    /// The earliest time.
    pub first: Timestamp,
    /// The latest time.
    pub last: Timestamp,
    /// Rows that are earlier than the one before them of their series.
    pub unsorted_rows: u64,
    /// Rows with the time of another one of their series.
    pub duplicates: u64,
    /// Values that are zero, 0 to 1.
    pub zero_share: f64,
    /// The least value.
    pub least: f64,
    /// Columns that are not read.
    pub ignored_columns: Vec<String>,
}

/// The clock that time stamps were written by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenBy {
    /// They carry no offset: a wall clock, or a plain grid.
    Unknown,
    /// All are in UTC.
    Utc,
    /// They carry offsets, which are those of all these zones; none, if no zone has them all.
    Zones(Vec<String>),
}

/// Looks at every row of `input`. Time stamps without an offset are taken for those of `options.time_zone`, or
/// of a plain grid.
pub fn look<'a>(
    input: impl Into<Input<'a>>,
    options: &ImportOptions,
    now: Timestamp,
) -> Result<Look, ImportError> {
    let zone = match options.time_zone.as_deref() {
        None | Some("none") => TimeZone::UTC,
        Some(name) => time_zone(name)?,
    };
    let clock = Clock::looking(zone, now);
    let mut parsed = parse(source::open(input, options.format)?, &options.columns, clock)?;
    parsed.series.retain(|series| !series.points.is_empty());
    parsed.series.sort_by(|one, other| one.id.cmp(&other.id));
    let late =
        |series: &SeriesPoints| series.points.windows(2).filter(|pair| pair[1].ds < pair[0].ds).count();
    let unsorted_rows = parsed.series.iter().map(late).sum::<usize>() as u64;
    for series in &mut parsed.series {
        series.points.sort_by_key(|point| (point.ds, point.at));
    }
    let (frequency, frequency_share, duplicates) = common_step(&parsed.series)?;
    let points = || parsed.series.iter().flat_map(|series| &series.points);
    let times = || points().map(|point| point.ds);
    let zeros = points().filter(|point| point.y == 0.0).count();
    Ok(Look {
        rows: parsed.rows,
        frequency,
        frequency_share,
        clock: parsed.written.expect("a clock that looks keeps what it sees").written_by(),
        first: times().min().unwrap_or_default(),
        last: times().max().unwrap_or_default(),
        unsorted_rows,
        duplicates,
        zero_share: zeros as f64 / points().count() as f64,
        least: points().map(|point| point.y).fold(f64::INFINITY, f64::min),
        ignored_columns: parsed.columns.ignored,
        series: parsed.series.into_iter().map(|series| series.id).collect(),
    })
}

/// The most common distance of neighbours (a day of 23 or 25 hours counts as one), its share, and how many
/// neighbours are at the same time.
fn common_step(series: &[SeriesPoints]) -> Result<(Frequency, f64, u64), ImportError> {
    let mut counts: BTreeMap<SignedDuration, u64> = BTreeMap::new();
    for pair in series.iter().flat_map(|series| series.points.windows(2)) {
        let elapsed = pair[1].ds.duration_since(pair[0].ds);
        let days = (elapsed.as_secs() + 12 * 3600).div_euclid(24 * 3600);
        let off = elapsed.as_secs() - days * 24 * 3600;
        let is_days = days > 0 && [-3600, 3600].contains(&off);
        *counts.entry(if is_days { SignedDuration::from_hours(24 * days) } else { elapsed }).or_default() +=
            1;
    }
    let duplicates = counts.remove(&SignedDuration::ZERO).unwrap_or(0);
    let all: u64 = counts.values().sum();
    // The shortest of equally common ones.
    let most = counts.iter().rev().max_by_key(|(_, count)| **count);
    let Some((step, count)) = most else { return Err(ImportError::NoFrequency { step: None }) };
    let frequency =
        frequency(*step).ok_or_else(|| ImportError::NoFrequency { step: Some(step.to_string()) })?;
    Ok((frequency, *count as f64 / all as f64, duplicates))
}

fn frequency(step: SignedDuration) -> Option<Frequency> {
    let seconds = step.as_secs();
    let text = match (seconds % (24 * 3600), seconds % 60) {
        (0, _) => format!("P{}D", seconds / (24 * 3600)),
        (_, 0) => format!("PT{}M", seconds / 60),
        _ => return None,
    };
    text.parse().ok()
}

/// What a clock that looks has seen of offsets.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether any time stamp had none.
    pub(super) without: bool,
    /// The last instant of each offset and month: enough to tell zones apart, and few.
    seen: BTreeMap<(i32, i64), Timestamp>,
}

impl Written {
    /// Notes a time stamp that has an offset.
    pub(super) fn note(&mut self, instant: Timestamp, offset_seconds: i32) {
        const MONTH: i64 = 30 * 24 * 3600;
        self.seen.insert((offset_seconds, instant.as_second().div_euclid(MONTH)), instant);
    }

    fn written_by(&self) -> WrittenBy {
        if self.without || self.seen.is_empty() {
            return WrittenBy::Unknown;
        }
        if self.seen.keys().all(|(offset, _)| *offset == 0) {
            return WrittenBy::Utc;
        }
        let all = TimeZoneDatabase::bundled();
        let others = all.available().map(|name| name.to_string());
        let mut zones: Vec<String> = Vec::new();
        for name in USUAL.iter().map(|&name| name.to_owned()).chain(others) {
            let fits = |zone: TimeZone| {
                let has =
                    |((offset, _), at): (&(i32, i64), &Timestamp)| zone.to_offset(*at).seconds() == *offset;
                self.seen.iter().all(has)
            };
            if name.contains('/')
                && !name.starts_with("Etc/")
                && !zones.contains(&name)
                && all.get(&name).is_ok_and(fits)
            {
                zones.push(name);
            }
        }
        WrittenBy::Zones(zones)
    }
}

/// Among zones that do not differ over a file, these come first.
const USUAL: [&str; 12] = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// The offset that a time stamp is written with, in seconds.
pub(super) fn offset_seconds(text: &str) -> Option<i32> {
    if text.ends_with(['Z', 'z']) {
        return Some(0);
    }
    let at = text.rfind(['+', '-'])?;
    let (sign, digits) = text.split_at_checked(at)?.1.split_at_checked(1)?;
    let number = |part: Option<&str>| part.map_or(Some(0), |digits| digits.parse::<i32>().ok());
    let digits = digits.replace(':', "");
    let seconds = 3600 * number(digits.get(..2))? + 60 * number(digits.get(2..4))?;
    let seconds = if sign == "-" { -seconds } else { seconds };
    Offset::from_seconds(seconds).ok().map(Offset::seconds)
}

/// The columns to read, where a file has not the usual names: by what their first values are.
///
/// # Errors
/// [`ImportError::Header`] names the columns that it cannot choose between, and the flags that do.
pub fn guess_columns(sample: &Sample, given: &ColumnNames) -> Result<ColumnNames, ImportError> {
    let kinds = kinds(sample);
    let of = |kind: Kind| -> Vec<&str> {
        let all = sample.header.iter().zip(&kinds);
        let taken = [&given.id, &given.time, &given.value];
        all.filter(|(name, found)| **found == kind && !taken.contains(&&Some((*name).clone())))
            .map(|(name, _)| name.as_str())
            .collect()
    };
    let (times, mut numbers, texts) = (of(Kind::Time), of(Kind::Number), of(Kind::Text));
    numbers.retain(|name| !USUAL_IDS.contains(&name.to_lowercase().as_str())); // the number of a row is no value
    let choose = |given: &Option<String>, usual: &[&str], found: &[&str], what: &str| match (given, found) {
        (Some(given), _) => Ok(Some(given.clone())),
        _ if let Some(usual) = found.iter().find(|name| usual.contains(&name.to_lowercase().as_str())) => {
            Ok(Some((*usual).to_owned()))
        }
        (None, [only]) => Ok(Some((*only).to_owned())),
        (None, []) => Ok(None),
        (None, several) => Err(sample.unclear(&format!("--{what} must name one of {}", several.join(", ")))),
    };
    let time = choose(&given.time, &["ds", "timestamp", "date", "datetime"], &times, "time")?;
    let time = time.ok_or_else(|| sample.unclear("no column holds times; --time names one"))?;
    let is_wide = given.id.is_none() && given.series.is_none() && given.value.is_none() && texts.is_empty();
    if is_wide && numbers.len() > 1 && !has_usual_value(&numbers) {
        let series = numbers.iter().take(3).map(|&name| name.to_owned()).collect();
        return Err(ImportError::Wide { time, series });
    }
    let value = choose(&given.value, &USUAL_VALUES, &numbers, "value")?;
    let value = value.ok_or_else(|| sample.unclear("no column holds numbers; --value names one"))?;
    let mut names = ColumnNames { time: Some(time), value: Some(value), ..given.clone() };
    if names.series.is_none() {
        names.id = choose(&given.id, &USUAL_IDS, &texts, "id")?;
    }
    Ok(names)
}

const USUAL_IDS: [&str; 3] = ["unique_id", "series", "id"];
const USUAL_VALUES: [&str; 8] = ["y", "value", "sales", "demand", "count", "cnt", "quantity", "target"];

fn has_usual_value(names: &[&str]) -> bool {
    names.iter().any(|name| USUAL_VALUES.contains(&name.to_lowercase().as_str()))
}

/// What the columns hold. One that is called as ids are holds texts, even if they are numbers.
fn kinds(sample: &Sample) -> Vec<Kind> {
    let mut kinds: Vec<Kind> =
        (0..sample.header.len()).map(|column| Kind::of(sample.column(column))).collect();
    for usual in USUAL_IDS {
        // An `id` beside texts may only number the rows.
        let may_number_rows = usual == "id" && kinds.contains(&Kind::Text);
        let called_so = sample.header.iter().position(|name| name.to_lowercase() == usual);
        if let Some(column) = called_so.filter(|_| !may_number_rows) {
            kinds[column] = Kind::Text;
        }
    }
    kinds
}

/// The first rows of a file, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Names of the columns.
    pub header: Vec<String>,
    /// One text per column.
    pub rows: Vec<Vec<String>>,
}

impl Sample {
    /// Refuses to take a file for one series, for want of a column of ids, if rows share their times and a
    /// column that is not read may tell them apart: repaired as duplicates, series would be added up.
    pub fn check_one_series(&self, look: &Look) -> Result<(), ImportError> {
        if look.duplicates == 0 || look.ignored_columns.is_empty() {
            return Ok(());
        }
        let (repeated, others) = (look.duplicates, look.ignored_columns.join(", "));
        Err(self.unclear(&format!(
            "{repeated} rows have the time of another one: --id must name one of {others}, or --series NAME say \
             that all are of one series"
        )))
    }

    fn column(&self, index: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(move |row| row.get(index)).map(String::as_str)
    }

    fn unclear(&self, problem: &str) -> ImportError {
        ImportError::Header {
            problem: problem.to_owned(),
            found: self.header.iter().take(20).cloned().collect(),
        }
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Number,
    Text,
    /// No value at all.
    Empty,
}

impl Kind {
    fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
        let all = |is: fn(&str) -> bool| values.iter().all(|value| is(value));
        if values.is_empty() {
            Self::Empty
        } else if all(|value| value.parse::<f64>().is_ok()) {
            Self::Number
        } else if all(Clock::is_time) {
            Self::Time
        } else {
            Self::Text
        }
    }
}

/// How a file without a declared grid is read: nothing about daylight saving is an error yet.
pub(super) const LENIENT: OnDaylightSaving = OnDaylightSaving::Shift;
