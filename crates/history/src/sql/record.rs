//! Writes observations: what is known of a series is looked up in large steps, what is new is written in
//! large steps.

use std::collections::HashMap;

use database::instant::{from_micros, to_micros};
use forecasting::{
    names::{DatasetName, SeriesId},
    series::Grid,
};
use jiff::Timestamp;

use super::{
    super::{Connection, Store, dialect},
    covariates,
};
use crate::{
    Observation, ObservationMessage, RecordError, Recorded, RecordedRows, Rows,
    observations::{Batch, Change, Ends, Known, NewRow, Point, refuse_unreadable},
};

/// Steps that one statement looks up.
const STEPS_PER_LOOKUP: usize = 5_000;

pub(super) async fn record_rows(
    store: &Store,
    dataset: &DatasetName,
    grid: &Grid,
    rows: Rows<'_>,
    recorded_at: Timestamp,
) -> Result<RecordedRows, RecordError> {
    let mut transaction = store.write(dataset.as_str()).await?;
    let values = Dataset::of_values(&mut transaction, dataset, grid, to_micros(recorded_at)).await?;
    let recorded = RecordedRows {
        values: values.record(&mut transaction, rows.observations).await?,
        covariates: covariates::record(&mut transaction, dataset, &values, rows.covariates).await?,
    };
    transaction.commit().await?;
    Ok(recorded)
}

/// One transaction, whose price at the end is most of the price of a small message; what a bad message did is
/// undone up to its savepoint. An import writes a dataset for minutes: messages come again rather than wait for it.
pub(super) async fn record_messages(
    store: &Store,
    dataset: &DatasetName,
    grid: &Grid,
    messages: &[ObservationMessage],
    recorded_at: Timestamp,
) -> Result<Vec<Result<Recorded, RecordError>>, RecordError> {
    let mut transaction = store.write_unless_locked(dataset.as_str()).await?;
    let dataset = Dataset::of_values(&mut transaction, dataset, grid, to_micros(recorded_at)).await?;
    let mut outcomes = Vec::with_capacity(messages.len());
    for message in messages {
        sqlx::query("SAVEPOINT message").execute(&mut *transaction).await?;
        match dataset.record_once(&mut transaction, message).await {
            Err(RecordError::Unavailable(fault)) => return Err(RecordError::Unavailable(fault)),
            Err(refused) => {
                sqlx::query("ROLLBACK TO message").execute(&mut *transaction).await?;
                outcomes.push(Err(refused));
            }
            Ok(recorded) => outcomes.push(Ok(recorded)),
        }
        sqlx::query("RELEASE message").execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(outcomes)
}

/// A dataset that observations are written to.
pub(super) struct Dataset<'a> {
    pub(super) id: i64,
    /// The dataset of the values, if these are numbers of a covariate beside them.
    pub(super) beside: Option<i64>,
    pub(super) grid: &'a Grid,
    pub(super) recorded_at: i64,
}

impl<'a> Dataset<'a> {
    async fn of_values(
        db: &mut Connection,
        name: &DatasetName,
        grid: &'a Grid,
        recorded_at: i64,
    ) -> sqlx::Result<Self> {
        Ok(Self { id: dataset_id(db, name.as_str(), recorded_at).await?, beside: None, grid, recorded_at })
    }

