//! Which columns hold series, time and value.

use csv::ByteRecord;

use super::ImportError;

/// Where the columns are, and what the file calls them.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) series: Column,
    pub(super) ds: Column,
    pub(super) y: Column,
    /// Columns that are there and not read.
    pub(super) ignored: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) index: usize,
    pub(super) name: String,
}

const SERIES: [&str; 2] = ["unique_id", "series"];
const DS: [&str; 2] = ["ds", "timestamp"];
const Y: [&str; 2] = ["y", "value"];
const MOST_COLUMNS: usize = 200;

impl Columns {
    /// Finds them by name; other columns are ignored and reported.
    pub(super) fn find(header: &ByteRecord) -> Result<Self, ImportError> {
        if header.len() > MOST_COLUMNS {
            return Err(ImportError::TooMany { what: "columns", most: MOST_COLUMNS as u64 });
        }
        let names: Vec<String> = header.iter().map(column_name).collect::<Result<_, _>>()?;
        let columns = Self {
            series: find(&names, SERIES)?,
            ds: find(&names, DS)?,
            y: find(&names, Y)?,
            ignored: Vec::new(),
        };
        let read = [columns.series.index, columns.ds.index, columns.y.index];
        let ignored = names.into_iter().enumerate().filter(|(index, _)| !read.contains(index));
        Ok(Self { ignored: ignored.map(|(_, name)| name).collect(), ..columns })
    }
}

fn column_name(bytes: &[u8]) -> Result<String, ImportError> {
    let not_text = |problem: &str| ImportError::NotCsv { problem: problem.to_owned() };
    if bytes.contains(&0) {
        return Err(not_text("its first line holds NUL bytes: it is binary, or UTF-16"));
    }
    let name = std::str::from_utf8(bytes).map_err(|_| not_text("its first line is not UTF-8 text"))?;
    if name.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Err(not_text("its first line holds control characters: it is binary"));
    }
    Ok(name.trim().chars().take(80).collect())
}

fn find(names: &[String], [name, other]: [&str; 2]) -> Result<Column, ImportError> {
    let matching = names.iter().enumerate().filter(|(_, found)| **found == name || **found == other);
    let matching: Vec<usize> = matching.map(|(index, _)| index).collect();
    match matching[..] {
        [index] => Ok(Column { index, name: names[index].clone() }),
        [] => Err(header(format!("no column {name} (or {other})"), names)),
        _ => Err(header(format!("more than one column for {name} (or {other})"), names)),
    }
}

fn header(problem: String, names: &[String]) -> ImportError {
    ImportError::Header { problem, found: names.iter().take(10).cloned().collect() }
}
