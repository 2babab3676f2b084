//! Rows of JSON lines.

use std::{
    borrow::Cow,
    fmt,
    io::{BufRead as _, BufReader, Read},
};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    ColumnNames, ImportError,
    columns::{Column, Columns, SeriesColumn},
    error::{Place, Unit},
    moments::Clock,
    points::{Amount, Moment, Parsed, Row, Table},
    source::{self, BUFFER_BYTES, Text},
};
use crate::file_format::FileFormat;

/// Reads every row. The first one says which columns there are.
pub(super) fn read(text: Text<'_>, names: &ColumnNames, clock: Clock) -> Result<Parsed, ImportError> {
    let meter = text.meter.clone();
    let mut lines = Lines::open(text);
    let mut line = lines.advance()?;
    let header = match line {
        Some(at) => Object::read(&lines.line, at)?.names(),
        None => return Err(not_json_lines("it has no line".to_owned())),
    };
    let columns = Columns::find(&header, names)?;
    let mut table = Table::new(columns, clock, Unit::Line);
    while let Some(at) = line {
        meter.row_ended();
        let object = Object::read(&lines.line, at)?;
        let place = Place { unit: Unit::Line, number: at };
        let series = match &table.columns.series {
            SeriesColumn::Named(column) => object.scalar(column, place)?,
            SeriesColumn::Whole(_) => Cow::Borrowed(""),
        };
        let ds = object.scalar(&table.columns.ds, place)?;
        let y = object.field(&table.columns.y, place)?;
        let covariates = table.columns.covariates.iter().map(|one| object.field(&one.column, place));
        let covariates = covariates.collect::<Result<Vec<_>, _>>()?;
        let row = Row {
            series: series.as_bytes(),
            ds: Moment::Text(ds.as_bytes()),
            y: Amount::Text(y.as_bytes()),
            covariates: covariates.iter().map(|text| Amount::Text(text.as_bytes())).collect(),
        };
        table.add(&row, at)?;
        line = lines.advance()?;
    }
    table.finish(FileFormat::Jsonl)
}

/// The lines that are not blank.
pub(super) struct Lines<'a> {
    input: BufReader<Box<dyn Read + 'a>>,
    pub(super) line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn open(text: Text<'a>) -> Self {
        Self { input: BufReader::with_capacity(BUFFER_BYTES, text.input), line: Vec::new(), number: 0 }
    }

    /// Goes to the next line; says its number.
    pub(super) fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        loop {
            self.line.clear();
            let read = self.input.read_until(b'\n', &mut self.line);
            if read.map_err(|source| source::unreadable(self.number, source))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(self.number));
            }
        }
    }
}

/// The fields of a line, in its order; each name once.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    pub(super) fn read(line: &'a [u8], at: u64) -> Result<Self, ImportError> {
        let refused = |problem: &dyn fmt::Display| not_json_lines(format!("line {at}: {problem}"));
        let text = std::str::from_utf8(line).map_err(|_| refused(&"is not UTF-8 text"))?;
        protocol::check_json_depth(line).map_err(|problem| refused(&problem))?;
        serde_json::from_str(text).map_err(|error| {
            // Its own line number is always 1.
            let problem = error.to_string();
            refused(&problem.split(" at line ").next().unwrap_or_default())
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.chars().take(80).collect()).collect()
    }

    /// The values as text, as CSV would have them.
    pub(super) fn texts(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.0.iter().map(|&(_, value)| plain(value).unwrap_or(Cow::Borrowed(value.get())))
    }

    /// What may be an id or a time: anything else has a text too, which says nothing.
    fn scalar(&self, column: &Column, place: Place) -> Result<Cow<'a, str>, ImportError> {
        let json = self.value(column, place)?.get();
        if json.starts_with(['[', '{', 't', 'f']) {
            return Err(ImportError::row(place, &column.name, json, "is neither a text nor a number"));
        }
        self.field(column, place)
    }

    fn field(&self, column: &Column, place: Place) -> Result<Cow<'a, str>, ImportError> {
        let value = self.value(column, place)?;
        plain(value).ok_or_else(|| ImportError::row(place, &column.name, value.get(), "is not Unicode text"))
    }

    fn value(&self, column: &Column, place: Place) -> Result<&'a RawValue, ImportError> {
        // Most lines have the order of the first.
        let at_index = self.0.get(column.index).filter(|(name, _)| *name == column.name);
        let found = at_index.or_else(|| self.0.iter().find(|(name, _)| *name == column.name));
        match found {
            Some(&(_, value)) => Ok(value),
            None => Err(ImportError::row(place, &column.name, "", "is missing")),
        }
    }
}

/// The value as text, as CSV would have it: a null is empty. `None`: a string with half a character, which JSON
/// can write (`"\ud800"`).
fn plain(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get() {
        "null" => Some(Cow::Borrowed("")),
        text if text.starts_with('"') => serde_json::from_str(text).ok().map(Cow::Owned),
        text => Some(Cow::Borrowed(text)),
    }
}

fn not_json_lines(problem: String) -> ImportError {
    ImportError::WrongFormat { format: FileFormat::Jsonl, problem }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            if fields.len() == super::columns::MOST_COLUMNS {
                return Err(A::Error::custom(format!("more than {} columns", super::columns::MOST_COLUMNS)));
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("the field {name:?} stands there twice")));
            }
            fields.push((name, value));
        }
        Ok(Object(fields))
    }
}

/// A name, borrowed from the line unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(name))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(name.to_owned()))
            }
        }

        deserializer.deserialize_str(Text).map(Name)
    }
}
