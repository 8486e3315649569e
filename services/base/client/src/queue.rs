//! Keys to work on: each waits once however often it is added, and no two workers ever hold the same one.
//!
//! A key added while a worker holds it waits until that worker is done, so that no change is missed. Failed keys come
//! back later and later. The queue is bounded by the number of distinct keys; it has no task of its own.

mod state;

use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::trace::Cause;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::state::{Ready, State};
use crate::meter::QueueMeter;

/// The first delay of a failed key, doubled by each further failure up to `MAX_RETRY`; as Kubernetes' controllers do.
const FIRST_RETRY: Duration = Duration::from_millis(5);
const MAX_RETRY: Duration = Duration::from_secs(1000);

/// A queue of keys. Clones are the same queue.
pub struct WorkQueue<T> {
    shared: Arc<Shared<T>>,
}

/// A key that its holder works on; done when dropped.
pub struct Item<T: Eq + Hash + Ord + Clone> {
    key: T,
    cause: Option<Cause>,
    queue: WorkQueue<T>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told of every change that may let a worker go on.
    changed: Notify,
}

// === impl WorkQueue ===

impl<T: Eq + Hash + Ord + Clone> WorkQueue<T> {
    /// An empty queue whose failed keys come back after 5 ms, doubling up to 1000 s.
    pub fn new() -> Self {
        Self::with_retry(FIRST_RETRY, MAX_RETRY)
    }

    /// An empty queue whose failed keys come back after `first`, doubling up to `max`.
    pub fn with_retry(first: Duration, max: Duration) -> Self {
        let shared = Shared { state: Mutex::new(State::new(first, max)), changed: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Adds a key; nothing happens if it waits already.
    pub fn add(&self, key: T) {
        self.add_caused(key, None);
    }

    /// Adds a key because of a traced change. Of several causes the first counts; what was not seen as it happened is
    /// none, else everything there is would be in somebody's trace after a restart.
    pub fn add_caused(&self, key: T, cause: Option<Cause>) {
        self.add_caused_after(key, cause, Duration::ZERO);
    }

    /// The same once `delay` has passed.
    pub fn add_caused_after(&self, key: T, cause: Option<Cause>, delay: Duration) {
        let cause = cause.filter(|cause| !cause.is_late());
        self.change(|state| state.add_at(key, Instant::now(), delay, cause));
    }

    /// Adds a key once `delay` has passed; if that is planned already, the earlier time counts.
    pub fn add_after(&self, key: T, delay: Duration) {
        self.change(|state| state.add_at(key, Instant::now(), delay, None));
    }

    /// Adds a failed key again, after a delay that grows with its failures since it was last [forgotten](Self::forget).
    pub fn add_rate_limited(&self, key: T) {
        self.change(|state| state.add_failed(key, Instant::now(), None));
    }

    /// Ends a key's series of failures.
    pub fn forget(&self, key: &T) {
        self.state().forget(key);
    }

    /// How often a key has failed in a row.
    pub fn failures(&self, key: &T) -> u32 {
        self.state().failures(key)
    }

    /// The next key that is due; `None` once the queue is shut down. Any number of workers may wait, and giving up
    /// loses nothing.
    pub async fn next(&self) -> Option<Item<T>> {
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            // Registered before the look at the state, so that no change falls in between.
            changed.as_mut().enable();
            let due = match self.take() {
                Ready::Key { key, cause } => {
                    return Some(Item { key, cause, queue: self.clone() });
                }
                Ready::ShutDown => return None,
                Ready::At(due) => Some(due),
                Ready::Never => None,
            };
            match due {
                Some(due) => tokio::select! { () = changed => {}, () = sleep_until(due) => {} },
                None => changed.await,
            }
        }
    }

    /// How many keys are due and wait for a worker.
    pub fn len(&self) -> usize {
        self.state().waiting()
    }

    /// Whether no key is due.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys are planned for later.
    pub fn delayed(&self) -> usize {
        self.state().delayed()
    }

    /// Drops all keys and takes no more; every worker's `next` returns `None`.
    pub fn shutdown(&self) {
        self.state().shutdown();
        self.shared.changed.notify_waiters();
    }

    fn take(&self) -> Ready<T> {
        let mut state = self.state();
        let ready = state.take(Instant::now());
        if state.waiting() > 0 {
            // Several keys may have become due at once, and one worker alone have woken up for them.
            self.shared.changed.notify_one();
        }
        ready
    }

    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        change(&mut self.state());
        self.shared.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Eq + Hash + Ord + Clone + Send + 'static> WorkQueue<T> {
    /// Counts in `metrics`, as `workqueue_*`, what goes through the queue from now on.
    pub fn measure(&self, name: &'static str, metrics: &Metrics) {
        self.state().measure(QueueMeter::new(metrics, name));
        let shared = Arc::downgrade(&self.shared);
        let depth = move || shared.upgrade().map_or(0, |shared| Self { shared }.len());
        let depths = metrics.readings("workqueue_depth", "Keys that wait for a worker");
        depths.set(vec![("name", name.to_owned())], move || depth() as f64);
        let shared = Arc::downgrade(&self.shared);
        let held = move || {
            let shared = shared.upgrade()?;
            let longest = Self { shared }.state().longest_held(Instant::now());
            Some(longest.as_secs_f64())
        };
        metrics
            .readings(
                "workqueue_longest_running_processor_seconds",
                "How long the slowest worker has held its key",
            )
            .set(vec![("name", name.to_owned())], move || held().unwrap_or_default());
    }
}

impl<T: Eq + Hash + Ord + Clone> Default for WorkQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for WorkQueue<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for WorkQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue").finish_non_exhaustive()
    }
}

// === impl Item ===

impl<T: Eq + Hash + Ord + Clone> Item<T> {
    /// The key.
    pub fn key(&self) -> &T {
        &self.key
    }

    /// The traced change that the key was first added for; of a retry that of the first try, which is late now.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The work failed: the key comes back after its next delay.
    pub fn retry(self) {
        let cause = self.cause.map(Cause::late);
        self.queue.change(|state| state.add_failed(self.key.clone(), Instant::now(), cause));
    }

    /// The work succeeded: the key's failures are forgotten.
    pub fn forget(self) {
        self.queue.forget(&self.key);
    }
}

impl<T: Eq + Hash + Ord + Clone> Deref for Item<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.key
    }
}

impl<T: Eq + Hash + Ord + Clone> Drop for Item<T> {
    fn drop(&mut self) {
        self.queue.change(|state| state.done(&self.key, Instant::now()));
    }
}

impl<T: Eq + Hash + Ord + Clone + fmt::Debug> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("key", &self.key).field("cause", &self.cause).finish()
    }
}

#[cfg(test)]
mod tests;
