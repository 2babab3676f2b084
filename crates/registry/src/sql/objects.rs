//! Objects of the artifact store: which are needed, and which were condemned.

use std::collections::BTreeMap;

use database::{
    Columns,
    instant::{from_micros, to_micros},
};
use forecasting::artifact::ArtifactName;
use jiff::Timestamp;
use sqlx::Row;

use super::super::{Connection, DbRow, Store};
use super::REGISTRY;
use crate::{Expired, RegistryError, StoredObject, objects::check_not_condemned};

/// Notes that something is about to refer to an object that was stored at `began` or later.
pub(super) async fn refer_to(
    db: &mut Connection,
    object: &StoredObject,
    began: Timestamp,
) -> Result<(), RegistryError> {
    let deleted_at: Option<Option<i64>> =
        sqlx::query_scalar("SELECT deleted_at FROM artifact WHERE artifact = $1")
            .bind(object.name.to_string())
            .fetch_optional(&mut *db)
            .await?;
    check_not_condemned(object, deleted_at.flatten().map(from_micros).transpose()?, began)?;
    sqlx::query(
        "INSERT INTO artifact (artifact, size_bytes, recorded_at) VALUES ($1, $2, $3)
         ON CONFLICT (artifact) DO UPDATE SET deleted_at = NULL",
    )
    .bind(object.name.to_string())
    .bind(object.size_bytes.cast_signed())
    .bind(to_micros(began))
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn condemn_expired(
    store: &Store,
    expired: &Expired,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ArtifactName>, RegistryError> {
    let mut transaction = store.write(REGISTRY).await?;
    let condemned = sqlx::query(
        "UPDATE artifact SET deleted_at = $1 WHERE artifact IN (
             SELECT artifact FROM artifact AS stored
             WHERE deleted_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM version
                                   WHERE version.artifact = stored.artifact
                                         AND (state NOT IN ('refused', 'retired') OR state_since >= $2))
                   AND NOT EXISTS (SELECT 1 FROM decision
                                   WHERE decision.scored_rows = stored.artifact AND decided_at >= $3)
             ORDER BY recorded_at LIMIT $4)
         RETURNING artifact",
    )
    .bind(to_micros(now))
    .bind(to_micros(expired.versions_before))
    .bind(to_micros(expired.decisions_before))
    .bind(i64::from(limit))
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(condemned.iter().map(|row| row.parsed("artifact")).collect::<sqlx::Result<_>>()?)
}

pub(super) async fn all(
    db: &mut Connection,
    first_byte: u8,
) -> sqlx::Result<BTreeMap<ArtifactName, Option<Timestamp>>> {
    let after_all_digits = || "g".to_owned();
    let rows =
        sqlx::query("SELECT artifact, deleted_at FROM artifact WHERE artifact >= $1 AND artifact < $2")
            .bind(format!("{first_byte:02x}"))
            .bind(first_byte.checked_add(1).map_or_else(after_all_digits, |next| format!("{next:02x}")))
            .fetch_all(db)
            .await?;
    let object = |row: &DbRow| {
        let deleted_at: Option<i64> = row.try_get("deleted_at")?;
        Ok((row.parsed("artifact")?, deleted_at.map(from_micros).transpose()?))
    };
    rows.iter().map(object).collect()
}

pub(super) async fn condemn_unknown(
    store: &Store,
    objects: &[StoredObject],
    now: Timestamp,
) -> Result<Vec<ArtifactName>, RegistryError> {
    let mut transaction = store.write(REGISTRY).await?;
    let mut condemned = Vec::new();
    for object in objects {
        if is_needed(&mut transaction, &object.name).await? {
            continue;
        }
        sqlx::query(
            "INSERT INTO artifact (artifact, size_bytes, recorded_at, deleted_at) VALUES ($1, $2, $3, $3)
             ON CONFLICT (artifact) DO UPDATE SET deleted_at = $3",
        )
        .bind(object.name.to_string())
        .bind(object.size_bytes.cast_signed())
        .bind(to_micros(now))
        .execute(&mut *transaction)
        .await?;
        condemned.push(object.name);
    }
    transaction.commit().await?;
    Ok(condemned)
}

pub(super) async fn is_needed(db: &mut Connection, name: &ArtifactName) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM artifact WHERE artifact = $1 AND deleted_at IS NULL)")
        .bind(name.to_string())
        .fetch_one(db)
        .await
}
