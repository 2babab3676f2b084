//! Looks at the registry and the history: when one is due, who waits for one, and when the last one saw
//! everything.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{Instant, sleep, timeout},
};

/// Between the end of a look and the next one lies at least this, however many events come.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// After a look that found the stores away, the next one comes this soon …
const AWAY_PAUSE: Duration = Duration::from_secs(2);
/// … and after one that could not bring everything up to date, this soon: that may last.
const BEHIND_PAUSE: Duration = Duration::from_secs(10);
/// A look that ends this much later than one was due counts as failed, however long it may go on.
const OVERDUE: Duration = Duration::from_secs(5);

/// How long a request waits for a look that may know its model …
const PATIENCE: Duration = Duration::from_secs(5);
/// … and how many may wait at once: they take room from those that can be answered.
const MOST_WAITING: usize = 16;

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Everything is up to date.
    Well,
    /// Something is as it was before, although the stores are there: an artifact or a window is damaged.
    Behind,
    /// The stores could not be looked at; everything is as it was before.
    Away,
}

/// The looks of one forecaster.
pub struct Looks {
    state: watch::Sender<State>,
    wanted: Notify,
    places: Semaphore,
    poll: Duration,
}

#[derive(Clone, Copy)]
struct State {
    /// Looks that began, and the number of the last one that ended.
    began: u64,
    ended: u64,
    last: Looked,
    /// When everything was last up to date.
    seen: Option<Seen>,
    is_servable: bool,
}

#[derive(Clone, Copy)]
struct Seen {
    /// The instant that it was up to date with.
    at: Timestamp,
    /// When that was known.
    known: Instant,
}

impl Looks {
    /// None yet; later one every `poll`, if nobody wants one before.
    pub fn new(poll: Duration) -> Self {
        let state = State { began: 0, ended: 0, last: Looked::Away, seen: None, is_servable: false };
        Self {
            state: watch::Sender::new(state),
            wanted: Notify::new(),
            places: Semaphore::new(MOST_WAITING),
            poll,
        }
    }

    /// How many looks have ended.
    pub fn so_far(&self) -> u64 {
        self.state.borrow().ended
    }

    /// Whether there is anything to answer with: the stores were looked at once, or the local copy was read.
    pub fn is_servable(&self) -> bool {
        self.state.borrow().is_servable
    }

    /// The instant that answers are up to date with, if that is not now: the last look did not see everything,
    /// or ought to have ended by now.
    pub fn stale_since(&self) -> Option<Timestamp> {
        let State { last, seen, .. } = *self.state.borrow();
        let seen = seen?;
        let is_stale = last != Looked::Well || seen.known.elapsed() > self.poll + OVERDUE;
        is_stale.then_some(seen.at)
    }

