//! Specifications of datasets and models.

use forecasting::{
    names::{DatasetName, ModelName},
    spec::{DatasetSpec, ModelSpec},
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlite_file::{Columns, SqliteFile, instant::to_micros};
use sqlx::{FromRow, Row, SqliteConnection, sqlite::SqliteRow};

use crate::{Applied, RegistryError, Stored, error::storable_json};

pub(super) async fn apply_dataset(
    file: &SqliteFile,
    spec: &DatasetSpec,
    now: Timestamp,
) -> Result<Applied, RegistryError> {
    let json = storable_json("a dataset's specification", spec)?;
    let mut transaction = file.write().await?;
    let current = dataset(&mut transaction, &spec.name).await?;
    let applied = applied(current.as_ref(), &spec.hash());
    if applied.changed {
        sqlx::query("INSERT INTO dataset VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(spec.name.as_str())
            .bind(to_micros(now))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO dataset_spec (dataset, version, hash, spec, applied_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(spec.name.as_str())
        .bind(applied.version)
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
    file: &SqliteFile,
    spec: &ModelSpec,
    now: Timestamp,
) -> Result<Applied, RegistryError> {
    let json = storable_json("a model's specification", spec)?;
    let mut transaction = file.write().await?;
    if dataset(&mut transaction, &spec.dataset).await?.is_none() {
        return Err(RegistryError::UnknownDataset(spec.dataset.clone()));
    }
    let current = model(&mut transaction, &spec.name).await?;
    let applied = applied(current.as_ref(), &spec.hash());
    if applied.changed {
        sqlx::query("INSERT INTO model VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(spec.name.as_str())
            .bind(to_micros(now))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO model_spec (model, version, hash, dataset, spec, applied_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(spec.name.as_str())
        .bind(applied.version)
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
    db: &mut SqliteConnection,
    name: &DatasetName,
) -> sqlx::Result<Option<Stored<DatasetSpec>>> {
    sqlx::query_as("SELECT * FROM dataset_spec WHERE dataset = ? ORDER BY version DESC LIMIT 1")
        .bind(name.as_str())
        .fetch_optional(db)
        .await
}

/// SQLite takes the other columns from the row that has the maximum.
pub(super) async fn datasets(db: &mut SqliteConnection) -> sqlx::Result<Vec<Stored<DatasetSpec>>> {
    sqlx::query_as("SELECT *, max(version) FROM dataset_spec GROUP BY dataset ORDER BY dataset")
        .fetch_all(db)
        .await
}

pub(super) async fn model(
    db: &mut SqliteConnection,
    name: &ModelName,
) -> sqlx::Result<Option<Stored<ModelSpec>>> {
    sqlx::query_as("SELECT * FROM model_spec WHERE model = ? ORDER BY version DESC LIMIT 1")
        .bind(name.as_str())
        .fetch_optional(db)
        .await
}

pub(super) async fn model_by_hash(
    db: &mut SqliteConnection,
    name: &ModelName,
    hash: &str,
) -> sqlx::Result<Option<Stored<ModelSpec>>> {
    sqlx::query_as("SELECT * FROM model_spec WHERE model = ? AND hash = ? ORDER BY version DESC LIMIT 1")
        .bind(name.as_str())
        .bind(hash)
        .fetch_optional(db)
        .await
}

pub(super) async fn models(db: &mut SqliteConnection) -> sqlx::Result<Vec<Stored<ModelSpec>>> {
    sqlx::query_as("SELECT *, max(version) FROM model_spec GROUP BY model ORDER BY model").fetch_all(db).await
}

impl<Spec: DeserializeOwned> FromRow<'_, SqliteRow> for Stored<Spec> {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.try_get("version")?,
            hash: row.try_get("hash")?,
            applied_at: row.instant("applied_at")?,
            spec: row.json("spec")?,
        })
    }
}
