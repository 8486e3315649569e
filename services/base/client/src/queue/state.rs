//! What a queue holds, as plain data: who waits, who is being worked on, who comes later.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use keelson_base_daemon::trace::Cause;
use tokio::time::Instant;

use crate::meter::QueueMeter;

/// How long a cause counts while nobody works: who is elected later works on everything, and nobody's trace is about
/// that.
const FRESH: Duration = Duration::from_secs(60);

/// The keys of a queue. A key is in `waiting` and `order` or not, whether or not it is `held`; while it is held it is
/// not in `order`.
pub(super) struct State<T> {
    /// Keys to work on.
    waiting: HashMap<T, Waiting>,
    /// Those of them that no worker holds, oldest first.
    order: VecDeque<T>,
    /// Keys that workers hold, and since when.
    held: HashMap<T, Instant>,
    /// Planned additions by time, and the time by key.
    later: BTreeSet<(Instant, T)>,
    planned: HashMap<T, (Instant, Option<Cause>)>,
    failures: HashMap<T, u32>,
    first_retry: Duration,
    max_retry: Duration,
    shut_down: bool,
    meter: Option<QueueMeter>,
}

/// A key that waits.
struct Waiting {
    /// Of the first addition that had one.
    cause: Option<Cause>,
    since: Instant,
}

/// What a worker finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ready<T> {
    /// This key, now held.
    Key {
        /// The key.
        key: T,
        /// Why it was added.
        cause: Option<Cause>,
    },
    /// Nothing until then, unless something is added.
    At(Instant),
    /// Nothing until something is added.
    Never,
    /// Nothing any more.
    ShutDown,
}

// === impl State ===

impl<T: Eq + Hash + Ord + Clone> State<T> {
    pub(super) fn new(first_retry: Duration, max_retry: Duration) -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            held: HashMap::new(),
            later: BTreeSet::new(),
            planned: HashMap::new(),
            failures: HashMap::new(),
            first_retry,
            max_retry,
            shut_down: false,
            meter: None,
        }
    }

    /// Counts from now on.
    pub(super) fn measure(&mut self, meter: QueueMeter) {
        self.meter = Some(meter);
    }

    pub(super) fn add(&mut self, key: T, now: Instant, cause: Option<Cause>) {
        if self.shut_down {
            return;
        }
        if let Some(known) = self.waiting.get_mut(&key) {
            known.cause = first(known.cause, cause);
            return;
        }
        if let Some(meter) = &self.meter {
            meter.adds.inc();
        }
        if !self.held.contains_key(&key) {
            self.order.push_back(key.clone());
        }
        self.waiting.insert(key, Waiting { cause, since: now });
    }

    pub(super) fn add_at(&mut self, key: T, now: Instant, delay: Duration, cause: Option<Cause>) {
        if delay.is_zero() {
            return self.add(key, now, cause);
        }
        if self.shut_down {
            return;
        }
        let due = now + delay;
        let mut because = cause;
        if let Some((planned, known)) = self.planned.get_mut(&key) {
            *known = first(*known, cause);
            because = *known;
            if *planned <= due {
                return;
            }
            let planned = *planned;
            self.later.remove(&(planned, key.clone()));
        }
        self.planned.insert(key.clone(), (due, because));
        self.later.insert((due, key));
    }

    pub(super) fn add_failed(&mut self, key: T, now: Instant, cause: Option<Cause>) {
        if let Some(meter) = &self.meter {
            meter.retries.inc();
        }
        let failures = self.failures.entry(key.clone()).or_default();
        let factor = 2u32.saturating_pow(*failures);
        *failures = failures.saturating_add(1);
        let delay = self.first_retry.saturating_mul(factor).min(self.max_retry);
        self.add_at(key, now, delay, cause);
    }

    pub(super) fn forget(&mut self, key: &T) {
        self.failures.remove(key);
    }

    pub(super) fn failures(&self, key: &T) -> u32 {
        self.failures.get(key).copied().unwrap_or_default()
    }

    /// Hands out the oldest key that is due.
    pub(super) fn take(&mut self, now: Instant) -> Ready<T> {
        if self.shut_down {
            return Ready::ShutDown;
        }
        self.promote(now);
        if let Some(key) = self.order.pop_front() {
            let waiting = self.waiting.remove(&key);
            if let (Some(meter), Some(waiting)) = (&self.meter, &waiting) {
                meter.waited.observe((now - waiting.since).as_secs_f64());
            }
            self.held.insert(key.clone(), now);
            let fresh = waiting.filter(|waiting| now - waiting.since <= FRESH);
            return Ready::Key { key, cause: fresh.and_then(|waiting| waiting.cause) };
        }
        self.later.first().map_or(Ready::Never, |(due, _)| Ready::At(*due))
    }

    /// A worker is done with its key, which may have been added again in the meantime.
    pub(super) fn done(&mut self, key: &T, now: Instant) {
        let Some(since) = self.held.remove(key) else { return };
        if let Some(meter) = &self.meter {
            meter.worked.observe((now - since).as_secs_f64());
        }
        if self.waiting.contains_key(key) {
            self.order.push_back(key.clone());
        }
    }

    /// How long the key has been held that was taken first.
    pub(super) fn longest_held(&self, now: Instant) -> Duration {
        self.held.values().min().map_or(Duration::ZERO, |since| now - *since)
    }

    /// Keys that a worker could take.
    pub(super) fn waiting(&self) -> usize {
        self.order.len()
    }

    pub(super) fn delayed(&self) -> usize {
        self.later.len()
    }

    pub(super) fn shutdown(&mut self) {
        self.shut_down = true;
        self.waiting.clear();
        self.order.clear();
        self.later.clear();
        self.planned.clear();
    }

    /// Adds what was planned for now or before.
    fn promote(&mut self, now: Instant) {
        while self.later.first().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, key)) = self.later.pop_first() {
                let cause = self.planned.remove(&key).and_then(|(_, cause)| cause);
                self.add(key, now, cause);
            }
        }
    }
}

/// The cause that counts: the first that is not late, else the first.
fn first(known: Option<Cause>, new: Option<Cause>) -> Option<Cause> {
    known.filter(|known| !known.is_late()).or_else(|| new.filter(|new| !new.is_late())).or(known).or(new)
}
