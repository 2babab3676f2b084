//! Writes observations: what is known of a series is looked up in large steps, what is new is written in
//! large steps.

use std::collections::HashMap;

use database::instant::{from_micros, to_micros};
use forecasting::{
    names::{DatasetName, SeriesId},
    series::Grid,
};
use jiff::Timestamp;

use super::super::{Connection, Store, dialect};
use crate::{
    Observation, RecordError, Recorded,
    observations::{Batch, Change, Ends, Known, NewRow, Point, refuse_unreadable},
};

/// Steps that one statement looks up.
const STEPS_PER_LOOKUP: usize = 5_000;

pub(super) async fn record(
    store: &Store,
    dataset: &DatasetName,
    grid: &Grid,
    observations: &[Observation],
    recorded_at: Timestamp,
) -> Result<Recorded, RecordError> {
    let batch = Batch::new(observations)?;
    let recorded_at = to_micros(recorded_at);
    let mut recorded = Recorded { unchanged: batch.repeated, ..Recorded::default() };
    let mut transaction = store.write(dataset.as_str()).await?;
    let dataset_id = dataset_id(&mut transaction, dataset, recorded_at).await?;
    let mut rows = NewRows::default();
    for (id, points) in batch.series {
        let series = series_id(&mut transaction, dataset_id, id, recorded_at).await?;
        let ends = match series {
            Found::Before(series_id) => ends(&mut transaction, series_id).await?,
            Found::Created(_) => None,
        };
        refuse_unreadable(id, grid, &points, ends)?; // dropping the transaction undoes the series before
        for points in points.chunks(STEPS_PER_LOOKUP) {
            let known = match series {
                Found::Before(series_id) => latest(&mut transaction, series_id, points).await?,
                Found::Created(_) => HashMap::new(),
            };
            for point in points {
                let change = Change::of(point.y, known.get(&point.ds).copied(), recorded_at);
                recorded.count(change);
                rows.add(&mut transaction, series.id(), *point, change).await?;
            }
        }
    }
    rows.write(&mut transaction).await?;
    if recorded.changed_anything() {
        let update = sqlx::query("UPDATE dataset SET revision = revision + 1 WHERE dataset_id = $1");
        update.bind(dataset_id).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(recorded)
}

async fn dataset_id(db: &mut Connection, name: &DatasetName, now: i64) -> sqlx::Result<i64> {
    sqlx::query("INSERT INTO dataset (name, created_at, revision) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING")
        .bind(name.as_str())
        .bind(now)
        .execute(&mut *db)
        .await?;
    sqlx::query_scalar("SELECT dataset_id FROM dataset WHERE name = $1")
        .bind(name.as_str())
        .fetch_one(db)
        .await
}

/// A series that was there before may have observations; a created one has none to look up.
#[derive(Clone, Copy)]
enum Found {
    Before(i64),
    Created(i64),
}

impl Found {
    fn id(self) -> i64 {
        match self {
            Found::Before(id) | Found::Created(id) => id,
        }
    }
}

async fn series_id(db: &mut Connection, dataset: i64, id: &SeriesId, now: i64) -> sqlx::Result<Found> {
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
