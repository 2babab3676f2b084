//! Columns beside the values: what each row says in them, and what that makes of a series.

use std::{borrow::Cow, collections::BTreeMap};

use forecasting::{
    names::{AttributeText, CovariateName},
    series::{Attribute, Covariates, Grid, SeriesCovariates},
};
use history::MAX_STEPS;
use jiff::Timestamp;

use super::{
    ImportError, OnDuplicate,
    columns::{CovariateColumn, CovariateKind},
    error::{Place, Unit},
    points::{Amount, Parsed, Row, SeriesPoints, checked, read_number, text},
};

/// More numbers than this, gaps included, are not held: 800 MB.
const MOST_NUMBERS: u64 = 100_000_000;

/// What the rows of one series say besides their values.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// In the order of the file.
    rows: Vec<BesideRow>,
    /// What the first row says of each static attribute, and where it stands.
    attributes: Option<(Vec<String>, Place)>,
}

/// What one row says of covariates that change.
#[derive(Debug)]
struct BesideRow {
    ds: Timestamp,
    at: u64,
    /// One per column that is not static; `NaN` where the row leaves it empty.
    numbers: Box<[f64]>,
}

impl Beside {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Takes the numbers of a row.
    pub(super) fn add_numbers(
        &mut self,
        columns: &[CovariateColumn],
        row: &Row<'_>,
        ds: Timestamp,
        place: Place,
    ) -> Result<(), ImportError> {
        let all = columns.iter().zip(&row.covariates).filter(|(column, _)| !column.is_static());
        let numbers = all.map(|(column, amount)| number(amount, column, place));
        let numbers: Box<[f64]> = numbers.collect::<Result<_, _>>()?;
        self.rows.push(BesideRow { ds, at: place.number, numbers });
        Ok(())
    }

    /// Refuses a row that says something else of a static attribute than the first of its series.
    pub(super) fn check_attributes(
        &mut self,
        columns: &[CovariateColumn],
        row: &Row<'_>,
        place: Place,
    ) -> Result<(), ImportError> {
        let all = || columns.iter().zip(&row.covariates).filter(|(column, _)| column.is_static());
        let texts = all().map(|(column, amount)| attribute(amount, column, place));
        let texts = texts.collect::<Result<Vec<Cow<'_, str>>, _>>()?;
        let Some((first_texts, first_place)) = &self.attributes else {
            if !texts.is_empty() {
                self.attributes = Some((texts.into_iter().map(Cow::into_owned).collect(), place));
            }
            return Ok(());
        };
        for ((column, _), (first, text)) in all().zip(first_texts.iter().zip(&texts)) {
            if first != text && !are_equal_numbers(first, text) {
                let problem = format!(
                    "is {first:?} on {first_place} of the same series: a static attribute never changes (it is known \
                     in advance or past-only, if it does)"
                );
                return Err(ImportError::row(place, &column.column.name, text, problem));
            }
        }
        Ok(())
    }
}

fn number(amount: &Amount<'_>, column: &CovariateColumn, place: Place) -> Result<f64, ImportError> {
    let name = &column.column.name;
    match amount {
        Amount::Text(b"") => Ok(f64::NAN),
        Amount::Text(b"true" | b"True" | b"TRUE") => Ok(1.0),
        Amount::Text(b"false" | b"False" | b"FALSE") => Ok(0.0),
        Amount::Text(bytes) => {
            let text = text(bytes, name, place)?;
            read_number(text).map_err(|problem| {
                let problem = format!("{problem}; a covariate that changes is a number, or true or false");
                ImportError::row(place, name, text, problem)
            })
        }
        Amount::Number(number) if number.is_nan() => Ok(f64::NAN),
        Amount::Number(number) => checked(*number, name, place),
    }
}

fn attribute<'a>(
    amount: &Amount<'a>,
    column: &CovariateColumn,
    place: Place,
) -> Result<Cow<'a, str>, ImportError> {
    match amount {
        Amount::Text(bytes) => text(bytes, &column.column.name, place).map(Cow::Borrowed),
        Amount::Number(number) if number.is_nan() => Ok(Cow::Borrowed("")),
        Amount::Number(number) => {
            checked(*number, &column.column.name, place).map(|number| Cow::Owned(number.to_string()))
        }
    }
}

fn are_equal_numbers(one: &str, other: &str) -> bool {
    read_number(one).is_ok_and(|one| read_number(other) == Ok(one))
}

/// Lays the numbers of each series onto the grid, and tells attributes that are numbers from texts.
pub(super) fn arrange(
    parsed: &mut Parsed,
    grid: &Grid,
    on_duplicate: OnDuplicate,
) -> Result<Covariates, ImportError> {
    let Parsed { series, columns, unit, .. } = parsed;
    let table = Laying {
        columns: &columns.covariates,
        are_numbers: are_numbers(series),
        ds_column: &columns.ds.name,
        unit: *unit,
        grid,
        on_duplicate,
    };
    if table.columns.is_empty() {
        return Ok(Covariates::default());
    }
    let numbers = series.iter().map(|series| table.numbers(&series.beside));
    if numbers.fold(0, u64::saturating_add) > MOST_NUMBERS {
        let what = "numbers of covariates, gaps included";
        return Err(ImportError::TooMany { what, most: MOST_NUMBERS });
    }
    let mut covariates = BTreeMap::new();
    for SeriesPoints { id, beside, .. } in series {
        covariates.insert(id.clone(), table.lay(std::mem::take(beside))?);
    }
    Ok(Covariates::new(covariates))
}

