//! What becomes of dead letters: back to their queue, or gone.

use protocol::Queue;
use sqlx::Connection as _;

use super::store::{Store, StoredMessage, properties_text};
use crate::{Chosen, delivery::renew};

impl Store {
    /// Puts dead letters back, all or none; returns how many. One whose properties cannot be read stays.
    pub(super) async fn replay(&self, queue: Queue, which: &Chosen) -> Result<u64, sqlx::Error> {
        let mut replayed = 0;
        {
            let mut writer = self.writer.lock().await;
            let mut transaction = writer.durable.begin_with("BEGIN IMMEDIATE").await?;
            let letters: Vec<StoredMessage> = sqlx::query_as(
                "SELECT id, properties, body FROM messages
                 WHERE queue = ?1 AND state = 'dead' AND (?2 IS NULL OR message_id = ?2) ORDER BY died_at, id",
            )
            .bind(queue.name())
            .bind(id(which))
            .fetch_all(&mut *transaction)
            .await?;
            for letter in letters {
                let Ok(mut properties) = letter.properties() else { continue };
                renew(&mut properties);
                // A message that was published again meanwhile is there already; its dead copy goes.
                let there = sqlx::query(
                    "UPDATE OR IGNORE messages
                     SET id = (SELECT max(id) + 1 FROM messages), state = 'ready', properties = ?, published_at = ?,
                         reason = NULL, died_at = NULL, unsettled = 0
                     WHERE id = ?",
                )
                .bind(properties_text(&properties)?)
                .bind(self.now())
                .bind(letter.id)
                .execute(&mut *transaction)
                .await?;
                if there.rows_affected() == 0 {
                    let delete = sqlx::query("DELETE FROM messages WHERE id = ?").bind(letter.id);
                    delete.execute(&mut *transaction).await?;
                }
                replayed += 1;
            }
            transaction.commit().await?;
        }
        self.wakes.queue(queue).send_replace(());
        Ok(replayed)
    }

    /// Deletes dead letters; returns how many.
    pub(super) async fn drop_dead(&self, queue: Queue, which: &Chosen) -> Result<u64, sqlx::Error> {
        let delete = sqlx::query(
            "DELETE FROM messages WHERE queue = ?1 AND state = 'dead' AND (?2 IS NULL OR message_id = ?2)",
        );
        let deleted = delete.bind(queue.name()).bind(id(which));
        Ok(deleted.execute(&mut self.writer.lock().await.durable).await?.rows_affected())
    }
}

fn id(which: &Chosen) -> Option<&str> {
    match which {
        Chosen::All => None,
        Chosen::WithId(id) => Some(id),
    }
}