    /// When everything was last up to date.
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.state.borrow().seen.map(|seen| seen.at)
    }

    /// Something may have changed: the next look comes soon.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// Waits for a look that begins from now on; for a while, and not at all where that is in vain or too many
    /// wait already.
    pub async fn wait_for_next(&self) {
        let Ok(_place) = self.places.try_acquire() else { return };
        let mut states = self.state.subscribe();
        let State { began, last, .. } = *states.borrow();
        if last == Looked::Away {
            return;
        }
        self.want();
        let _ = timeout(PATIENCE, states.wait_for(|state| state.ended > began)).await;
    }

    /// Waits until there is something to answer with; where the local copy has that, a look of at most
    /// `first_look` may come before.
    pub async fn wait_until_servable(&self, first_look: Duration) {
        let mut states = self.state.subscribe();
        let _ = timeout(first_look, states.wait_for(|state| state.ended > 0)).await;
        let _ = states.wait_for(|state| state.is_servable).await; // fails with the sender only, which is here
    }

    /// Waits until the next look is due.
    pub(super) async fn wait_until_due(&self) {
        sleep(LEAST_PAUSE).await;
        let pause = match self.state.borrow().last {
            Looked::Well => self.poll,
            Looked::Behind => self.poll.min(BEHIND_PAUSE),
            Looked::Away => self.poll.min(AWAY_PAUSE),
        };
        let _ = timeout(pause.saturating_sub(LEAST_PAUSE), self.wanted.notified()).await;
    }

    /// There is something to answer with, up to date with an instant of the past.
    pub(super) fn restored(&self, at: Timestamp) {
        let seen = Some(Seen { at, known: Instant::now() });
        self.state.send_modify(|state| *state = State { seen, is_servable: true, ..*state });
    }

    pub(super) fn begin(&self) {
        self.state.send_modify(|state| state.began += 1);
    }

    /// The look that began `at` has ended.
    pub(super) fn end(&self, looked: Looked, at: Timestamp, is_servable: bool) {
        self.state.send_modify(|state| {
            state.ended = state.began;
            state.last = looked;
            state.is_servable |= is_servable;
            if looked == Looked::Well || (state.seen.is_none() && is_servable) {
                state.seen = Some(Seen { at, known: Instant::now() });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const POLL: Duration = Duration::from_secs(30);

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(n).expect("a time stamp")
    }

    /// A look that nothing is wrong with.
    fn look(looks: &Looks, looked: Looked, at: i64) {
        looks.begin();
        looks.end(looked, second(at), looked == Looked::Well);
    }

    #[tokio::test(start_paused = true)]
    async fn staleness_counts_from_the_last_instant_that_was_seen() {
        let looks = Looks::new(POLL);
        assert_eq!(looks.stale_since(), None, "there is nothing yet that could be stale");
        look(&looks, Looked::Well, 100);
        assert_eq!(looks.stale_since(), None);
        for failed in [Looked::Away, Looked::Behind] {
            look(&looks, failed, 130);
            assert_eq!(looks.stale_since(), Some(second(100)), "{failed:?}");
        }
        look(&looks, Looked::Well, 140);
        assert_eq!(looks.stale_since(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_does_not_end_makes_answers_stale_before_it_fails() {
        let looks = Looks::new(POLL);
        look(&looks, Looked::Well, 100);
        tokio::time::advance(POLL).await;
        looks.begin();
        assert_eq!(looks.stale_since(), None);
        tokio::time::advance(OVERDUE + Duration::from_millis(1)).await;
        assert_eq!(looks.stale_since(), Some(second(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_wishes_are_one_look_a_second_later() {
        let looks = Looks::new(POLL);
        for _wish in 0..100 {
            looks.want();
        }
        let began = Instant::now();
        looks.wait_until_due().await;
        assert_eq!(began.elapsed(), LEAST_PAUSE);
        look(&looks, Looked::Well, 100);
        looks.wait_until_due().await;
        assert_eq!(began.elapsed(), LEAST_PAUSE + POLL, "no wish is left over");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_content_with_a_look_that_began_later_and_with_no_other() {
        let looks = Looks::new(POLL);
        look(&looks, Looked::Well, 100);
        looks.begin();
        let mut waiting = Box::pin(looks.wait_for_next());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        looks.end(Looked::Well, second(101), true); // it began before
        assert_eq!(waiting.as_mut().now_or_never(), None);
        look(&looks, Looked::Well, 102);
        assert_eq!(waiting.as_mut().now_or_never(), Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_while_the_stores_are_away_and_few_do_at_all() {
        let looks = Looks::new(POLL);
        look(&looks, Looked::Away, 100);
        assert_eq!(looks.wait_for_next().now_or_never(), Some(()), "it would be in vain");
        look(&looks, Looked::Well, 101);
        let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(looks.wait_for_next())).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert_eq!(looks.wait_for_next().now_or_never(), Some(()), "one too many");
        let began = Instant::now();
        for waiting in waiting {
            waiting.await;
        }
        assert_eq!(began.elapsed(), PATIENCE, "none waits for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn answering_begins_with_the_first_look_or_with_the_local_copy_after_a_while() {
        let first = Duration::from_secs(1);
        let looks = Looks::new(POLL);
        let mut waiting = Box::pin(looks.wait_until_servable(first));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        tokio::time::advance(POLL).await;
        look(&looks, Looked::Away, 100);
        assert_eq!(waiting.as_mut().now_or_never(), None, "there is nothing to answer with");
        look(&looks, Looked::Well, 130);
        assert_eq!(waiting.as_mut().now_or_never(), Some(()));

        let looks = Looks::new(POLL);
        looks.restored(second(90));
        let began = Instant::now();
        looks.wait_until_servable(first).await;
        assert_eq!(began.elapsed(), first);
        assert_eq!(looks.stale_since(), Some(second(90)));
    }
}
