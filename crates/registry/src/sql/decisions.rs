//! Decisions and the incumbents that they make.

use database::{Columns, instant::to_micros};
use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{Connection, DbRow, Store};
use super::{REGISTRY, acts, edge_cases, jobs, objects, versions};
use crate::{
    Act, Decided, Decision, InForce, Incumbent, JobId, MAX_LOOKS, MadeBy, NewDecision, RegistryError,
    StoredObject, VersionState,
    decisions::{Deed, was_ended},
    error::storable_json,
    incumbents::succession,
};

/// Compares the generation and sets the incumbent under the write lock, taken before the first read: of
/// any number of gatekeepers that judged against one generation, one finds it unchanged.
pub(super) async fn decide(
    store: &Store,
    new: &NewDecision,
    now: Timestamp,
) -> Result<Decided, RegistryError> {
    let judgement = storable_json("a judgement", &new.judgement)?;
    let mut transaction = store.write(REGISTRY).await?;
    let latest = match of_job(&mut transaction, &new.job).await? {
        Some(decision) if !decision.awaits(new.look) => return Ok(Decided::AlreadyDecided(decision)),
        latest => latest,
    };
    let job = jobs::known(&mut transaction, &new.job).await?;
    let candidate = versions::of_job(&mut transaction, &new.job).await?;
    if let Some(decision) = latest.as_ref().filter(|_| was_ended(candidate.as_ref())) {
        return Ok(Decided::AlreadyDecided(decision.clone()));
    }
    new.check(&job, candidate.as_ref(), latest.as_ref())?;
    let current = incumbent(&mut transaction, &new.model).await?;
    let bank = edge_cases::of_model(&mut transaction, &new.model).await?;
    if new.lost_race(current.as_ref()) || new.has_missed_one_of(&bank) {
        return Ok(Decided::LostRace { incumbent: current });
    }
    if let Some(rows) = &new.scored_rows {
        objects::refer_to(&mut transaction, rows, now).await?;
    }
    let in_force = InForce::at(now, acts::on_model(&mut transaction, &new.model).await?);
    let deed = new.deed(candidate.as_ref(), &in_force);
    let decision_id = insert(&mut transaction, new, judgement, &deed, now).await?;
    if let (Some(version), Some(state)) = (new.version, deed.state) {
        versions::set_state(&mut transaction, &new.model, version, state, now).await?;
        if deed.promotes {
            let maker = Maker::Decision(decision_id);
            let succession = Succession { model: &new.model, version, maker, now };
            succession.carry_out(&mut transaction, current.as_ref()).await?;
        }
    }
    if job.shift.is_some() {
        versions::end_superseded(&mut transaction, &new.model, now).await?;
    }
    edge_cases::count_looks(&mut transaction, &new.model, &new.replayed_edge_cases()).await?;
    let decision = of_job(&mut transaction, &new.job).await?.ok_or(sqlx::Error::RowNotFound)?;
    transaction.commit().await?;
    Ok(Decided::Recorded(decision))
}

async fn insert(
    db: &mut Connection,
    new: &NewDecision,
    judgement: String,
    deed: &Deed,
    now: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO decision (job_id, look, model, version, judged_against, verdict, judgement, decided_at,
                               scored_rows, barred_by, as_of)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING decision_id",
    )
    .bind(new.job.as_str())
    .bind(i64::from(new.look))
    .bind(new.model.as_str())
    .bind(new.version.map(i64::from))
    .bind(new.judged_against.map(u64::cast_signed))
    .bind(new.judgement.verdict.name())
    .bind(judgement)
    .bind(to_micros(now))
    .bind(new.scored_rows.map(|rows| rows.name.to_string()))
    .bind(deed.barred_by.as_ref().map(|act| act.id.cast_signed()))
    .bind(to_micros(new.as_of))
    .fetch_one(db)
    .await
}

/// A version that becomes the incumbent.
pub(super) struct Succession<'a> {
    pub(super) model: &'a ModelName,
    pub(super) version: u32,
    pub(super) maker: Maker,
    pub(super) now: Timestamp,
}

