//! Work that is spread over threads, whose results do not depend on how many there are.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::learning::{StopFlag, Stopped};

/// What work may use, and whom it tells.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// How many threads work.
    pub threads: NonZeroUsize,
    /// Asks to stop.
    pub stop: &'a StopFlag,
    /// Told how many of how many pieces of a stage are done.
    pub tell: &'a (dyn Fn(Stage, usize, usize) + Sync),
}

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Models are fitted, and forecast the history.
    Fitting,
    /// Pairs of fits are made equally good.
    Pairing,
    /// Windows, or nights, are judged.
    Judging,
    /// Candidates are followed until they are promoted.
    Following,
}

impl Work<'_> {
    /// The results of `piece` for each of `0..count`, in that order.
    pub(super) fn spread<T: Send>(
        &self,
        stage: Stage,
        count: usize,
        piece: impl Fn(usize) -> Result<T, Stopped> + Sync,
    ) -> Result<Vec<T>, Stopped> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let worker = || {
            let mut results = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(results);
                }
                self.stop.check()?;
                results.push((index, piece(index)?));
                (self.tell)(stage, done.fetch_add(1, Ordering::Relaxed) + 1, count);
            }
        };
        let of_threads: Result<Vec<Vec<(usize, T)>>, Stopped> = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads.get()).map(|_| scope.spawn(worker)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a piece of work does not panic")).collect()
        });
        let mut results: Vec<(usize, T)> = of_threads?.into_iter().flatten().collect();
        results.sort_unstable_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, stop: &StopFlag) -> Result<Vec<usize>, Stopped> {
        let threads = NonZeroUsize::new(threads).expect("is positive");
        let work = Work { threads, stop, tell: &|_, _, _| () };
        work.spread(Stage::Judging, 100, |index| Ok(index * index))
    }

    #[test]
    fn results_come_in_order_however_many_threads_work() {
        let stop = StopFlag::default();
        let alone = squares(1, &stop).expect("nobody stops it");
        assert_eq!(alone[7], 49);
        assert_eq!(squares(5, &stop).expect("nobody stops it"), alone);
    }

    #[test]
    fn whoever_is_told_to_stop_stops() {
        let stop = StopFlag::default();
        stop.stop();
        assert_eq!(squares(2, &stop), Err(Stopped));
    }
}
