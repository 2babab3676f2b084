//! The one task that looks after an open file: notices what other processes wrote, wakes what was
//! delayed, puts back what was dropped, and deletes what is old.

use std::{collections::VecDeque, sync::Weak, time::Duration};

use protocol::ReplyAddress;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{self, Instant, MissedTickBehavior},
};
use tracing::{info, warn};

use super::{Access, store::Store, work::Lease};

/// What another process publishes, and what has become due, is noticed after this time at the latest.
const POLL_PERIOD: Duration = Duration::from_millis(25);
/// How often old rows are deleted.
const CLEANING_PERIOD: Duration = Duration::from_mins(1);
/// An event is kept this long for listeners that fall behind.
const KEEP_EVENTS: Duration = Duration::from_hours(1);
/// A reply is kept this long for an asker that does not come.
const KEEP_REPLIES: Duration = Duration::from_mins(10);

/// Work from places that cannot wait for it.
pub(super) enum Chore {
    /// A delivery was dropped without a settlement.
    PutBack {
        lease: Lease,
        /// Whether it counts as a delivery.
        counts: bool,
        /// Let go when it is done.
        _permit: Option<OwnedSemaphorePermit>,
    },
    /// The asker has read its replies up to this id.
    ForgetReplies { asker: ReplyAddress, up_to_id: i64 },
}

/// Runs until the store is gone.
pub(super) async fn run(store: Weak<Store>, mut chores: mpsc::UnboundedReceiver<Chore>) {
    let mut ticks = time::interval(POLL_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut caretaker = Caretaker::default();
    loop {
        let chore = tokio::select! {
            chore = chores.recv() => match chore {
                Some(chore) => Some(chore),
                None => return,
            },
            _ = ticks.tick() => None,
        };
        let Some(store) = store.upgrade() else { return };
        let done = match chore {
            Some(chore) => {
                caretaker.to_do.push_back(chore);
                caretaker.do_chores(&store).await
            }
            None => caretaker.make_round(&store).await,
        };
        caretaker.report(done);
    }
}

#[derive(Default)]
struct Caretaker {
    to_do: VecDeque<Chore>,
    /// SQLite's count of changes by other connections.
    data_version: i64,
    last_cleaning: Option<Instant>,
    failing: bool,
}

impl Caretaker {
    /// Does what there is to do; what fails is tried again in the next round.
    async fn do_chores(&mut self, store: &Store) -> Result<(), sqlx::Error> {
        while let Some(chore) = self.to_do.front() {
            store.do_chore(chore).await?;
            self.to_do.pop_front();
        }
        Ok(())
    }

    async fn make_round(&mut self, store: &Store) -> Result<(), sqlx::Error> {
        self.do_chores(store).await?;
        let (data_version, next_due) = store.look_for_changes().await?;
        if data_version != self.data_version {
            self.data_version = data_version;
            store.wakes.ring_everybody();
        }
        if store.access == Access::Guest {
            return Ok(());
        }
        if next_due.is_some_and(|due| due <= store.now()) {
            store.wake_delayed().await?;
        }
        if self.last_cleaning.is_none_or(|last| last.elapsed() >= CLEANING_PERIOD) {
            self.last_cleaning = Some(Instant::now());
            store.delete_old_rows().await?;
        }
        Ok(())
    }

    /// Says once that something is wrong, and once that it is right again.
    fn report(&mut self, done: Result<(), sqlx::Error>) {
        match done {
            Err(e) if !self.failing => {
                self.failing = true;
                warn!("the queue cannot be looked after, trying again: {e}");
            }
            Ok(()) if self.failing => {
                self.failing = false;
                info!("the queue is looked after again");
            }
            _ => {}
        }
    }
}

impl Store {
    async fn do_chore(&self, chore: &Chore) -> Result<(), sqlx::Error> {
        match chore {
            Chore::PutBack { lease, counts: true, .. } => self.end_lease(lease).await,
            Chore::PutBack { lease, counts: false, .. } => self.give_back(lease).await.map(drop),
            Chore::ForgetReplies { asker, up_to_id } => self.forget_replies(asker, *up_to_id).await,
        }
    }

    /// A number that differs when another connection has written, and when the next message is due.
    async fn look_for_changes(&self) -> Result<(i64, Option<i64>), sqlx::Error> {
        sqlx::query_as(
            "SELECT (SELECT data_version FROM pragma_data_version),
                    (SELECT min(due_at) FROM messages WHERE state = 'delayed')",
        )
        .fetch_one(&mut *self.reader.lock().await)
        .await
    }

    async fn delete_old_rows(&self) -> Result<(), sqlx::Error> {
        let before = |age: Duration| self.now() - i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let events = sqlx::query("DELETE FROM events WHERE published_at < ?").bind(before(KEEP_EVENTS));
        events.execute(&mut self.writer.lock().await.quick).await?;
        let replies = sqlx::query("DELETE FROM replies WHERE published_at < ?").bind(before(KEEP_REPLIES));
        replies.execute(&mut self.writer.lock().await.quick).await?;
        Ok(())
    }
}
