//! The bank of edge cases.

use database::{
    Columns,
    instant::{from_micros, to_micros},
};
use forecasting::{
    gate::{EdgeCase, ErrorBound},
    names::ModelName,
};
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{Connection, DbRow, Store};
use super::{REGISTRY, jobs};
use crate::{
    EdgeCaseAdded, EdgeCaseRetired, NewEdgeCase, RegistryError, Retirement, Statement, StoredEdgeCase,
    edge_cases::Place, error::storable_json,
};

pub(super) async fn add(
    store: &Store,
    new: &NewEdgeCase,
    now: Timestamp,
) -> Result<EdgeCaseAdded, RegistryError> {
    let bound = new.storable_bound();
    let series = storable_json("the series of an edge case", &bound.series)?;
    storable_json("an edge case", &bound)?;
    let mut transaction = store.write(REGISTRY).await?;
    jobs::check_model(&mut transaction, &new.model).await?;
    let cases = of_model(&mut transaction, &new.model).await?;
    let number = match new.place(&cases) {
        Place::Number(number) => number,
        Place::Same(case) => return Ok(EdgeCaseAdded::ThereAlready(case.clone())),
        Place::Full => return Ok(EdgeCaseAdded::BankFull),
    };
    sqlx::query(
        "INSERT INTO edge_case (model, number, series, targets_from, targets_to, error_limit, added_by,
                                add_reason, added_at, looks)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
    )
    .bind(new.model.as_str())
    .bind(i64::from(number))
    .bind(series)
    .bind(to_micros(bound.from))
    .bind(to_micros(bound.to))
    .bind(bound.limit)
    .bind(new.wanted.by.as_str())
    .bind(new.wanted.reason.as_str())
    .bind(to_micros(now))
    .execute(&mut *transaction)
    .await?;
    let added = case(&mut transaction, &new.model, number).await?.ok_or(sqlx::Error::RowNotFound)?;
    transaction.commit().await?;
    Ok(EdgeCaseAdded::Recorded(added))
}

pub(super) async fn retire(
    store: &Store,
    model: &ModelName,
    number: u32,
    wanted: &Statement,
    now: Timestamp,
) -> Result<EdgeCaseRetired, RegistryError> {
    let mut transaction = store.write(REGISTRY).await?;
    jobs::check_model(&mut transaction, model).await?;
    match case(&mut transaction, model, number).await? {
        None => return Ok(EdgeCaseRetired::Unknown),
        Some(case) if !case.is_active() => return Ok(EdgeCaseRetired::RetiredBefore(case)),
        Some(_) => {}
    }
    sqlx::query(
        "UPDATE edge_case SET retired_by = $3, retire_reason = $4, retired_at = $5
         WHERE model = $1 AND number = $2",
    )
    .bind(model.as_str())
    .bind(i64::from(number))
    .bind(wanted.by.as_str())
    .bind(wanted.reason.as_str())
    .bind(to_micros(now))
    .execute(&mut *transaction)
    .await?;
    let retired = case(&mut transaction, model, number).await?.ok_or(sqlx::Error::RowNotFound)?;
    transaction.commit().await?;
    Ok(EdgeCaseRetired::Recorded(retired))
}

/// Counts a look at each of these cases, in the transaction of the decision that is a look.
pub(super) async fn count_looks(db: &mut Connection, model: &ModelName, numbers: &[u32]) -> sqlx::Result<()> {
    for number in numbers {
        sqlx::query("UPDATE edge_case SET looks = looks + 1 WHERE model = $1 AND number = $2")
            .bind(model.as_str())
            .bind(i64::from(*number))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn case(db: &mut Connection, model: &ModelName, number: u32) -> sqlx::Result<Option<StoredEdgeCase>> {
    sqlx::query_as("SELECT * FROM edge_case WHERE model = $1 AND number = $2")
        .bind(model.as_str())
        .bind(i64::from(number))
        .fetch_optional(db)
        .await
}

pub(super) async fn of_model(db: &mut Connection, model: &ModelName) -> sqlx::Result<Vec<StoredEdgeCase>> {
    sqlx::query_as("SELECT * FROM edge_case WHERE model = $1 ORDER BY number")
        .bind(model.as_str())
        .fetch_all(db)
        .await
}

impl FromRow<'_, DbRow> for StoredEdgeCase {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        let bound = ErrorBound {
            series: row.json("series")?,
            from: row.instant("targets_from")?,
            to: row.instant("targets_to")?,
            limit: row.try_get("error_limit")?,
        };
        Ok(Self {
            model: row.parsed("model")?,
            case: EdgeCase { number: row.number("number")?.unwrap_or_default(), bound },
            added: Statement { by: row.try_get("added_by")?, reason: row.try_get("add_reason")? },
            added_at: row.instant("added_at")?,
            looks: row.unsigned("looks")?,
            retired: retirement(row)?,
        })
    }
}

fn retirement(row: &DbRow) -> sqlx::Result<Option<Retirement>> {
    let Some(at) = row.try_get::<Option<i64>, _>("retired_at")? else { return Ok(None) };
    let wanted = Statement { by: row.try_get("retired_by")?, reason: row.try_get("retire_reason")? };
    Ok(Some(Retirement { wanted, at: from_micros(at)? }))
}
