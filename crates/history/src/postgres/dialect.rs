//! What PostgreSQL says in its own way.

use std::iter;

use database::{PatientConnection, instant::to_micros};

use crate::{IssuedForecast, observations::NewRow};

/// The series of a dataset ($1) whose names are in a JSON array ($2), or all.
pub(super) const SERIES: &str = "
    SELECT series_id, series.name FROM series JOIN dataset USING (dataset_id)
    WHERE dataset.name = $1
          AND ($2::text IS NULL OR series.name IN (SELECT json_array_elements_text($2::json)))
    ORDER BY series.name";

/// The values of each series of a dataset ($1) as of an instant ($2).
pub(super) const COVERAGE: &str = "
    SELECT series.name, min(ds) AS first, max(ds) AS last, count(*) AS rows
    FROM (SELECT DISTINCT ON (series_id, ds) series_id, ds, y FROM observation
          WHERE series_id IN (SELECT series_id FROM series JOIN dataset USING (dataset_id)
                              WHERE dataset.name = $1)
                AND recorded_at <= $2
          ORDER BY series_id, ds, recorded_at DESC) AS known
         JOIN series USING (series_id)
    WHERE y IS NOT NULL
    GROUP BY series_id, series.name";

/// All rows of the steps in a JSON array ($1) of a series ($2), of each step the latest last.
pub(super) const LATEST: &str = "
    SELECT ds, recorded_at, y FROM observation
    WHERE series_id = $2 AND ds = ANY (ARRAY(SELECT json_array_elements_text($1::json)::bigint))
    ORDER BY ds, recorded_at";

/// Rows that one statement inserts: 10 MB that wait for it. While the server works off what one statement left
/// to it, nothing is sent, so that there should be few.
pub(super) const ROWS_PER_INSERT: usize = 250_000;

/// Rows that are sent in one piece, some 200 kB.
const ROWS_PER_PIECE: usize = 4_096;

/// Fewer rows than these are inserted, not copied: a copy of a few rows waits some 40 ms between its two
/// packets (measured: Nagle's algorithm on this side, delayed acknowledgements on the other).
const ROWS_WORTH_A_COPY: usize = 1_000;

/// Inserts at most [`ROWS_PER_INSERT`] rows.
pub(super) async fn insert(db: &mut PatientConnection, rows: &[NewRow]) -> sqlx::Result<()> {
    if rows.len() < ROWS_WORTH_A_COPY { insert_few(db, rows).await } else { copy(db, rows).await }
}

async fn insert_few(db: &mut PatientConnection, rows: &[NewRow]) -> sqlx::Result<()> {
    let column = |of: fn(&NewRow) -> i64| rows.iter().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "INSERT INTO observation (series_id, ds, recorded_at, y)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::float8[])",
    )
    .bind(column(|row| row.series_id))
    .bind(column(|row| row.ds))
    .bind(column(|row| row.recorded_at))
    .bind(rows.iter().map(|row| row.y).collect::<Vec<Option<f64>>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Several times as fast as any `INSERT` of many rows.
async fn copy(db: &mut PatientConnection, rows: &[NewRow]) -> sqlx::Result<()> {
    const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    const END: [u8; 2] = (-1_i16).to_be_bytes();
    let pieces = rows.chunks(ROWS_PER_PIECE).map(binary);
    let pieces = iter::once(HEADER.to_vec()).chain(pieces).chain([END.to_vec()]);
    let copy = "COPY observation (series_id, ds, recorded_at, y) FROM STDIN WITH (FORMAT binary)";
    db.copy_in(copy, pieces).await
}

/// Rows as a binary `COPY` takes them: the number of columns, then of each its length and its bytes.
fn binary(rows: &[NewRow]) -> Vec<u8> {
    const COLUMNS: i16 = 4;
    const MISSING: i32 = -1;
    const LENGTH: i32 = 8;
    let mut bytes = Vec::with_capacity(rows.len() * 50);
    for NewRow { series_id, ds, recorded_at, y } in rows {
        bytes.extend(COLUMNS.to_be_bytes());
        for integer in [series_id, ds, recorded_at] {
            bytes.extend(LENGTH.to_be_bytes());
            bytes.extend(integer.to_be_bytes());
        }
        match y {
            Some(y) => {
                bytes.extend(LENGTH.to_be_bytes());
                bytes.extend(y.to_be_bytes());
            }
            None => bytes.extend(MISSING.to_be_bytes()),
        }
    }
    bytes
}

/// Forecasts that one statement inserts: more than a message may hold.
pub(super) const FORECASTS_PER_INSERT: usize = 1_000;

/// Inserts those of at most [`FORECASTS_PER_INSERT`] forecasts that are not there, in their order; returns how
/// many.
pub(super) async fn insert_forecasts(
    db: &mut PatientConnection,
    forecasts: &[&IssuedForecast],
    recorded_at: i64,
) -> sqlx::Result<u64> {
    fn column<'a, T>(of: &[&'a IssuedForecast], value: impl Fn(&'a IssuedForecast) -> T) -> Vec<T> {
        of.iter().map(|forecast| value(forecast)).collect()
    }
    let insert = sqlx::query(
        "INSERT INTO forecast_issued (request_id, model, series, origin, issued_at, recorded_at,
                                      version, generation, route, reason, forecast)
         SELECT request_id, model, series, origin, issued_at, $1, version, generation, route, reason, forecast
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[])
              AS given (request_id, model, series, origin, issued_at, version, generation, route, reason, forecast)
         ON CONFLICT DO NOTHING",
    )
    .bind(recorded_at)
    .bind(column(forecasts, |forecast| forecast.request_id.as_str()))
    .bind(column(forecasts, |forecast| forecast.model.as_str()))
    .bind(column(forecasts, |forecast| forecast.series.as_str()))
    .bind(column(forecasts, |forecast| to_micros(forecast.origin)))
    .bind(column(forecasts, |forecast| to_micros(forecast.issued_at)))
    .bind(column(forecasts, |forecast| forecast.version.map(i64::from)))
    .bind(column(forecasts, |forecast| forecast.generation.cast_signed()))
    .bind(column(forecasts, |forecast| forecast.route.as_str()))
    .bind(column(forecasts, |forecast| forecast.reason.as_deref()))
    .bind(column(forecasts, IssuedForecast::values_as_json));
    Ok(insert.execute(db).await?.rows_affected())
}
