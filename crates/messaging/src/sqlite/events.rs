//! Events: an append-only table that every listener reads from the last id it knows.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use protocol::{RoutingKey, WireMessage};
use tokio::sync::watch;

use super::{
    store::{Store, StoredMessage, properties_text},
    unavailable,
};
use crate::{ConsumeError, Listener, topic::Topics};

/// Events read at once.
const BATCH: u32 = 100;

impl Store {
    pub(super) async fn publish_event(
        &self,
        key: &RoutingKey,
        message: &WireMessage,
    ) -> Result<(), sqlx::Error> {
        let statement = sqlx::query(
            "INSERT INTO events (routing_key, properties, body, published_at) VALUES (?, ?, ?, ?)",
        )
        .bind(key.as_str())
        .bind(properties_text(&message.properties)?)
        .bind(message.body.as_ref())
        .bind(self.now());
        statement.execute(&mut self.writer.lock().await.quick).await?;
        self.wakes.events().send_replace(());
        Ok(())
    }

    async fn last_event(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM events")
            .fetch_one(&mut *self.reader.lock().await)
            .await
    }

    async fn events_after(&self, id: i64) -> Result<Vec<EventRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, CAST(routing_key AS BLOB) AS routing_key, properties, body
             FROM events WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(id)
        .bind(BATCH)
        .fetch_all(&mut *self.reader.lock().await)
        .await
    }
}

#[derive(sqlx::FromRow)]
struct EventRow {
    routing_key: Vec<u8>,
    #[sqlx(flatten)]
    message: StoredMessage,
}

pub(super) struct SqliteListener {
    store: Arc<Store>,
    topics: Topics,
    bell: watch::Receiver<()>,
    last_id: i64,
    unheard: VecDeque<WireMessage>,
}

impl SqliteListener {
    pub(super) async fn start(store: &Arc<Store>, patterns: &[&str]) -> Result<Self, sqlx::Error> {
        Ok(Self {
            topics: Topics::new(patterns),
            bell: store.wakes.events().subscribe(),
            last_id: store.last_event().await?,
            unheard: VecDeque::new(),
            store: Arc::clone(store),
        })
    }

    fn take(&mut self, rows: Vec<EventRow>) {
        for EventRow { routing_key, message } in rows {
            self.last_id = message.id;
            if self.topics.match_key(&String::from_utf8_lossy(&routing_key)) {
                self.unheard.extend(message.read_or_skip("event"));
            }
        }
    }
}

#[async_trait]
impl Listener for SqliteListener {
    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        loop {
            if let Some(event) = self.unheard.pop_front() {
                return Ok(event);
            }
            self.bell.mark_unchanged();
            let rows = self.store.events_after(self.last_id).await.map_err(unavailable)?;
            if rows.is_empty() {
                self.bell.changed().await.map_err(unavailable)?;
            }
            self.take(rows);
        }
    }
}