/// The row that makes an incumbent.
pub(super) enum Maker {
    Decision(i64),
    Act(i64),
}

impl Succession<'_> {
    pub(super) async fn carry_out(
        &self,
        db: &mut Connection,
        current: Option<&Incumbent>,
    ) -> sqlx::Result<()> {
        if let Some(current) = current {
            versions::set_state(db, self.model, current.version, VersionState::Retired, self.now).await?;
        }
        let (generation, since) = succession(current, self.now);
        let (decision_id, act_id) = match self.maker {
            Maker::Decision(id) => (Some(id), None),
            Maker::Act(id) => (None, Some(id)),
        };
        sqlx::query(
            "INSERT INTO incumbent (model, generation, version, previous_version, decision_id, act_id,
                                    incumbent_since)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.model.as_str())
        .bind(generation.cast_signed())
        .bind(i64::from(self.version))
        .bind(current.map(|current| i64::from(current.version)))
        .bind(decision_id)
        .bind(act_id)
        .bind(to_micros(since))
        .execute(db)
        .await?;
        Ok(())
    }
}

/// A decision with the incumbent that it made, if it made one, and the act that barred it, if one did.
macro_rules! select_decisions {
    ($rest:literal) => {
        concat!(
            "SELECT decision.*, incumbent.generation, incumbent.previous_version, incumbent.incumbent_since,
                    artifact.artifact, artifact.size_bytes, scored.size_bytes AS scored_rows_bytes,
                    act.act_id, act.message_id, act.kind, act.target_version, act.acted_by, act.act_reason,
                    act.expires_at, act.acted_at, act.refusal
             FROM decision
             LEFT JOIN act ON act.act_id = decision.barred_by
             LEFT JOIN artifact AS scored ON scored.artifact = decision.scored_rows
             LEFT JOIN incumbent USING (decision_id)
             LEFT JOIN version ON version.model = incumbent.model AND version.version = incumbent.version
             LEFT JOIN artifact ON artifact.artifact = version.artifact ",
            $rest
        )
    };
}

pub(super) async fn of_job(db: &mut Connection, job: &JobId) -> sqlx::Result<Option<Decision>> {
    sqlx::query_as(select_decisions!("WHERE decision.job_id = $1 ORDER BY look DESC LIMIT 1"))
        .bind(job.as_str())
        .fetch_optional(db)
        .await
}

pub(super) async fn looks_of_job(db: &mut Connection, job: &JobId) -> sqlx::Result<Vec<Decision>> {
    sqlx::query_as(select_decisions!("WHERE decision.job_id = $1 ORDER BY look"))
        .bind(job.as_str())
        .fetch_all(db)
        .await
}

/// Of candidates that were trained since a shift only the newest one that was not refused waits.
pub(super) async fn waiting(db: &mut Connection) -> sqlx::Result<Vec<Decision>> {
    let latest: Vec<Decision> = sqlx::query_as(select_decisions!(
        "WHERE verdict = 'not-enough-evidence'
               AND EXISTS (SELECT 1 FROM version AS candidate
                           JOIN job AS its_job ON its_job.job_id = candidate.job_id
                           WHERE candidate.job_id = decision.job_id AND candidate.state = 'pending'
                                 AND (decision.look < $1 OR its_job.shift IS NOT NULL)
                                 AND (its_job.shift IS NULL OR NOT EXISTS (
                                          SELECT 1 FROM version AS newer
                                          JOIN job AS newer_job ON newer_job.job_id = newer.job_id
                                          WHERE newer.model = candidate.model
                                                AND newer.version > candidate.version
                                                AND newer.state <> 'refused'
                                                AND newer_job.shift IS NOT NULL)))
               AND NOT EXISTS (SELECT 1 FROM decision AS later
                               WHERE later.job_id = decision.job_id AND later.look > decision.look)
         ORDER BY decision_id"
    ))
    .bind(i64::from(MAX_LOOKS))
    .fetch_all(db)
    .await?;
    Ok(latest.into_iter().filter(|decision| decision.awaits(decision.look + 1)).collect())
}

