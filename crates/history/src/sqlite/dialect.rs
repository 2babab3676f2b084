//! What SQLite says in its own way.

use database::instant::to_micros;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::{IssuedForecast, observations::NewRow};

/// The series of a dataset ($1) whose names are in a JSON array ($2), or all.
pub(super) const SERIES: &str = "
    SELECT series_id, series.name FROM series JOIN dataset USING (dataset_id)
    WHERE dataset.name = $1 AND ($2 IS NULL OR series.name IN (SELECT value FROM json_each($2)))
    ORDER BY series.name";

/// The values of each series of a dataset ($1) as of an instant ($2). SQLite takes `y` from the row that has
/// the maximum.
pub(super) const COVERAGE: &str = "
    SELECT series.name, min(ds) AS first, max(ds) AS last, count(*) AS rows
    FROM (SELECT series_id, ds, y, max(recorded_at) FROM observation
          WHERE series_id IN (SELECT series_id FROM series JOIN dataset USING (dataset_id)
                              WHERE dataset.name = $1)
                AND recorded_at <= $2
          GROUP BY series_id, ds)
         JOIN series USING (series_id)
    WHERE y IS NOT NULL
    GROUP BY series_id";

/// All rows of the steps in a JSON array ($1) of a series ($2), of each step the latest last.
pub(super) const LATEST: &str = "
    SELECT ds, recorded_at, y
    FROM json_each($1) AS asked CROSS JOIN observation ON series_id = $2 AND ds = asked.value
    ORDER BY ds, recorded_at";

/// Rows that one statement inserts: enough that its price per call vanishes, with four parameters each
/// (SQLite takes 32,766).
pub(super) const ROWS_PER_INSERT: usize = 500;

/// Inserts at most [`ROWS_PER_INSERT`] rows.
pub(super) async fn insert(db: &mut SqliteConnection, rows: &[NewRow]) -> sqlx::Result<()> {
    let mut insert: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO observation (series_id, ds, recorded_at, y) ");
    insert.push_values(rows, |mut values, row| {
        values.push_bind(row.series_id).push_bind(row.ds).push_bind(row.recorded_at).push_bind(row.y);
    });
    // Only the statement of a full set is worth keeping compiled.
    insert.build().persistent(rows.len() == ROWS_PER_INSERT).execute(db).await?;
    Ok(())
}

/// Forecasts that one statement inserts, with eleven parameters each.
pub(super) const FORECASTS_PER_INSERT: usize = 500;

/// Inserts those of at most [`FORECASTS_PER_INSERT`] forecasts that are not there, in their order; returns how
/// many.
pub(super) async fn insert_forecasts(
    db: &mut SqliteConnection,
    forecasts: &[&IssuedForecast],
    recorded_at: i64,
) -> sqlx::Result<u64> {
    let mut insert: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO forecast_issued (request_id, model, series, origin, issued_at, recorded_at,
                                      version, generation, route, reason, forecast) ",
    );
    insert.push_values(forecasts, |mut values, forecast| {
        values
            .push_bind(forecast.request_id.as_str())
            .push_bind(forecast.model.as_str())
            .push_bind(forecast.series.as_str())
            .push_bind(to_micros(forecast.origin))
            .push_bind(to_micros(forecast.issued_at))
            .push_bind(recorded_at)
            .push_bind(forecast.version.map(i64::from))
            .push_bind(forecast.generation.cast_signed())
            .push_bind(forecast.route.as_str())
            .push_bind(forecast.reason.as_deref())
            .push_bind(forecast.values_as_json());
    });
    insert.push(" ON CONFLICT DO NOTHING");
    Ok(insert.build().persistent(false).execute(db).await?.rows_affected())
}
