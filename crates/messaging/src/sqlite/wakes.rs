//! Who is to look at the tables again, within this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use protocol::{Queue, ReplyAddress};
use tokio::sync::watch;

/// One bell for each queue, for the events, and for each asker. Whoever waits marks the bell as heard
/// *before* it looks, so that a ring in between is not missed.
#[derive(Default)]
pub(super) struct Wakes {
    queues: [watch::Sender<()>; Queue::ALL.len()],
    events: watch::Sender<()>,
    askers: Mutex<HashMap<ReplyAddress, watch::Sender<()>>>,
}

impl Wakes {
    pub(super) fn queue(&self, queue: Queue) -> &watch::Sender<()> {
        &self.queues[queue as usize]
    }

    pub(super) fn events(&self) -> &watch::Sender<()> {
        &self.events
    }

    pub(super) fn add_asker(&self, address: ReplyAddress) -> watch::Receiver<()> {
        let (bell, ring) = watch::channel(());
        self.askers().insert(address, bell);
        ring
    }

    pub(super) fn remove_asker(&self, address: &ReplyAddress) {
        self.askers().remove(address);
    }

    /// Rings for an asker of this process; one of another process looks by itself.
    pub(super) fn ring_asker(&self, address: &ReplyAddress) {
        if let Some(bell) = self.askers().get(address) {
            bell.send_replace(());
        }
    }

    pub(super) fn ring_all_queues(&self) {
        for bell in &self.queues {
            bell.send_replace(());
        }
    }

    pub(super) fn ring_everybody(&self) {
        self.ring_all_queues();
        self.events.send_replace(());
        for bell in self.askers().values() {
            bell.send_replace(());
        }
    }

    fn askers(&self) -> std::sync::MutexGuard<'_, HashMap<ReplyAddress, watch::Sender<()>>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
