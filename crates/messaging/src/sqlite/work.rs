//! The work queues in SQL. Each step of a message is one statement, so that it happens or does not.

use std::time::Duration;

use database::instant::from_micros;
use protocol::{Properties, Queue, WireMessage};
use uuid::Uuid;

use super::store::{Store, StoredMessage, properties_text};
use crate::{
    DeadLetter, Depth, Settlement, count_dead_letter,
    delivery::{MAX_DELAY, count_failure, never_settled},
};

/// The lease that a delivered message is held by.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) queue: Queue,
    pub(super) id: i64,
    pub(super) name: String,
    /// When it was published, or its delay had passed.
    pub(super) queued_at: i64,
    /// Deliveries in a row that were not settled, before this one.
    unsettled_before: u32,
}

#[derive(sqlx::FromRow)]
struct LeasedRow {
    #[sqlx(flatten)]
    message: StoredMessage,
    unsettled: u32,
    published_at: i64,
}

impl Store {
    pub(super) async fn publish_work(&self, queue: Queue, message: &WireMessage) -> Result<(), sqlx::Error> {
        let properties = &message.properties;
        let statement = sqlx::query(
            "INSERT INTO messages (queue, state, kind, message_id, properties, body, published_at)
             VALUES (?, 'ready', ?, ?, ?, ?, ?)
             ON CONFLICT (queue, kind, message_id) WHERE state <> 'dead' DO NOTHING",
        )
        .bind(queue.name())
        .bind(&properties.kind)
        .bind(&properties.message_id)
        .bind(properties_text(properties)?)
        .bind(message.body.as_ref())
        .bind(self.now());
        {
            let mut writer = self.writer.lock().await;
            let writer = &mut *writer;
            let connection = if queue.is_durable() { &mut writer.durable } else { &mut writer.quick };
            statement.execute(connection).await?;
        }
        self.wakes.queue(queue).send_replace(());
        Ok(())
    }

    /// Leases the oldest ready messages, at most `count`, in order.
    pub(super) async fn lease(
        &self,
        queue: Queue,
        count: usize,
    ) -> Result<Vec<(Lease, StoredMessage)>, sqlx::Error> {
        let name = Uuid::now_v7().to_string();
        let mut leased: Vec<LeasedRow> = sqlx::query_as(
            "UPDATE messages SET state = 'leased', lease = ?
             WHERE id IN (SELECT id FROM messages WHERE queue = ? AND state = 'ready' ORDER BY id LIMIT ?)
             RETURNING id, properties, body, unsettled, published_at",
        )
        .bind(&name)
        .bind(queue.name())
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(&mut self.writer.lock().await.quick)
        .await?;
        leased.sort_by_key(|row| row.message.id); // RETURNING promises no order
        let lease = |row: &LeasedRow| Lease {
            queue,
            id: row.message.id,
            name: name.clone(),
            queued_at: row.published_at,
            unsettled_before: row.unsettled,
        };
        Ok(leased.into_iter().map(|row| (lease(&row), row.message)).collect())
    }

    /// Counts the delivery, however often it is called for one lease: if this process dies from now on,
    /// the message may be the reason.
    pub(super) async fn hand_out(&self, lease: &Lease) -> Result<(), sqlx::Error> {
        let statement = sqlx::query("UPDATE messages SET unsettled = ? WHERE id = ? AND lease = ?")
            .bind(lease.unsettled_before.saturating_add(1))
            .bind(lease.id)
            .bind(&lease.name);
        self.change(statement).await.map(drop)
    }

    /// Settles; `false` if the lease has ended.
    pub(super) async fn settle(
        &self,
        lease: &Lease,
        mut message: WireMessage,
        settlement: Settlement,
    ) -> Result<bool, sqlx::Error> {
        match settlement {
            Settlement::Done => self.remove(lease).await,
            Settlement::RetryAfter { delay, error } => {
                count_failure(&mut message.properties, &error);
                self.delay(lease, &message.properties, delay).await
            }
            Settlement::Postpone { delay } => self.delay(lease, &message.properties, delay).await,
            Settlement::DeadLetter { reason } => self.bury(lease, &reason).await,
            Settlement::GiveBack => self.give_back(lease).await,
        }
    }

    async fn remove(&self, lease: &Lease) -> Result<bool, sqlx::Error> {
        let statement =
            sqlx::query("DELETE FROM messages WHERE id = ? AND lease = ?").bind(lease.id).bind(&lease.name);
        self.change(statement).await
    }

    /// To the end of the queue, delayed.
    async fn delay(
        &self,
        lease: &Lease,
        properties: &Properties,
        delay: Duration,
    ) -> Result<bool, sqlx::Error> {
        let due_at = (!delay.is_zero()).then(|| {
            let microseconds = delay.min(MAX_DELAY).as_micros();
            self.now().saturating_add(i64::try_from(microseconds).unwrap_or(i64::MAX))
        });
        let statement = sqlx::query(
            "UPDATE messages
             SET id = (SELECT max(id) + 1 FROM messages), state = ?, due_at = ?, published_at = ?, properties = ?,
                 lease = NULL, unsettled = 0
             WHERE id = ? AND lease = ?",
        )
        .bind(if due_at.is_some() { "delayed" } else { "ready" })
        .bind(due_at)
        .bind(due_at.unwrap_or_else(|| self.now()))
        .bind(properties_text(properties)?)
        .bind(lease.id)
        .bind(&lease.name);
        let found = self.change(statement).await?;
        self.wakes.queue(lease.queue).send_replace(());
        Ok(found)
    }

