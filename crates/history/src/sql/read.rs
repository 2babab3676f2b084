//! Reads observations as they were known at an instant.

use database::{
    Columns,
    instant::{from_micros, to_micros},
};
use forecasting::{
    names::{DatasetName, SeriesId},
    series::{Frame, Grid, Series},
};
use futures::TryStreamExt;
use jiff::Timestamp;
use sqlx::Row;

use super::super::{Connection, Store, dialect};
use crate::{Coverage, Range, ReadError, SeriesCoverage, observations::Point, reading::lay_on_grid};

pub(super) async fn frame(
    store: &Store,
    dataset: &DatasetName,
    grid: &Grid,
    range: &Range,
) -> Result<Frame, ReadError> {
    let mut snapshot = store.read().await?; // one state for all series
    let mut series = Vec::new();
    for (series_id, id) in series_of(&mut snapshot, dataset.as_str(), range.series.as_deref()).await? {
        series.extend(one_series(&mut snapshot, series_id, &id, grid, range).await?);
    }
    Ok(Frame { grid: grid.clone(), series })
}

/// The series that were asked for and exist, in ascending order of their ids.
pub(super) async fn series_of(
    db: &mut Connection,
    dataset: &str,
    asked: Option<&[SeriesId]>,
) -> sqlx::Result<Vec<(i64, SeriesId)>> {
    let asked = asked.map(|ids| serde_json::to_string(ids).expect("texts are JSON"));
    let rows = sqlx::query(dialect::SERIES).bind(dataset).bind(asked).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.try_get("series_id")?, row.parsed("name")?))).collect()
}

pub(super) async fn one_series(
    db: &mut Connection,
    series_id: i64,
    id: &SeriesId,
    grid: &Grid,
    range: &Range,
) -> Result<Option<Series>, ReadError> {
    // All rows of a step, the latest last: sweeping over the few corrected ones is faster than having
    // SQLite group every step.
    let mut rows = sqlx::query_as::<_, (i64, Option<f64>)>(
        "SELECT ds, y FROM observation
         WHERE series_id = $1 AND ds >= $2 AND ds < $3 AND recorded_at <= $4
         ORDER BY ds, recorded_at",
    )
    .bind(series_id)
    .bind(range.from.map_or(i64::MIN, to_micros))
    .bind(range.until.map_or(i64::MAX, to_micros))
    .bind(range.as_of.map_or(i64::MAX, to_micros))
    .fetch(db);
    let mut points: Vec<Point> = Vec::new();
    while let Some((ds, y)) = rows.try_next().await? {
        if points.last().is_some_and(|last| last.ds == ds) {
            points.pop();
        }
        points.push(Point { ds, y: y.unwrap_or(f64::NAN) });
    }
    points.retain(|point| !point.y.is_nan());
    lay_on_grid(id, grid, &points)
}

pub(super) async fn coverage(
    store: &Store,
    dataset: &DatasetName,
    as_of: Option<Timestamp>,
) -> sqlx::Result<Option<Coverage>> {
    let mut snapshot = store.read().await?;
    let rows = sqlx::query(dialect::COVERAGE)
        .bind(dataset.as_str())
        .bind(as_of.map_or(i64::MAX, to_micros))
        .fetch_all(&mut *snapshot)
        .await?;
    let series = rows.iter().map(|row| {
        Ok(SeriesCoverage {
            id: row.parsed("name")?,
            first: row.instant("first")?,
            last: row.instant("last")?,
            rows: row.unsigned("rows")?,
        })
    });
    Ok(Coverage::of(series.collect::<sqlx::Result<_>>()?))
}

/// Of each series the newest step whose latest row has a value: mostly the very first that is looked at.
const NEWEST: &str = "
    SELECT max(ds) FROM (
        SELECT (SELECT ds FROM observation AS latest
                WHERE series_id = series.series_id AND y IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM observation
                    WHERE series_id = latest.series_id AND ds = latest.ds AND recorded_at > latest.recorded_at
                )
                ORDER BY ds DESC LIMIT 1) AS ds
        FROM series JOIN dataset USING (dataset_id)
        WHERE dataset.name = $1
    ) AS newest";

pub(super) async fn newest(store: &Store, dataset: &DatasetName) -> sqlx::Result<Option<Timestamp>> {
    let mut snapshot = store.read().await?;
    let newest: Option<i64> =
        sqlx::query_scalar(NEWEST).bind(dataset.as_str()).fetch_one(&mut *snapshot).await?;
    newest.map(from_micros).transpose()
}

pub(super) async fn revision(store: &Store, dataset: &DatasetName) -> sqlx::Result<u64> {
    let mut snapshot = store.read().await?;
    let revision: Option<i64> = sqlx::query_scalar("SELECT revision FROM dataset WHERE name = $1")
        .bind(dataset.as_str())
        .fetch_optional(&mut *snapshot)
        .await?;
    Ok(revision.unwrap_or(0).cast_unsigned())
}
