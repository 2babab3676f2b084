//! Which columns hold series, time, value and covariates.

use forecasting::{
    names::{CovariateName, SeriesId, is_bidi_control},
    spec::CovariateSpec,
};

use super::{ColumnNames, CovariateNames, ImportError};

/// Where the columns are, and what the file calls them.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) series: SeriesColumn,
    pub(super) ds: Column,
    pub(super) y: Column,
    /// Those that were named.
    pub(super) covariates: Vec<CovariateColumn>,
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

/// Where a covariate stands.
#[derive(Debug)]
pub(super) struct CovariateColumn {
    pub(super) column: Column,
    pub(super) name: CovariateName,
    pub(super) kind: CovariateKind,
}

/// When a covariate is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CovariateKind {
    Known,
    Past,
    Static,
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
        let mut read = vec![ds.index, y.index];
        read.extend(series.index());
        let mut covariates = Vec::new();
        for (kind, name) in names.covariates.all() {
            let column = find_covariate(header, name, kind, &read)?;
            read.push(column.index);
            covariates.push(CovariateColumn { column, name: name.clone(), kind });
        }
        let ignored = header.iter().enumerate().filter(|(index, _)| !read.contains(index));
        let ignored = ignored.map(|(_, name)| name.clone()).collect();
        Ok(Self { series, ds, y, covariates, ignored })
    }
}

impl CovariateNames {
    /// The columns that a dataset declares.
    pub fn of(declared: &CovariateSpec) -> Self {
        let [known, past, attributes] = declared.kinds().map(|(_, names)| names.iter().cloned().collect());
        Self { known, past, attributes }
    }

    fn all(&self) -> impl Iterator<Item = (CovariateKind, &CovariateName)> {
        let Self { known, past, attributes } = self;
        let changing = CovariateKind::Known.of_each(known).chain(CovariateKind::Past.of_each(past));
        changing.chain(CovariateKind::Static.of_each(attributes))
    }
}

impl CovariateColumn {
    /// Whether it is the same in all rows of a series.
    pub(super) fn is_static(&self) -> bool {
        self.kind == CovariateKind::Static
    }
}

impl CovariateKind {
    fn of_each(self, names: &[CovariateName]) -> impl Iterator<Item = (Self, &CovariateName)> {
        names.iter().map(move |name| (self, name))
    }

    /// What messages call it.
    fn word(self) -> &'static str {
        match self {
            Self::Known => "known in advance",
            Self::Past => "past-only",
            Self::Static => "static",
        }
    }
}

/// The column of a covariate, which must not be one of those that are read already.
fn find_covariate(
    header: &[String],
    name: &CovariateName,
    kind: CovariateKind,
    read: &[usize],
) -> Result<Column, ImportError> {
    let kind = kind.word();
    let all = || header.iter().enumerate().filter(|(_, other)| *other == name.as_str());
    let problem = match (all().next(), all().count()) {
        (Some((index, _)), 1) if !read.contains(&index) => {
            return Ok(Column { index, name: header[index].clone() });
        }
        (None, _) => format!("no column {name} ({kind})"),
        (Some(_), 1) => format!("column {name} is read as something else already ({kind})"),
        _ => format!("more than one column {name} ({kind})"),
    };
    Err(ImportError::Header { problem, found: header.to_vec() })
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
