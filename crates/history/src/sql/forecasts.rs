//! Writes and reads forecasts issued.

use database::{Columns, instant::to_micros};
use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{DbRow, Store};
use crate::{IssuedForecast, RecordError, forecasts::refuse_missing_values};

pub(super) async fn record(
    store: &Store,
    forecasts: &[IssuedForecast],
    recorded_at: Timestamp,
) -> Result<u64, RecordError> {
    refuse_missing_values(forecasts)?;
    let mut transaction = store.write("forecasts issued").await?;
    let mut new = 0;
    for forecast in forecasts {
        let inserted = sqlx::query(
            "INSERT INTO forecast_issued (request_id, model, series, origin, issued_at, recorded_at,
                                          version, generation, route, reason, forecast)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        )
        .bind(forecast.request_id.as_str())
        .bind(forecast.model.as_str())
        .bind(forecast.series.as_str())
        .bind(to_micros(forecast.origin))
        .bind(to_micros(forecast.issued_at))
        .bind(to_micros(recorded_at))
        .bind(forecast.version.map(i64::from))
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
    store: &Store,
    model: &ModelName,
    limit: u32,
) -> sqlx::Result<Vec<IssuedForecast>> {
    let mut snapshot = store.read().await?;
    sqlx::query_as(
        "SELECT * FROM forecast_issued WHERE model = $1 ORDER BY issued_at DESC, forecast_id DESC LIMIT $2",
    )
    .bind(model.as_str())
    .bind(i64::from(limit))
    .fetch_all(&mut *snapshot)
    .await
}

impl FromRow<'_, DbRow> for IssuedForecast {
    fn from_row(row: &DbRow) -> sqlx::Result<Self> {
        Ok(Self {
            request_id: row.try_get("request_id")?,
            model: row.parsed("model")?,
            series: row.parsed("series")?,
            origin: row.instant("origin")?,
            issued_at: row.instant("issued_at")?,
            version: row.number("version")?,
            generation: row.unsigned("generation")?,
            route: row.try_get("route")?,
            reason: row.try_get("reason")?,
            values: row.json("forecast")?,
        })
    }
}