/// For each static attribute, whether all that is said of it are numbers.
fn are_numbers(series: &[SeriesPoints]) -> Vec<bool> {
    let mut are_numbers = Vec::new();
    for (texts, _) in series.iter().filter_map(|series| series.beside.attributes.as_ref()) {
        are_numbers.resize(texts.len(), true);
        for (is_number, text) in are_numbers.iter_mut().zip(texts) {
            *is_number &= text.is_empty() || read_number(text).is_ok();
        }
    }
    are_numbers
}

/// How the rows of a series become its covariates.
struct Laying<'a> {
    columns: &'a [CovariateColumn],
    are_numbers: Vec<bool>,
    ds_column: &'a str,
    unit: Unit,
    grid: &'a Grid,
    on_duplicate: OnDuplicate,
}

impl Laying<'_> {
    /// How many numbers the rows of a series will be, gaps included.
    fn numbers(&self, beside: &Beside) -> u64 {
        let times = || beside.rows.iter().map(|row| row.ds);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return 0 };
        let steps = u64::try_from(self.grid.steps_up_to(first, last) + 1).unwrap_or(0);
        steps.saturating_mul(self.changing().count() as u64)
    }

    /// The columns that are not static, in the order of a row's numbers.
    fn changing(&self) -> impl Iterator<Item = &CovariateColumn> {
        self.columns.iter().filter(|column| !column.is_static())
    }

    fn lay(&self, beside: Beside) -> Result<SeriesCovariates, ImportError> {
        let Beside { mut rows, attributes } = beside;
        rows.sort_by_key(|row| (row.ds, row.at));
        let start = rows.first().map_or(Timestamp::UNIX_EPOCH, |row| row.ds);
        let mut laid = SeriesCovariates::none(start);
        let mut columns: Vec<Vec<f64>> = self.changing().map(|_| Vec::new()).collect();
        for same in rows.chunk_by(|one, next| one.ds == next.ds) {
            let row = self.only(same)?;
            let index = self.index(start, row)?;
            for (column, number) in columns.iter_mut().zip(row.numbers.iter()) {
                column.resize(index, f64::NAN);
                column.push(*number);
            }
        }
        for (column, numbers) in self.changing().zip(columns) {
            let is_past = column.kind == CovariateKind::Past;
            let of_kind = if is_past { &mut laid.past } else { &mut laid.known };
            of_kind.insert(column.name.clone(), numbers);
        }
        if let Some((texts, place)) = attributes {
            laid.attributes = self.attributes(&texts, place)?;
        }
        Ok(laid)
    }

    /// Steps from the first row of the series.
    fn index(&self, start: Timestamp, row: &BesideRow) -> Result<usize, ImportError> {
        let steps = self.grid.steps_between(start, row.ds).map_err(|off| {
            ImportError::row(self.place(row), self.ds_column, &row.ds.to_string(), off.to_string())
        })?;
        let index = usize::try_from(steps).ok().filter(|&index| index < MAX_STEPS);
        index.ok_or(ImportError::TooMany { what: "steps of one series", most: MAX_STEPS as u64 })
    }

    /// The row that counts among those of one time. Only values can be added up.
    fn only<'r>(&self, same: &'r [BesideRow]) -> Result<&'r BesideRow, ImportError> {
        let (first, last) = (&same[0], &same[same.len() - 1]);
        match self.on_duplicate {
            OnDuplicate::First => Ok(first),
            OnDuplicate::Last => Ok(last),
            OnDuplicate::Error | OnDuplicate::Sum | OnDuplicate::Mean => {
                same.iter().try_for_each(|row| self.check_same(first, row))?;
                Ok(first)
            }
        }
    }

    fn check_same(&self, first: &BesideRow, row: &BesideRow) -> Result<(), ImportError> {
        let numbers = first.numbers.iter().zip(row.numbers.iter());
        let mut both = self.changing().zip(numbers);
        let differ = |(first, other): &(&f64, &f64)| first != other && !(first.is_nan() && other.is_nan());
        let Some((column, (was, is))) = both.find(|(_, numbers)| differ(numbers)) else {
            return Ok(());
        };
        let written = |number: &f64| if number.is_nan() { String::new() } else { number.to_string() };
        let problem = format!(
            "is {:?} on {} of the same series and time (--on-duplicate last or first)",
            written(was),
            self.place(first)
        );
        Err(ImportError::row(self.place(row), &column.column.name, &written(is), problem))
    }

    fn attributes(
        &self,
        texts: &[String],
        place: Place,
    ) -> Result<BTreeMap<CovariateName, Attribute>, ImportError> {
        let columns = self.columns.iter().filter(|column| column.is_static());
        let mut attributes = BTreeMap::new();
        for (column, (text, is_number)) in columns.zip(texts.iter().zip(&self.are_numbers)) {
            let refused = |problem: &'static str| ImportError::row(place, &column.column.name, text, problem);
            let attribute = if text.is_empty() {
                continue;
            } else if *is_number {
                Attribute::Number(read_number(text).map_err(refused)?)
            } else {
                Attribute::Text(
                    AttributeText::new(text.as_str()).map_err(|invalid| refused(invalid.problem))?,
                )
            };
            attributes.insert(column.name.clone(), attribute);
        }
        Ok(attributes)
    }

    fn place(&self, row: &BesideRow) -> Place {
        Place { unit: self.unit, number: row.at }
    }
}