pub(super) async fn of_model(
    db: &mut Connection,
    model: &ModelName,
    limit: u32,
) -> sqlx::Result<Vec<Decision>> {
    sqlx::query_as(select_decisions!("WHERE decision.model = $1 ORDER BY decision_id DESC LIMIT $2"))
        .bind(model.as_str())
        .bind(i64::from(limit))
        .fetch_all(db)
        .await
}

macro_rules! select_incumbents {
    ($rest:literal) => {
        concat!(
            "SELECT incumbent.*, artifact.artifact, artifact.size_bytes, act.message_id, act.kind,
                    act.target_version, act.acted_by, act.act_reason, act.expires_at, act.acted_at, act.refusal
             FROM incumbent
             JOIN version ON version.model = incumbent.model AND version.version = incumbent.version
             JOIN artifact ON artifact.artifact = version.artifact
             LEFT JOIN act ON act.act_id = incumbent.act_id ",
            $rest
        )
    };
}

pub(super) async fn incumbent(db: &mut Connection, model: &ModelName) -> sqlx::Result<Option<Incumbent>> {
    sqlx::query_as(select_incumbents!("WHERE incumbent.model = $1 ORDER BY generation DESC LIMIT 1"))
        .bind(model.as_str())
        .fetch_optional(db)
        .await
}

pub(super) async fn incumbents(db: &mut Connection) -> sqlx::Result<Vec<Incumbent>> {
    sqlx::query_as(select_incumbents!(
        "WHERE (incumbent.model, generation) IN (SELECT model, max(generation) FROM incumbent GROUP BY model)
         ORDER BY incumbent.model"
    ))
    .fetch_all(db)
    .await
}

pub(super) async fn incumbent_history(
    db: &mut Connection,
    model: &ModelName,
) -> sqlx::Result<Vec<Incumbent>> {
    sqlx::query_as(select_incumbents!("WHERE incumbent.model = $1 ORDER BY generation"))
        .bind(model.as_str())
        .fetch_all(db)
        .await
}

impl FromRow<'_, DbRow> for Incumbent {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        Ok(Self {
            model: row.parsed("model")?,
            version: row.number("version")?.unwrap_or_default(),
            generation: row.unsigned("generation")?,
            artifact: row.parsed("artifact")?,
            size_bytes: row.unsigned("size_bytes")?,
            since: row.instant("incumbent_since")?,
            previous_version: row.number("previous_version")?,
            made_by: made_by(row)?,
        })
    }
}

fn made_by(row: &DbRow) -> sqlx::Result<MadeBy> {
    match row.try_get::<Option<i64>, _>("decision_id")? {
        Some(id) => Ok(MadeBy::Decision(id.cast_unsigned())),
        None => Act::from_row(row).map(Box::new).map(MadeBy::Act),
    }
}

impl FromRow<'_, DbRow> for Decision {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        let made_an_incumbent = row.try_get::<Option<i64>, _>("generation")?.is_some();
        let was_barred = row.try_get::<Option<i64>, _>("act_id")?.is_some();
        Ok(Self {
            id: row.unsigned("decision_id")?,
            job: row.parsed("job_id")?,
            model: row.parsed("model")?,
            version: row.number("version")?,
            judged_against: row.try_get::<Option<i64>, _>("judged_against")?.map(i64::cast_unsigned),
            look: row.number("look")?.unwrap_or_default(),
            as_of: row.instant("as_of")?,
            judgement: row.json("judgement")?,
            scored_rows: scored_rows(row)?,
            decided_at: row.instant("decided_at")?,
            promoted: made_an_incumbent.then(|| Incumbent::from_row(row)).transpose()?,
            barred_by: was_barred.then(|| Act::from_row(row)).transpose()?,
        })
    }
}

fn scored_rows(row: &DbRow) -> sqlx::Result<Option<StoredObject>> {
    if row.try_get::<Option<&str>, _>("scored_rows")?.is_none() {
        return Ok(None);
    }
    Ok(Some(StoredObject {
        name: row.parsed("scored_rows")?,
        size_bytes: row.unsigned("scored_rows_bytes")?,
    }))
}
