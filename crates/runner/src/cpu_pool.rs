//! Computations of more than half a millisecond, away from the threads that keep connections alive.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::failure::panic_text;

/// Runs at most a fixed number of closures at once, in the order in which they were submitted. A clone
/// shares the slots.
#[derive(Debug, Clone)]
pub struct CpuPool {
    slots: Arc<Semaphore>,
}

/// Why a computation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpuPoolError {
    /// It panicked.
    #[error("the computation {0}")]
    Panicked(String),
    /// The process is ending.
    #[error("the computation was not started, the process is ending")]
    Ending,
}

impl CpuPool {
    /// A pool of `slots` closures at once, at least 1.
    pub fn new(slots: usize) -> Self {
        let slots = Arc::new(Semaphore::new(slots.clamp(1, Semaphore::MAX_PERMITS)));
        Self { slots }
    }

    /// Runs a closure when its turn comes, and waits for its result.
    ///
    /// If the future is dropped before its turn, the closure never runs. A running one cannot be ended
    /// from outside and keeps its slot until it returns: give it a stop flag if it takes long.
    pub async fn run<T, F>(&self, work: F) -> Result<T, CpuPoolError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| CpuPoolError::Ending)?;
        let task = tokio::task::spawn_blocking(move || {
            let _slot = slot; // also kept if nobody waits for the result any more
            work()
        });
        task.await.map_err(|e| match e.try_into_panic() {
            Ok(payload) => CpuPoolError::Panicked(panic_text(payload.as_ref())),
            Err(_) => CpuPoolError::Ending,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    /// Occupies a slot until the sender speaks or is dropped; returns once it runs.
    async fn occupy(pool: &CpuPool) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), CpuPoolError>>) {
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = oneshot::channel();
        let pool = pool.clone();
        let task = tokio::spawn(async move {
            pool.run(move || {
                let _ = started.send(());
                let _ = released.recv();
            })
            .await
        });
        has_started.await.expect("it starts");
        (release, task)
    }

    #[tokio::test]
    async fn a_result_comes_back_from_another_thread() {
        let here = std::thread::current().id();
        let there = CpuPool::new(1).run(|| std::thread::current().id()).await;
        assert_ne!(there.expect("it runs"), here);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_the_slot() {
        let pool = CpuPool::new(1);
        let error = pool.run(|| panic!("row {} is odd", 7)).await.expect_err("it panics");
        assert_eq!(error, CpuPoolError::Panicked("panicked: row 7 is odd".into()));
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn closures_wait_for_a_slot_and_run_in_order() {
        let pool = CpuPool::new(1);
        let (release, first) = occupy(&pool).await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..5)
            .map(|n| {
                let order = Arc::clone(&order);
                pool.run(move || order.lock().expect("no panic").push(n))
            })
            .collect();
        let mut waiting = Box::pin(futures::future::join_all(waiting));
        assert!(futures::poll!(&mut waiting).is_pending(), "all five are in line");
        assert!(order.lock().expect("no panic").is_empty());

        drop(release);
        first.await.expect("no panic").expect("it ran");
        waiting.await;
        assert_eq!(*order.lock().expect("no panic"), [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn two_slots_run_two_closures_at_once() {
        let pool = CpuPool::new(2);
        let (release_first, first) = occupy(&pool).await;
        let (release_second, second) = occupy(&pool).await; // returns although the first still runs
        drop((release_first, release_second));
        first.await.expect("no panic").expect("it ran");
        second.await.expect("no panic").expect("it ran");
    }

    #[tokio::test]
    async fn an_abandoned_computation_keeps_its_slot_until_it_ends() {
        let pool = CpuPool::new(1);
        let (release, first) = occupy(&pool).await;
        first.abort();
        assert!(first.await.expect_err("aborted").is_cancelled());
        assert_eq!(pool.slots.available_permits(), 0);
        drop(release);
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
