//! What this process put back onto a queue. A queue only says that a message was delivered before, be it that
//! a process died with it or that one gave it back untouched.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lapin::BasicProperties;
use protocol::Queue;
use tokio::time::Instant;

use super::wire::Identity;

/// More are not remembered. One that is forgotten counts as delivered once more.
const MOST: usize = 10_000;
/// Another process has it by then.
const LONGEST: Duration = Duration::from_mins(10);

/// A message, as far as a queue can tell messages apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct MessageKey {
    queue: Queue,
    identity: Identity,
}

impl MessageKey {
    pub(super) fn new(queue: Queue, properties: &BasicProperties) -> Self {
        Self { queue, identity: Identity::of(properties) }
    }
}

/// How often each message was delivered without being settled when it was put back.
#[derive(Default)]
pub(super) struct PutBack(Mutex<HashMap<MessageKey, (u32, Instant)>>);

impl PutBack {
    /// Notes a message that is about to be put back.
    pub(super) fn note(&self, key: MessageKey, unsettled: u32) {
        let mut notes = self.notes();
        if notes.len() >= MOST {
            notes.retain(|_, (_, at)| at.elapsed() < LONGEST);
        }
        if notes.len() < MOST {
            notes.insert(key, (unsettled, Instant::now()));
        }
    }

    /// The note of a message that has come back.
    pub(super) fn take(&self, key: &MessageKey) -> Option<u32> {
        self.notes().remove(key).map(|(unsettled, _)| unsettled)
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<MessageKey, (u32, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
