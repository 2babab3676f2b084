//! Replies: rows that one asker reads and that are deleted then.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use protocol::{InvalidAddress, ReplyAddress, WireMessage};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    caretaker::Chore,
    store::{Store, StoredMessage, properties_text},
    unavailable,
};
use crate::{ConsumeError, Replies};

/// Replies read at once.
const BATCH: u32 = 100;

/// An address that nobody has had before.
pub(super) fn new_address() -> Result<ReplyAddress, InvalidAddress> {
    ReplyAddress::new(format!("replies.{}", Uuid::now_v7()))
}

impl Store {
    pub(super) async fn publish_reply(
        &self,
        asker: &ReplyAddress,
        message: &WireMessage,
    ) -> Result<(), sqlx::Error> {
        let statement =
            sqlx::query("INSERT INTO replies (address, properties, body, published_at) VALUES (?, ?, ?, ?)")
                .bind(asker.as_str())
                .bind(properties_text(&message.properties)?)
                .bind(message.body.as_ref())
                .bind(self.now());
        statement.execute(&mut self.writer.lock().await.quick).await?;
        self.wakes.ring_asker(asker);
        Ok(())
    }

    async fn replies_after(&self, id: i64, asker: &ReplyAddress) -> Result<Vec<StoredMessage>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, properties, body FROM replies WHERE address = ? AND id > ? ORDER BY id LIMIT ?",
        )
        .bind(asker.as_str())
        .bind(id)
        .bind(BATCH)
        .fetch_all(&mut *self.reader.lock().await)
        .await
    }

    pub(super) async fn forget_replies(
        &self,
        asker: &ReplyAddress,
        up_to_id: i64,
    ) -> Result<(), sqlx::Error> {
        let statement = sqlx::query("DELETE FROM replies WHERE address = ? AND id <= ?")
            .bind(asker.as_str())
            .bind(up_to_id);
        statement.execute(&mut self.writer.lock().await.quick).await?;
        Ok(())
    }
}

pub(super) struct SqliteReplies {
    store: Arc<Store>,
    address: ReplyAddress,
    bell: watch::Receiver<()>,
    last_id: i64,
    unread: VecDeque<WireMessage>,
}

impl SqliteReplies {
    pub(super) fn start(store: &Arc<Store>, address: ReplyAddress) -> Self {
        Self {
            bell: store.wakes.add_asker(address.clone()),
            store: Arc::clone(store),
            address,
            last_id: 0,
            unread: VecDeque::new(),
        }
    }

    /// Keeps what was read, and has the caretaker delete it: the asker does not wait for that.
    fn take(&mut self, rows: Vec<StoredMessage>) {
        let Some(last) = rows.last() else { return };
        self.last_id = last.id;
        self.unread.extend(rows.into_iter().filter_map(|row| row.read_or_skip("reply")));
        self.forget(self.last_id);
    }

    fn forget(&self, up_to_id: i64) {
        let asker = self.address.clone();
        let _ = self.store.chores.send(Chore::ForgetReplies { asker, up_to_id });
    }
}

#[async_trait]
impl Replies for SqliteReplies {
    fn address(&self) -> &ReplyAddress {
        &self.address
    }

    async fn next(&mut self) -> Result<WireMessage, ConsumeError> {
        loop {
            if let Some(reply) = self.unread.pop_front() {
                return Ok(reply);
            }
            self.bell.mark_unchanged();
            let rows = self.store.replies_after(self.last_id, &self.address).await.map_err(unavailable)?;
            if rows.is_empty() {
                self.bell.changed().await.map_err(unavailable)?;
            }
            self.take(rows);
        }
    }
}

impl Drop for SqliteReplies {
    fn drop(&mut self) {
        self.store.wakes.remove_asker(&self.address);
        self.forget(i64::MAX);
    }
}
