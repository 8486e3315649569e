//! Which keys have a time to live, and which of them is next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment of the wall clock, in milliseconds since 1970: it must mean the same after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(pub(super) u64);

/// The deadlines of keys; at most one each.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    queue: BTreeSet<(Moment, Arc<str>)>,
    by_key: HashMap<Arc<str>, Moment>,
}

// === impl Moment ===

impl Moment {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The first whole millisecond at which `ttl` has passed.
    pub(super) fn after(self, ttl: Duration) -> Self {
        let millis = ttl.as_nanos().div_ceil(1_000_000);
        Self(self.0.saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}

// === impl Deadlines ===

impl Deadlines {
    /// Gives the key a deadline, or none, and returns the one it had.
    pub(super) fn set(&mut self, key: &Arc<str>, deadline: Option<Moment>) -> Option<Moment> {
        let before = match deadline {
            Some(deadline) => self.by_key.insert(Arc::clone(key), deadline),
            None => self.by_key.remove(key),
        };
        if let Some(before) = before {
            self.queue.remove(&(before, Arc::clone(key)));
        }
        if let Some(deadline) = deadline {
            self.queue.insert((deadline, Arc::clone(key)));
        }
        before
    }

    /// The keys whose time is up at `now`, the earliest first, at most `limit`.
    pub(super) fn due(&self, now: Moment, limit: usize) -> Vec<Arc<str>> {
        let due = self.queue.iter().take_while(|(deadline, _)| *deadline <= now);
        due.take(limit).map(|(_, key)| Arc::clone(key)).collect()
    }

    /// How long until the next deadline; `None` when there is none.
    pub(super) fn wait(&self, now: Moment) -> Option<Duration> {
        let (next, _) = self.queue.first()?;
        Some(Duration::from_millis(next.0.saturating_sub(now.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_due_first() {
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.wait(Moment(0)), None);
        let [a, b, c]: [Arc<str>; 3] = ["a", "b", "c"].map(Arc::from);
        deadlines.set(&a, Some(Moment(30)));
        deadlines.set(&b, Some(Moment(10)));
        deadlines.set(&c, Some(Moment(20)));
        assert_eq!(deadlines.wait(Moment(4)), Some(Duration::from_millis(6)));
        assert_eq!(deadlines.wait(Moment(40)), Some(Duration::ZERO));
        assert_eq!(deadlines.due(Moment(9), 10), []);
        assert_eq!(deadlines.due(Moment(20), 10), [b.clone(), c]);
        assert_eq!(deadlines.due(Moment(99), 1), [b]);
    }

    #[test]
    fn a_key_has_one_deadline() {
        let mut deadlines = Deadlines::default();
        let key = Arc::from("a");
        assert_eq!(deadlines.set(&key, Some(Moment(10))), None);
        assert_eq!(deadlines.set(&key, Some(Moment(20))), Some(Moment(10)));
        assert_eq!(deadlines.due(Moment(15), 10), []);
        assert_eq!(deadlines.set(&key, None), Some(Moment(20)));
        assert_eq!(deadlines.wait(Moment(0)), None);
    }

    #[test]
    fn a_deadline_is_never_early() {
        assert_eq!(Moment(5).after(Duration::from_micros(1)), Moment(6));
        assert_eq!(Moment(5).after(Duration::from_millis(2)), Moment(7));
        assert_eq!(Moment(5).after(Duration::MAX), Moment(u64::MAX));
    }
}
