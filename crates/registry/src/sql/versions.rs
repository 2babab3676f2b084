//! Versions of models, and the artifacts that they refer to.

use database::{Columns, instant::to_micros};
use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{Connection, DbRow, Store};
use super::{REGISTRY, jobs, objects};
use crate::{JobId, Proposal, RegistryError, Version, VersionState, error::storable_json};

pub(super) async fn propose(
    store: &Store,
    proposal: &Proposal,
    now: Timestamp,
) -> Result<Version, RegistryError> {
    let mut transaction = store.write(REGISTRY).await?;
    proposal.check(&jobs::known(&mut transaction, &proposal.job).await?)?;
    if let Some(made) = of_job(&mut transaction, &proposal.job).await? {
        return Ok(made);
    }
    objects::refer_to(&mut transaction, &proposal.stored(), now).await?;
    insert_version(&mut transaction, proposal, now).await?;
    let made = of_job(&mut transaction, &proposal.job).await?.ok_or(sqlx::Error::RowNotFound)?;
    transaction.commit().await?;
    Ok(made)
}

async fn insert_version(
    db: &mut Connection,
    proposal: &Proposal,
    now: Timestamp,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO version (model, version, job_id, learner, artifact, cut_off, as_of, spec_hash, data_hash,
                              seed, code_version, competed, proposed_at, state, state_since)
         VALUES ($1, (SELECT coalesce(max(version), 0) + 1 FROM version WHERE model = $1),
                 $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12)",
    )
    .bind(proposal.model.as_str())
    .bind(proposal.job.as_str())
    .bind(proposal.learner.as_str())
    .bind(proposal.artifact.to_string())
    .bind(to_micros(proposal.cut_off))
    .bind(to_micros(proposal.as_of))
    .bind(proposal.spec_hash.as_str())
    .bind(proposal.data_hash.as_str())
    .bind(proposal.seed.cast_signed())
    .bind(proposal.code_version.as_str())
    .bind(storable_json("who competed", &proposal.competed)?)
    .bind(to_micros(now))
    .bind(VersionState::Pending.name())
    .execute(db)
    .await?;
    Ok(())
}

/// Moves a version on; one that is in the state already keeps its `state_since`.
pub(super) async fn set_state(
    db: &mut Connection,
    model: &ModelName,
    version: u32,
    state: VersionState,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE version SET state = $1, state_since = $2 WHERE model = $3 AND version = $4 AND state <> $1",
    )
    .bind(state.name())
    .bind(to_micros(now))
    .bind(model.as_str())
    .bind(i64::from(version))
    .execute(db)
    .await?;
    Ok(())
}

/// Refuses the judged candidates since a shift that wait and are older than one that was put into use: nobody looks at
/// them any more.
pub(super) async fn end_superseded(
    db: &mut Connection,
    model: &ModelName,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE version SET state = $1, state_since = $2
         WHERE model = $3 AND state = $4
               AND EXISTS (SELECT 1 FROM job WHERE job.job_id = version.job_id AND job.shift IS NOT NULL)
               AND EXISTS (SELECT 1 FROM decision WHERE decision.job_id = version.job_id)
               AND version < (SELECT max(winner.version) FROM version AS winner
                              JOIN job AS its_job ON its_job.job_id = winner.job_id
                              WHERE winner.model = $3 AND its_job.shift IS NOT NULL
                                    AND winner.state IN ($5, $6))",
    )
    .bind(VersionState::Refused.name())
    .bind(to_micros(now))
    .bind(model.as_str())
    .bind(VersionState::Pending.name())
    .bind(VersionState::Promoted.name())
    .bind(VersionState::Retired.name())
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn of_job(db: &mut Connection, job: &JobId) -> sqlx::Result<Option<Version>> {
    sqlx::query_as("SELECT * FROM version JOIN artifact USING (artifact) WHERE job_id = $1")
        .bind(job.as_str())
        .fetch_optional(db)
        .await
}

pub(super) async fn version(
    db: &mut Connection,
    model: &ModelName,
    version: u32,
) -> sqlx::Result<Option<Version>> {
    sqlx::query_as("SELECT * FROM version JOIN artifact USING (artifact) WHERE model = $1 AND version = $2")
        .bind(model.as_str())
        .bind(i64::from(version))
        .fetch_optional(db)
        .await
}

pub(super) async fn of_model(db: &mut Connection, model: &ModelName) -> sqlx::Result<Vec<Version>> {
    sqlx::query_as("SELECT * FROM version JOIN artifact USING (artifact) WHERE model = $1 ORDER BY version")
        .bind(model.as_str())
        .fetch_all(db)
        .await
}

impl FromRow<'_, DbRow> for Version {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.number("version")?.unwrap_or_default(),
            proposal: Proposal {
                job: row.parsed("job_id")?,
                model: row.parsed("model")?,
                learner: row.parsed("learner")?,
                artifact: row.parsed("artifact")?,
                size_bytes: row.unsigned("size_bytes")?,
                cut_off: row.instant("cut_off")?,
                as_of: row.instant("as_of")?,
                spec_hash: row.try_get("spec_hash")?,
                data_hash: row.try_get("data_hash")?,
                seed: row.unsigned("seed")?,
                code_version: row.try_get("code_version")?,
                competed: row.json("competed")?,
            },
            proposed_at: row.instant("proposed_at")?,
            state: row.parsed("state")?,
            state_since: row.instant("state_since")?,
        })
    }
}
