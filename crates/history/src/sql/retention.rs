//! Deletes what is kept for a period only.

use database::instant::to_micros;
use jiff::Timestamp;

use super::super::Store;
use crate::Forgettable;

pub(super) async fn forget(
    store: &Store,
    what: Forgettable,
    before: Timestamp,
    limit: u32,
) -> sqlx::Result<u64> {
    let delete = match what {
        Forgettable::ForecastsIssued => {
            "DELETE FROM forecast_issued WHERE forecast_id IN
             (SELECT forecast_id FROM forecast_issued WHERE issued_at < $1 ORDER BY issued_at LIMIT $2)"
        }
        Forgettable::HandledMessages => {
            "DELETE FROM handled_message WHERE (dataset_id, message_id) IN
             (SELECT dataset_id, message_id FROM handled_message
              WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2)"
        }
    };
    let mut transaction = store.write("what is forgotten").await?;
    let deleted = sqlx::query(delete).bind(to_micros(before)).bind(i64::from(limit));
    let deleted = deleted.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(deleted)
}
