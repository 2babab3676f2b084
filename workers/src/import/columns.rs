//! Which columns hold series, time and value.

use forecasting::names::{SeriesId, is_bidi_control};

use super::{ColumnNames, ImportError};

/// Where the columns are, and what the file calls them.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) series: SeriesColumn,
    pub(super) ds: Column,
    pub(super) y: Column,
    /// Columns that are there and not read.
    pub(super) ignored: Vec<String>,
}

/// Where the id of a row's series stands.
#[derive(Debug)]
pub(super) enum SeriesColumn {
    /// In a column.
    Named(Column),
    /// Nowhere: the whole file is this series.
    Whole(SeriesId),
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) index: usize,
    pub(super) name: String,
}

pub(super) const MOST_COLUMNS: usize = 200;

/// A column by the name that was given, or by one of those that are known without.
struct Wanted<'a> {
    given: Option<&'a str>,
    known: [&'static str; 2],
    flag: &'static str,
}

impl Columns {
    /// Finds them by name; other columns are ignored and reported.
    pub(super) fn find(header: &[String], names: &ColumnNames) -> Result<Self, ImportError> {
        if header.len() > MOST_COLUMNS {
            return Err(ImportError::TooMany { what: "columns", most: MOST_COLUMNS as u64 });
        }
        check_names(header)?;
        let wanted = |given, known, flag| Wanted { given, known, flag };
        let id = wanted(names.id.as_deref(), ["unique_id", "series"], "--id");
        let time = wanted(names.time.as_deref(), ["ds", "timestamp"], "--time");
        let value = wanted(names.value.as_deref(), ["y", "value"], "--value");
        if names.series.is_none() && !id.is_in(header) && !value.is_in(header) {
            check_wide(header, &time)?;
        }
        let series = match &names.series {
            Some(whole) => SeriesColumn::Whole(whole.clone()),
            None => SeriesColumn::Named(id.find(header)?),
        };
        let (ds, y) = (time.find(header)?, value.find(header)?);
        let read = [series.index(), Some(ds.index), Some(y.index)];
        let ignored = header.iter().enumerate().filter(|(index, _)| !read.contains(&Some(*index)));
        let ignored = ignored.map(|(_, name)| name.clone()).collect();
        Ok(Self { series, ds, y, ignored })
    }
}

impl SeriesColumn {
    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Named(column) => &column.name,
            Self::Whole(_) => "--series",
        }
    }

    fn index(&self) -> Option<usize> {
        match self {
            Self::Named(column) => Some(column.index),
            Self::Whole(_) => None,
        }
    }
}

impl Wanted<'_> {
    fn matches(&self, name: &str) -> bool {
        match self.given {
            Some(given) => name == given,
            None => self.known.contains(&name),
        }
    }

    fn is_in(&self, header: &[String]) -> bool {
        header.iter().any(|name| self.matches(name))
    }

    fn find(&self, header: &[String]) -> Result<Column, ImportError> {
        let matching = header.iter().enumerate().filter(|(_, name)| self.matches(name));
        let matching: Vec<usize> = matching.map(|(index, _)| index).collect();
        match matching[..] {
            [index] => Ok(Column { index, name: header[index].clone() }),
            [] => Err(error(format!("no column {self}; {} names another one", self.flag), header)),
            _ => Err(error(format!("more than one column for {self}"), header)),
        }
    }
}

impl std::fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.given {
            Some(given) => f.write_str(given),
            None => write!(f, "{} (or {})", self.known[0], self.known[1]),
        }
    }
}

/// Names are shown to people as they are: none may steer a terminal, or look like another.
pub(super) fn check_names(header: &[String]) -> Result<(), ImportError> {
    let steers = |c: char| (c.is_control() && !c.is_whitespace()) || is_bidi_control(c);
    let Some(steering) = header.iter().find(|name| name.contains(steers)) else {
        return Ok(());
    };
    let name = steering.escape_default();
    let problem = format!("\"{name}\" holds control or bidirectional formatting characters");
    let harmless = header.iter().filter(|name| !name.contains(steers));
    Err(ImportError::Header { problem, found: harmless.take(10).cloned().collect() })
}

/// Names of time columns in wide files, where they are not those of long ones.
const WIDE_TIMES: [&str; 5] = ["date", "datetime", "time", "day", "index"];

/// A column of times and a column for each series, rather than one row for each value.
fn check_wide(header: &[String], time: &Wanted<'_>) -> Result<(), ImportError> {
    let is_time = |name: &&String| time.matches(name) || WIDE_TIMES.contains(&name.to_lowercase().as_str());
    match header.iter().find(is_time) {
        Some(time) if header.len() > 2 => {
            let series = header.iter().filter(|name| *name != time);
            Err(ImportError::Wide { time: time.clone(), series: series.take(3).cloned().collect() })
        }
        _ => Ok(()),
    }
}

fn error(mut problem: String, header: &[String]) -> ImportError {
    if let [single] = header
        && let Some((_, separator)) =
            [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")].iter().find(|(c, _)| single.contains(*c))
    {
        problem = format!("columns are separated by {separator}, not by commas");
    }
    ImportError::Header { problem, found: header.iter().take(10).cloned().collect() }
}
