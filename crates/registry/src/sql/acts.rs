//! Acts of people.

use database::{
    Columns,
    instant::{from_micros, to_micros},
};
use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{Connection, DbRow, Store};
use super::{
    REGISTRY,
    decisions::{self, Maker, Succession},
    jobs, objects, versions,
};
use crate::{Act, ActKind, Acted, InForce, NewAct, RegistryError, VersionState, error::storable_json};

/// Compares the generation and sets the incumbent under the write lock, as a decision does.
pub(super) async fn act(store: &Store, new: &NewAct, now: Timestamp) -> Result<Acted, RegistryError> {
    let refusal = new.refusal.as_ref();
    let refusal = refusal.map(|refusal| storable_json("the refusal of an act", refusal)).transpose()?;
    let mut transaction = store.write(REGISTRY).await?;
    if let Some(act) = of_message(&mut transaction, &new.message_id).await? {
        return Ok(Acted::AlreadyRecorded(act));
    }
    jobs::check_model(&mut transaction, &new.model).await?;
    let current = decisions::incumbent(&mut transaction, &new.model).await?;
    let in_force = InForce::at(now, on_model(&mut transaction, &new.model).await?);
    if new.lost_race(current.as_ref(), &in_force) {
        return Ok(Acted::LostRace);
    }
    let act_id = insert(&mut transaction, new, refusal, now).await?;
    if let Some(version) = new.puts_into_use() {
        let known = versions::version(&mut transaction, &new.model, version).await?;
        let known =
            known.ok_or_else(|| RegistryError::UnknownVersion { model: new.model.clone(), version })?;
        if !objects::is_needed(&mut transaction, &known.proposal.artifact).await? {
            return Ok(Acted::ArtifactExpired); // and the transaction ends with nothing changed
        }
        let state = VersionState::Promoted;
        versions::set_state(&mut transaction, &new.model, version, state, now).await?;
        let succession = Succession { model: &new.model, version, maker: Maker::Act(act_id), now };
        succession.carry_out(&mut transaction, current.as_ref()).await?;
    }
    let act = of_message(&mut transaction, &new.message_id).await?.ok_or(sqlx::Error::RowNotFound)?;
    transaction.commit().await?;
    Ok(Acted::Recorded(act))
}

async fn insert(
    db: &mut Connection,
    new: &NewAct,
    refusal: Option<String>,
    now: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO act (message_id, model, kind, target_version, acted_by, act_reason, expires_at, acted_at,
                          refusal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING act_id",
    )
    .bind(new.message_id.as_str())
    .bind(new.model.as_str())
    .bind(new.kind.name())
    .bind(new.kind.version().map(i64::from))
    .bind(new.by.as_str())
    .bind(new.reason.as_str())
    .bind(new.expires.map(to_micros))
    .bind(to_micros(now))
    .bind(refusal)
    .fetch_one(db)
    .await
}

pub(super) async fn of_message(db: &mut Connection, message_id: &str) -> sqlx::Result<Option<Act>> {
    sqlx::query_as("SELECT * FROM act WHERE message_id = $1").bind(message_id).fetch_optional(db).await
}

pub(super) async fn on_model(db: &mut Connection, model: &ModelName) -> sqlx::Result<Vec<Act>> {
    sqlx::query_as("SELECT * FROM act WHERE model = $1 ORDER BY act_id")
        .bind(model.as_str())
        .fetch_all(db)
        .await
}

/// From the columns of an act, also where they stand beside those of what it made or kept out: no other table
/// has columns of these names, but for the model, which is the same.
impl FromRow<'_, DbRow> for Act {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        let refusal: Option<&str> = row.try_get("refusal")?;
        let expires_at: Option<i64> = row.try_get("expires_at")?;
        Ok(Self {
            id: row.unsigned("act_id")?,
            message_id: row.try_get("message_id")?,
            model: row.parsed("model")?,
            kind: kind(row)?,
            by: row.try_get("acted_by")?,
            reason: row.try_get("act_reason")?,
            expires: expires_at.map(from_micros).transpose()?,
            acted_at: row.instant("acted_at")?,
            refusal: refusal.map(|_| row.json("refusal")).transpose()?,
        })
    }
}

fn kind(row: &DbRow) -> sqlx::Result<ActKind> {
    let kind = ActKind::from_parts(row.try_get("kind")?, row.number("target_version")?);
    kind.map_err(|error| sqlx::Error::ColumnDecode { index: "kind".to_owned(), source: error.into() })
}
