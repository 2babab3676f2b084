//! Writes and reads what is known besides values: numbers as observations of a dataset for each covariate, static
//! attributes in a table of their own.

use std::collections::HashMap;

use database::{Columns as _, instant::to_micros};
use forecasting::{
    names::{CovariateName, DatasetName, SeriesId},
    series::{Attribute, Covariates, Grid},
    spec::CovariateSpec,
};
use sqlx::Row as _;

use super::{
    super::{Connection, DbRow, Store},
    read::{one_series, series_of},
    record::{Dataset, dataset_id, series_id},
};
use crate::{
    Range, ReadError, RecordError, Recorded,
    covariates::{Columns, attributes, numbers},
    observations::Change,
};

/// The dataset that holds the numbers of a covariate. No name of a dataset of values has a slash.
fn beside(dataset: &DatasetName, covariate: &CovariateName) -> String {
    format!("{dataset}/{covariate}")
}

/// Records covariates of the series of `values`, which is called `name`.
pub(super) async fn record(
    db: &mut Connection,
    name: &DatasetName,
    values: &Dataset<'_>,
    covariates: &Covariates,
) -> Result<Recorded, RecordError> {
    if covariates.is_empty() {
        return Ok(Recorded::default());
    }
    let Dataset { grid, recorded_at, .. } = *values;
    let mut recorded = Recorded::default();
    for (covariate, numbers) in numbers(covariates, grid) {
        let id = dataset_id(db, &beside(name, covariate), recorded_at).await?;
        let dataset = Dataset { id, beside: Some(values.id), grid, recorded_at };
        recorded.add(dataset.record(db, &numbers).await?);
    }
    let attributes = attributes(covariates)?;
    let said = if attributes.is_empty() { Said::new() } else { said(db, name, i64::MAX).await? };
    for (series, name, attribute) in attributes {
        let known = said.get(&(series.clone(), name.clone())).map(|(at, attribute)| (*at, attribute));
        let change = Change::of_attribute(attribute, known, recorded_at);
        recorded.count(change);
        if let Some(recorded_at) = change.recorded_at() {
            let series = series_id(db, values.id, series, recorded_at).await?.id();
            insert(db, series, name, attribute, recorded_at).await?;
        }
    }
    if recorded.changed_anything() {
        values.revise(db).await?;
    }
    Ok(recorded)
}

async fn insert(
    db: &mut Connection,
    series_id: i64,
    name: &CovariateName,
    attribute: &Attribute,
    recorded_at: i64,
) -> sqlx::Result<()> {
    let (number, text) = match attribute {
        Attribute::Number(number) => (Some(*number), None),
        Attribute::Text(text) => (None, Some(text.as_str())),
    };
    sqlx::query(
        "INSERT INTO attribute (series_id, name, recorded_at, number, text) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(series_id)
    .bind(name.as_str())
    .bind(recorded_at)
    .bind(number)
    .bind(text)
    .execute(db)
    .await?;
    Ok(())
}

/// What each attribute of each series said, as of an instant, and when that was recorded.
type Said = HashMap<(SeriesId, CovariateName), (i64, Attribute)>;

async fn said(db: &mut Connection, dataset: &DatasetName, as_of: i64) -> sqlx::Result<Said> {
    let rows = sqlx::query(
        "SELECT series.name AS series, attribute.name AS name, recorded_at, number, text
         FROM attribute JOIN series USING (series_id) JOIN dataset USING (dataset_id)
         WHERE dataset.name = $1 AND recorded_at <= $2
         ORDER BY recorded_at",
    )
    .bind(dataset.as_str())
    .bind(as_of)
    .fetch_all(db)
    .await?;
    // A later row replaces an earlier one.
    rows.iter()
        .map(|row| {
            Ok(((row.parsed("series")?, row.parsed("name")?), (row.try_get("recorded_at")?, attribute(row)?)))
        })
        .collect()
}

fn attribute(row: &DbRow) -> sqlx::Result<Attribute> {
    match row.try_get::<Option<f64>, _>("number")? {
        Some(number) => Ok(Attribute::Number(number)),
        None => Ok(Attribute::Text(row.parsed("text")?)),
    }
}

pub(super) async fn read(
    store: &Store,
    dataset: &DatasetName,
    grid: &Grid,
    declared: &CovariateSpec,
    range: &Range,
) -> Result<Covariates, ReadError> {
    if declared.is_empty() {
        return Ok(Covariates::default());
    }
    let asked = range.series.as_deref();
    let mut snapshot = store.read().await?; // one state for all columns
    let series = series_of(&mut snapshot, dataset.as_str(), asked).await?;
    let mut columns = Columns::of(series.into_iter().map(|(_, id)| id), grid, declared);
    for name in declared.known().iter().chain(declared.past()) {
        for (series_id, id) in series_of(&mut snapshot, &beside(dataset, name), asked).await? {
            if let Some(numbers) = one_series(&mut snapshot, series_id, &id, grid, range).await? {
                columns.add_numbers(name, numbers);
            }
        }
    }
    if !declared.attributes().is_empty() {
        let as_of = range.as_of.map_or(i64::MAX, to_micros);
        for ((series, name), (_, attribute)) in said(&mut snapshot, dataset, as_of).await? {
            columns.add_attribute(&series, name, attribute);
        }
    }
    Ok(columns.lay())
}
