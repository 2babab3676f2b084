//! Specifications of datasets and models.

use database::{Columns, instant::to_micros};
use forecasting::{
    names::{DatasetName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{FromRow, Row};

use super::super::{Connection, DbRow, Store};
use super::REGISTRY;
use crate::{Applied, RegistryError, Stored, error::storable_json};

pub(super) async fn apply_dataset(
    store: &Store,
    spec: &DatasetSpec,
    now: Timestamp,
) -> Result<Applied, RegistryError> {
    let json = storable_json("a dataset's specification", spec)?;
    let mut transaction = store.write(REGISTRY).await?;
    let current = dataset(&mut transaction, &spec.name).await?;
    let applied = applied(current.as_ref(), &spec.hash());
    if applied.changed {
        sqlx::query("INSERT INTO dataset VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(spec.name.as_str())
            .bind(to_micros(now))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO dataset_spec (dataset, version, hash, spec, applied_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(spec.name.as_str())
        .bind(i64::from(applied.version))
        .bind(spec.hash())
        .bind(json)
        .bind(to_micros(now))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(applied)
}

pub(super) async fn apply_model(
    store: &Store,
    spec: &ModelSpec,
    now: Timestamp,
) -> Result<Applied, RegistryError> {
    let json = storable_json("a model's specification", spec)?;
    let mut transaction = store.write(REGISTRY).await?;
    if dataset(&mut transaction, &spec.dataset).await?.is_none() {
        return Err(RegistryError::UnknownDataset(spec.dataset.clone()));
    }
    let current = model(&mut transaction, &spec.name).await?;
    let applied = applied(current.as_ref(), &spec.hash());
    if applied.changed {
        sqlx::query("INSERT INTO model VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(spec.name.as_str())
            .bind(to_micros(now))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO model_spec (model, version, hash, dataset, spec, applied_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(spec.name.as_str())
        .bind(i64::from(applied.version))
        .bind(spec.hash())
        .bind(spec.dataset.as_str())
        .bind(json)
        .bind(to_micros(now))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(applied)
}

fn applied<Spec>(current: Option<&Stored<Spec>>, hash: &str) -> Applied {
    match current {
        None => Applied { version: 1, changed: true },
        Some(current) if current.hash == hash => Applied { version: current.version, changed: false },
        Some(current) => Applied { version: current.version + 1, changed: true },
    }
}

pub(super) async fn dataset(
    db: &mut Connection,
    name: &DatasetName,
) -> sqlx::Result<Option<Stored<DatasetSpec>>> {
    sqlx::query_as("SELECT * FROM dataset_spec WHERE dataset = $1 ORDER BY version DESC LIMIT 1")
        .bind(name.as_str())
        .fetch_optional(db)
        .await
}

pub(super) async fn dataset_by_hash(
    db: &mut Connection,
    name: &DatasetName,
    hash: &str,
) -> sqlx::Result<Option<Stored<DatasetSpec>>> {
    sqlx::query_as(
        "SELECT * FROM dataset_spec WHERE dataset = $1 AND hash = $2 ORDER BY version DESC LIMIT 1",
    )
    .bind(name.as_str())
    .bind(hash)
    .fetch_optional(db)
    .await
}

pub(super) async fn datasets(db: &mut Connection) -> sqlx::Result<Vec<Stored<DatasetSpec>>> {
    sqlx::query_as(
        "SELECT * FROM dataset_spec
         WHERE (dataset, version) IN (SELECT dataset, max(version) FROM dataset_spec GROUP BY dataset)
         ORDER BY dataset",
    )
    .fetch_all(db)
    .await
}

pub(super) async fn model(db: &mut Connection, name: &ModelName) -> sqlx::Result<Option<Stored<ModelSpec>>> {
    sqlx::query_as("SELECT * FROM model_spec WHERE model = $1 ORDER BY version DESC LIMIT 1")
        .bind(name.as_str())
        .fetch_optional(db)
        .await
}

pub(super) async fn model_by_hash(
    db: &mut Connection,
    name: &ModelName,
    hash: &str,
) -> sqlx::Result<Option<Stored<ModelSpec>>> {
    sqlx::query_as("SELECT * FROM model_spec WHERE model = $1 AND hash = $2 ORDER BY version DESC LIMIT 1")
        .bind(name.as_str())
        .bind(hash)
        .fetch_optional(db)
        .await
}

pub(super) async fn models(db: &mut Connection) -> sqlx::Result<Vec<Stored<ModelSpec>>> {
    sqlx::query_as(
        "SELECT * FROM model_spec
         WHERE (model, version) IN (SELECT model, max(version) FROM model_spec GROUP BY model)
         ORDER BY model",
    )
    .fetch_all(db)
    .await
}

impl<Spec: DeserializeOwned> FromRow<'_, DbRow> for Stored<Spec> {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.number("version")?.unwrap_or_default(),
            hash: row.try_get("hash")?,
            applied_at: row.instant("applied_at")?,
            spec: row.json("spec")?,
        })
    }
}