    pub(super) async fn bury(&self, lease: &Lease, reason: &str) -> Result<bool, sqlx::Error> {
        let statement = sqlx::query(
            "UPDATE messages SET state = 'dead', reason = ?, died_at = ?, lease = NULL
             WHERE id = ? AND lease = ?",
        )
        .bind(reason)
        .bind(self.now())
        .bind(lease.id)
        .bind(&lease.name);
        self.change(statement).await
    }

    /// As if it had never been delivered.
    pub(super) async fn give_back(&self, lease: &Lease) -> Result<bool, sqlx::Error> {
        let statement = sqlx::query(
            "UPDATE messages SET state = 'ready', lease = NULL, unsettled = ? WHERE id = ? AND lease = ?",
        )
        .bind(lease.unsettled_before)
        .bind(lease.id)
        .bind(&lease.name);
        let found = self.change(statement).await?;
        self.wakes.queue(lease.queue).send_replace(());
        Ok(found)
    }

    /// A delivery that was handed out has ended without settlement: back to its place, or to the dead
    /// letters.
    pub(super) async fn end_lease(&self, lease: &Lease) -> Result<(), sqlx::Error> {
        self.end_leases(lease.queue, Some(lease)).await?;
        self.wakes.queue(lease.queue).send_replace(());
        Ok(())
    }

    /// Ends whatever leases a dead predecessor has left; returns how many.
    pub(super) async fn end_all_leases(&self) -> Result<u64, sqlx::Error> {
        let mut ended = 0;
        for queue in Queue::ALL {
            ended += self.end_leases(queue, None).await?;
        }
        Ok(ended)
    }

    /// Ends one lease of the queue, or all.
    async fn end_leases(&self, queue: Queue, only: Option<&Lease>) -> Result<u64, sqlx::Error> {
        let limit = queue.delivery_limit();
        let statement = sqlx::query_scalar::<_, bool>(
            "UPDATE messages
             SET state   = CASE WHEN unsettled < ?1 THEN 'ready' ELSE 'dead' END,
                 reason  = CASE WHEN unsettled < ?1 THEN NULL    ELSE ?2     END,
                 died_at = CASE WHEN unsettled < ?1 THEN NULL    ELSE ?3     END,
                 lease   = NULL
             WHERE queue = ?4 AND state = 'leased' AND (?5 IS NULL OR (id = ?5 AND lease = ?6))
             RETURNING state = 'dead'",
        )
        .bind(limit)
        .bind(never_settled(limit))
        .bind(self.now())
        .bind(queue.name())
        .bind(only.map(|lease| lease.id))
        .bind(only.map(|lease| lease.name.as_str()));
        let died = statement.fetch_all(&mut self.writer.lock().await.quick).await?;
        died.iter().filter(|died| **died).for_each(|_| count_dead_letter(queue, "never_settled"));
        Ok(died.len() as u64)
    }

    /// Makes ready what is due.
    pub(super) async fn wake_delayed(&self) -> Result<(), sqlx::Error> {
        let statement = sqlx::query(
            "UPDATE messages SET state = 'ready', due_at = NULL WHERE state = 'delayed' AND due_at <= ?",
        )
        .bind(self.now());
        if self.change(statement).await? {
            self.wakes.ring_all_queues();
        }
        Ok(())
    }

    pub(super) async fn depth(&self, queue: Queue) -> Result<Depth, sqlx::Error> {
        let (ready, delayed, leased, dead) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE state = 'ready'),  count(*) FILTER (WHERE state = 'delayed'),
                    count(*) FILTER (WHERE state = 'leased'), count(*) FILTER (WHERE state = 'dead')
             FROM messages WHERE queue = ?",
        )
        .bind(queue.name())
        .fetch_one(&mut *self.reader.lock().await)
        .await?;
        Ok(Depth { ready, delayed, leased, dead })
    }

    /// The oldest dead letters: all, or those with an id.
    pub(super) async fn dead_letters(
        &self,
        queue: Queue,
        message_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, sqlx::Error> {
        let rows: Vec<DeadRow> = sqlx::query_as(
            "SELECT id, properties, body, CAST(kind AS BLOB) AS kind, CAST(message_id AS BLOB) AS message_id,
                    reason, died_at
             FROM messages WHERE queue = ?1 AND state = 'dead' AND (?2 IS NULL OR message_id = ?2)
             ORDER BY died_at, id LIMIT ?3",
        )
        .bind(queue.name())
        .bind(message_id)
        .bind(limit)
        .fetch_all(&mut *self.reader.lock().await)
        .await?;
        Ok(rows.into_iter().map(DeadRow::read).collect())
    }

    /// Runs a statement that nobody waits for the disk for; `false` if it found nothing to change.
    async fn change(
        &self,
        statement: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<bool, sqlx::Error> {
        let changed = statement.execute(&mut self.writer.lock().await.quick).await?;
        Ok(changed.rows_affected() > 0)
    }
}

#[derive(sqlx::FromRow)]
struct DeadRow {
    #[sqlx(flatten)]
    message: StoredMessage,
    kind: Vec<u8>,
    message_id: Vec<u8>,
    reason: String,
    died_at: i64,
}

impl DeadRow {
    /// The dead letter; one whose properties cannot be read gets some that say what is known.
    fn read(self) -> DeadLetter {
        let properties = self.message.properties();
        let properties = properties.unwrap_or_else(|_| what_is_known(&self.kind, &self.message_id));
        DeadLetter {
            message: WireMessage { properties, body: self.message.body.into() },
            reason: self.reason,
            died_at: from_micros(self.died_at).ok(),
        }
    }
}

fn what_is_known(kind: &[u8], message_id: &[u8]) -> Properties {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Properties {
        content_type: String::new(),
        content_encoding: None,
        kind: text(kind),
        message_id: text(message_id),
        correlation_id: None,
        reply_to: None,
        deadline: None,
        traceparent: None,
        tracestate: None,
        attempt: 1,
        first_error: None,
    }
}
