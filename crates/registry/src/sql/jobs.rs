//! Train jobs, and the ticks of the schedules that publish them.

use database::{
    Columns,
    instant::{from_micros, to_micros},
};
use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{Connection, DbRow, Store};
use super::REGISTRY;
use crate::{Job, JobId, RegistryError, error::storable_json};

pub(super) async fn record(store: &Store, new: &Job, now: Timestamp) -> Result<Job, RegistryError> {
    let learners = storable_json("the learners of a job", &new.learners)?;
    let mut transaction = store.write(REGISTRY).await?;
    check_model(&mut transaction, &new.model).await?;
    sqlx::query(
        "INSERT INTO job (job_id, model, spec_hash, as_of, cut_off, learners, reason, recorded_at,
                          shift)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(new.id.as_str())
    .bind(new.model.as_str())
    .bind(new.spec_hash.as_str())
    .bind(to_micros(new.as_of))
    .bind(to_micros(new.cut_off))
    .bind(learners)
    .bind(new.reason.as_str())
    .bind(to_micros(now))
    .bind(new.shift.map(to_micros))
    .execute(&mut *transaction)
    .await?;
    let recorded = known(&mut transaction, &new.id).await?;
    transaction.commit().await?;
    Ok(recorded)
}

pub(super) async fn job(db: &mut Connection, id: &JobId) -> sqlx::Result<Option<Job>> {
    sqlx::query_as("SELECT * FROM job WHERE job_id = $1").bind(id.as_str()).fetch_optional(db).await
}

/// A job that must be there.
pub(super) async fn known(db: &mut Connection, id: &JobId) -> Result<Job, RegistryError> {
    job(db, id).await?.ok_or_else(|| RegistryError::UnknownJob(id.clone()))
}

pub(super) async fn check_model(db: &mut Connection, model: &ModelName) -> Result<(), RegistryError> {
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM model WHERE model = $1)")
        .bind(model.as_str())
        .fetch_one(db)
        .await?;
    if known { Ok(()) } else { Err(RegistryError::UnknownModel(model.clone())) }
}

pub(super) async fn last_tick(db: &mut Connection, model: &ModelName) -> sqlx::Result<Option<Timestamp>> {
    let tick: Option<i64> = sqlx::query_scalar("SELECT max(tick) FROM schedule_tick WHERE model = $1")
        .bind(model.as_str())
        .fetch_one(db)
        .await?;
    tick.map(from_micros).transpose()
}

pub(super) async fn record_tick(
    store: &Store,
    model: &ModelName,
    tick: Timestamp,
    now: Timestamp,
) -> Result<(), RegistryError> {
    let mut transaction = store.write(REGISTRY).await?;
    check_model(&mut transaction, model).await?;
    sqlx::query(
        "INSERT INTO schedule_tick (model, tick, recorded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(model.as_str())
    .bind(to_micros(tick))
    .bind(to_micros(now))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

impl FromRow<'_, DbRow> for Job {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        let shift: Option<i64> = row.try_get("shift")?;
        Ok(Self {
            id: row.parsed("job_id")?,
            model: row.parsed("model")?,
            spec_hash: row.try_get("spec_hash")?,
            as_of: row.instant("as_of")?,
            cut_off: row.instant("cut_off")?,
            learners: row.json("learners")?,
            reason: row.try_get("reason")?,
            shift: shift.map(from_micros).transpose()?,
        })
    }
}
