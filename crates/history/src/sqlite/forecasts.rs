//! Writes and reads forecasts issued.

use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlite_file::{Columns, SqliteFile, instant::to_micros};
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use crate::{IssuedForecast, RecordError, forecasts::refuse_missing_values};

pub(super) async fn record(
    file: &SqliteFile,
    forecasts: &[IssuedForecast],
    recorded_at: Timestamp,
) -> Result<u64, RecordError> {
    refuse_missing_values(forecasts)?;
    let mut transaction = file.write().await?;
    let mut new = 0;
    for forecast in forecasts {
        let inserted = sqlx::query(
            "INSERT INTO forecast_issued (request_id, model, series, origin, issued_at, recorded_at,
                                          version, generation, route, reason, forecast)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(forecast.request_id.as_str())
        .bind(forecast.model.as_str())
        .bind(forecast.series.as_str())
        .bind(to_micros(forecast.origin))
        .bind(to_micros(forecast.issued_at))
        .bind(to_micros(recorded_at))
        .bind(forecast.version)
        .bind(forecast.generation.cast_signed())
        .bind(forecast.route.as_str())
        .bind(forecast.reason.as_deref())
        .bind(serde_json::to_string(&forecast.values).expect("numbers are JSON"))
        .execute(&mut *transaction)
        .await?;
        new += inserted.rows_affected();
    }
    transaction.commit().await?;
    Ok(new)
}

pub(super) async fn issued(
    file: &SqliteFile,
    model: &ModelName,
    limit: u32,
) -> sqlx::Result<Vec<IssuedForecast>> {
    let mut snapshot = file.read().await?;
    sqlx::query_as(
        "SELECT * FROM forecast_issued WHERE model = ? ORDER BY issued_at DESC, forecast_id DESC LIMIT ?",
    )
    .bind(model.as_str())
    .bind(limit)
    .fetch_all(&mut *snapshot)
    .await
}

impl FromRow<'_, SqliteRow> for IssuedForecast {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            request_id: row.try_get("request_id")?,
            model: row.parsed("model")?,
            series: row.parsed("series")?,
            origin: row.instant("origin")?,
            issued_at: row.instant("issued_at")?,
            version: row.try_get("version")?,
            generation: row.unsigned("generation")?,
            route: row.try_get("route")?,
            reason: row.try_get("reason")?,
            values: row.json("forecast")?,
        })
    }
}
