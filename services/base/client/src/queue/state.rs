//! What a queue holds, as plain data: who waits, who is being worked on, who comes later.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use keelson_base_daemon::trace::TraceContext;
use tokio::time::Instant;

/// The keys of a queue. A key is in `waiting` and `order` or not, whether or not it is `held`; while it is held it is
/// not in `order`.
pub(super) struct State<T> {
    /// Keys to work on, with the cause of the first addition.
    waiting: HashMap<T, Option<TraceContext>>,
    /// Those of them that no worker holds, oldest first.
    order: VecDeque<T>,
    /// Keys that workers hold.
    held: HashSet<T>,
    /// Planned additions by time, and the time by key.
    later: BTreeSet<(Instant, T)>,
    planned: HashMap<T, Instant>,
    failures: HashMap<T, u32>,
    first_retry: Duration,
    max_retry: Duration,
    shut_down: bool,
}

/// What a worker finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ready<T> {
    /// This key, now held.
    Key {
        /// The key.
        key: T,
        /// Why it was added.
        cause: Option<TraceContext>,
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
            held: HashSet::new(),
            later: BTreeSet::new(),
            planned: HashMap::new(),
            failures: HashMap::new(),
            first_retry,
            max_retry,
            shut_down: false,
        }
    }

    pub(super) fn add(&mut self, key: T, cause: Option<TraceContext>) {
        if self.shut_down {
            return;
        }
        if let Some(known) = self.waiting.get_mut(&key) {
            *known = known.or(cause);
            return;
        }
        if !self.held.contains(&key) {
            self.order.push_back(key.clone());
        }
        self.waiting.insert(key, cause);
    }

    pub(super) fn add_at(&mut self, key: T, now: Instant, delay: Duration) {
        if delay.is_zero() {
            return self.add(key, None);
        }
        if self.shut_down {
            return;
        }
        let due = now + delay;
        match self.planned.get(&key) {
            Some(&planned) if planned <= due => return,
            Some(&planned) => {
                self.later.remove(&(planned, key.clone()));
            }
            None => {}
        }
        self.planned.insert(key.clone(), due);
        self.later.insert((due, key));
    }

    pub(super) fn add_failed(&mut self, key: T, now: Instant) {
        let failures = self.failures.entry(key.clone()).or_default();
        let factor = 2u32.saturating_pow(*failures);
        *failures = failures.saturating_add(1);
        let delay = self.first_retry.saturating_mul(factor).min(self.max_retry);
        self.add_at(key, now, delay);
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
            let cause = self.waiting.remove(&key).flatten();
            self.held.insert(key.clone());
            return Ready::Key { key, cause };
        }
        self.later.first().map_or(Ready::Never, |(due, _)| Ready::At(*due))
    }

    /// A worker is done with its key, which may have been added again in the meantime.
    pub(super) fn done(&mut self, key: &T) {
        if self.held.remove(key) && self.waiting.contains_key(key) {
            self.order.push_back(key.clone());
        }
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
                self.planned.remove(&key);
                self.add(key, None);
            }
        }
    }
}
