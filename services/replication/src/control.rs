//! What all control loops have in common: keys in a queue, workers, and a record of how it goes.

mod state;

pub(crate) use self::state::LoopState;

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{ApiError, Item, WorkQueue};
use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::tasks::{Drain, Tasks};
use keelson_base_daemon::trace::{self, Cause, Span};

use crate::cache::Caches;

/// The delays of a key that fails: as Kubernetes' controllers begin, but coming back within a minute.
const FIRST_RETRY: Duration = Duration::from_millis(5);
const MAX_RETRY: Duration = Duration::from_secs(60);

/// The time that a sync takes for each object that it looks at, roughly, and what is not worth waiting for.
const PER_OBJECT: Duration = Duration::from_micros(20);
const NOT_WORTH_IT: Duration = Duration::from_millis(5);
const LONGEST_SETTLE: Duration = Duration::from_secs(1);

/// One control loop: how the thing behind a key is brought to where it should be.
pub(crate) trait Reconcile: Send + Sync + 'static {
    /// The loop's name: of its tasks, of its spans and in its status.
    const NAME: &'static str;
    /// What names the things that the loop looks after.
    type Key: Eq + Hash + Ord + Clone + Debug + Send + Sync + 'static;

    /// The keys to work on.
    fn queue(&self) -> &WorkQueue<Self::Key>;

    /// Looks at one thing and does what is needed. What fails is tried again later.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Next, ApiError>> + Send;
}

/// When a key is to be looked at again after a sync that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// When something changes.
    Event,
    /// After this time at the latest.
    After(Duration),
    /// Soon, and less and less soon: something is on its way that no event tells of.
    Soon,
}

/// A queue for a loop.
pub(crate) fn queue<T: Eq + Hash + Ord + Clone>() -> WorkQueue<T> {
    WorkQueue::with_retry(FIRST_RETRY, MAX_RETRY)
}

/// A control loop and how it is doing. Clones are the same loop.
pub(crate) struct Control<R> {
    work: Arc<R>,
    state: Arc<LoopState>,
}

// === impl Control ===

impl<R: Reconcile> Control<R> {
    /// A loop that hears of changes, and on which nobody works yet.
    pub(crate) fn new(work: R, metrics: &Metrics) -> Self {
        let queue = work.queue().clone();
        queue.measure(R::NAME, metrics);
        let state = Arc::new(LoopState::new(R::NAME, move || queue.len()));
        Self { work: Arc::new(work), state }
    }

    /// How the loop is doing.
    pub(crate) fn state(&self) -> Arc<LoopState> {
        self.state.clone()
    }

    /// How many keys wait, those for later included.
    pub(crate) fn waiting(&self) -> usize {
        self.work.queue().len() + self.work.queue().delayed()
    }

    /// Starts workers, which begin when the caches are filled. Once `tasks` drain nobody can work on the loop again.
    pub(crate) fn spawn(&self, tasks: &Tasks, workers: usize, caches: &Caches) {
        for _ in 0..workers {
            let (synced, draining) = (caches.synced(), tasks.draining());
            let worker = run(self.work.clone(), self.state.clone(), tasks.drain());
            tasks.spawn_critical(R::NAME, async move {
                tokio::select! {
                    () = synced => worker.await,
                    () = draining => {}
                }
            });
        }
        let (queue, draining) = (self.work.queue().clone(), tasks.draining());
        tasks.spawn("drain", async move {
            draining.await;
            queue.shutdown();
        });
    }
}

impl<R> Clone for Control<R> {
    fn clone(&self) -> Self {
        Self { work: self.work.clone(), state: self.state.clone() }
    }
}

impl<R> Deref for Control<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.work
    }
}

/// How long a change should wait for others like it, if each of them makes a sync look at this many objects. A few
/// are looked at straight away; of thousands it is better not to look at all for every one that changes.
pub(crate) fn settle(objects: usize) -> Duration {
    let time = PER_OBJECT.saturating_mul(u32::try_from(objects).unwrap_or(u32::MAX));
    if time < NOT_WORTH_IT { Duration::ZERO } else { time.min(LONGEST_SETTLE) }
}

/// Adds a key because of a change that may wait for `delay`.
pub(crate) fn wake<T: Eq + Hash + Ord + Clone>(
    queue: &WorkQueue<T>,
    key: T,
    cause: Option<Cause>,
    delay: Duration,
) {
    queue.add_caused_after(key, cause, delay);
}

/// One worker: one key at a time, until the queue is shut down.
async fn run<R: Reconcile>(control: Arc<R>, state: Arc<LoopState>, drain: Drain) {
    while let Some(item) = control.queue().next().await {
        if drain.is_signaled() {
            return;
        }
        work(&*control, item, &state).await;
    }
}

async fn work<R: Reconcile>(control: &R, item: Item<R::Key>, state: &LoopState) {
    match span::<R>(&item).instrument_result(control.reconcile(&item)).await {
        Ok(next) => {
            state.succeeded();
            match next {
                Next::Event => item.forget(),
                Next::After(delay) => {
                    control.queue().add_after(item.key().clone(), delay);
                    item.forget();
                }
                Next::Soon => item.retry(),
            }
        }
        // Somebody else was quicker, or our cache is behind: no fault of anybody's.
        Err(error) if error.is_conflict() => {
            tracing::debug!(control = R::NAME, key = ?item.key(), %error, "lost a race, trying again");
            item.retry();
        }
        Err(error) => {
            tracing::warn!(control = R::NAME, key = ?item.key(), %error, "sync failed, trying again");
            state.failed(&error);
            item.retry();
        }
    }
}

/// The span of a sync that a traced change has caused.
fn span<R: Reconcile>(item: &Item<R::Key>) -> Span {
    let Some(cause) = item.cause() else { return Span::none() };
    let tracer = trace::tracer();
    if !tracer.records(cause.context()) {
        return tracer.reaction(R::NAME, cause);
    }
    let mut span = tracer.reaction(format!("sync {}", R::NAME), cause);
    span.attribute("keelson.key", format!("{:?}", item.key()));
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_objects_are_looked_at_at_once_and_many_after_a_while() {
        let table = [(0, 0), (3, 0), (249, 0), (250, 5), (5_000, 100), (usize::MAX, 1000)];
        for (objects, millis) in table {
            assert_eq!(settle(objects), Duration::from_millis(millis), "{objects}");
        }
    }
}