    async fn record_once(
        &self,
        db: &mut Connection,
        message: &ObservationMessage,
    ) -> Result<Recorded, RecordError> {
        if let Some(recorded) = self.handled(db, &message.message_id).await? {
            return Ok(recorded);
        }
        let recorded = self.record(db, &message.observations).await?;
        sqlx::query(
            "INSERT INTO handled_message (dataset_id, message_id, recorded_at, new, corrected, unchanged)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.id)
        .bind(message.message_id.as_str())
        .bind(self.recorded_at)
        .bind(recorded.new.cast_signed())
        .bind(recorded.corrected.cast_signed())
        .bind(recorded.unchanged.cast_signed())
        .execute(db)
        .await?;
        Ok(recorded)
    }

    /// What a message told that was recorded before.
    async fn handled(&self, db: &mut Connection, message_id: &str) -> sqlx::Result<Option<Recorded>> {
        let found: Option<(i64, i64, i64)> = sqlx::query_as(
            "SELECT new, corrected, unchanged FROM handled_message WHERE dataset_id = $1 AND message_id = $2",
        )
        .bind(self.id)
        .bind(message_id)
        .fetch_optional(db)
        .await?;
        Ok(found.map(|(new, corrected, unchanged)| Recorded {
            new: new.cast_unsigned(),
            corrected: corrected.cast_unsigned(),
            unchanged: unchanged.cast_unsigned(),
        }))
    }

    pub(super) async fn record(
        &self,
        db: &mut Connection,
        observations: &[Observation],
    ) -> Result<Recorded, RecordError> {
        let batch = Batch::new(observations)?;
        let mut recorded = Recorded { unchanged: batch.repeated, ..Recorded::default() };
        let mut rows = NewRows::default();
        for (id, points) in batch.series {
            let series = series_id(db, self.id, id, self.recorded_at).await?;
            // The caller undoes the series before.
            refuse_unreadable(id, self.grid, &points, series.ends(db).await?)?;
            if let Some(values) = self.beside {
                let values = series_id(db, values, id, self.recorded_at).await?;
                refuse_unreadable(id, self.grid, &points, values.ends(db).await?)?;
            }
            for points in points.chunks(STEPS_PER_LOOKUP) {
                let known = match series {
                    Found::Before(series_id) => latest(db, series_id, points).await?,
                    Found::Created(_) => HashMap::new(),
                };
                for point in points {
                    let change = Change::of(point.y, known.get(&point.ds).copied(), self.recorded_at);
                    recorded.count(change);
                    rows.add(db, series.id(), *point, change).await?;
                }
            }
        }
        rows.write(db).await?;
        if recorded.changed_anything() {
            self.revise(db).await?;
        }
        Ok(recorded)
    }

    /// Something new was recorded.
    pub(super) async fn revise(&self, db: &mut Connection) -> sqlx::Result<()> {
        let update = "UPDATE dataset SET revision = CASE WHEN revision < $2 THEN $2 ELSE revision + 1 END
                      WHERE dataset_id = $1";
        sqlx::query(update).bind(self.id).bind(self.recorded_at).execute(db).await?;
        Ok(())
    }
}

pub(super) async fn dataset_id(db: &mut Connection, name: &str, now: i64) -> sqlx::Result<i64> {
    sqlx::query("INSERT INTO dataset (name, created_at, revision) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(now)
        .execute(&mut *db)
        .await?;
    sqlx::query_scalar("SELECT dataset_id FROM dataset WHERE name = $1").bind(name).fetch_one(db).await
}

/// A series that was there before may have observations; a created one has none to look up.
#[derive(Clone, Copy)]
pub(super) enum Found {
    Before(i64),
    Created(i64),
}

impl Found {
    pub(super) fn id(self) -> i64 {
        match self {
            Found::Before(id) | Found::Created(id) => id,
        }
    }

    async fn ends(self, db: &mut Connection) -> sqlx::Result<Option<Ends>> {
        match self {
            Found::Before(id) => ends(db, id).await,
            Found::Created(_) => Ok(None),
        }
    }
}

pub(super) async fn series_id(
    db: &mut Connection,
    dataset: i64,
    id: &SeriesId,
    now: i64,
) -> sqlx::Result<Found> {
    let known = sqlx::query_scalar("SELECT series_id FROM series WHERE dataset_id = $1 AND name = $2")
        .bind(dataset)
        .bind(id.as_str())
        .fetch_optional(&mut *db)
        .await?;
    if let Some(known) = known {
        return Ok(Found::Before(known));
    }
    let create = "INSERT INTO series (dataset_id, name, created_at) VALUES ($1, $2, $3) RETURNING series_id";
    let created = sqlx::query_scalar(create).bind(dataset).bind(id.as_str()).bind(now).fetch_one(db).await?;
    Ok(Found::Created(created))
}

/// The first and the last value of a series; `None` if every step is missing.
async fn ends(db: &mut Connection, series_id: i64) -> sqlx::Result<Option<Ends>> {
    // Each half ends at the first step whose latest row has a value: mostly the very first it looks at.
    let (first, last): (Option<i64>, Option<i64>) = sqlx::query_as(
        "WITH value (ds) AS NOT MATERIALIZED (
             SELECT ds FROM observation AS latest
             WHERE series_id = $1 AND y IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM observation
                 WHERE series_id = $1 AND ds = latest.ds AND recorded_at > latest.recorded_at
             )
         )
         SELECT (SELECT ds FROM value ORDER BY ds LIMIT 1), (SELECT ds FROM value ORDER BY ds DESC LIMIT 1)",
    )
    .bind(series_id)
    .fetch_one(db)
    .await?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(None);
    };
    Ok(Some(Ends { first: from_micros(first)?, last: from_micros(last)? }))
}

/// The latest rows of these steps, by step. The price grows with the steps asked for, not with the time
/// between them: a batch may hold today's value and a correction of last year's.
async fn latest(db: &mut Connection, series_id: i64, points: &[Point]) -> sqlx::Result<HashMap<i64, Known>> {
    let steps: Vec<i64> = points.iter().map(|point| point.ds).collect();
    let rows: Vec<(i64, i64, Option<f64>)> = sqlx::query_as(dialect::LATEST)
        .bind(serde_json::to_string(&steps).expect("integers are JSON"))
        .bind(series_id)
        .fetch_all(db)
        .await?;
    let known = rows.into_iter().map(|(ds, recorded_at, y)| {
        (ds, Known { recorded_at, y: y.unwrap_or(f64::NAN) }) // a later row of the same step replaces
    });
    Ok(known.collect())
}

/// Rows that wait to be inserted together.
#[derive(Default)]
struct NewRows(Vec<NewRow>);

impl NewRows {
    async fn add(
        &mut self,
        db: &mut Connection,
        series_id: i64,
        point: Point,
        change: Change,
    ) -> sqlx::Result<()> {
        let y = (!point.y.is_nan()).then_some(point.y);
        let row = |recorded_at| NewRow { series_id, ds: point.ds, recorded_at, y };
        self.0.extend(change.recorded_at().map(row));
        if self.0.len() == dialect::ROWS_PER_INSERT { self.write(db).await } else { Ok(()) }
    }

    async fn write(&mut self, db: &mut Connection) -> sqlx::Result<()> {
        if !self.0.is_empty() {
            dialect::insert(db, &self.0).await?;
            self.0.clear();
        }
        Ok(())
    }
}
