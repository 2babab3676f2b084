//! Writes and reads forecasts issued.

use database::{Columns, instant::to_micros};
use forecasting::names::ModelName;
use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::super::{DbRow, Store, dialect};
use crate::{IssuedForecast, RecordError, forecasts::refuse_missing_values};

pub(super) async fn record(
    store: &Store,
    forecasts: &[IssuedForecast],
    recorded_at: Timestamp,
) -> Result<u64, RecordError> {
    refuse_missing_values(forecasts)?;
    // One order for everyone: two recorders that were given the same forecasts do not wait for each other in turn.
    let mut forecasts: Vec<&IssuedForecast> = forecasts.iter().collect();
    forecasts.sort_by_key(|forecast| (&forecast.request_id, &forecast.series));
    let mut transaction = store.append().await?;
    let mut new = 0;
    for forecasts in forecasts.chunks(dialect::FORECASTS_PER_INSERT) {
        new += dialect::insert_forecasts(&mut transaction, forecasts, to_micros(recorded_at)).await?;
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
