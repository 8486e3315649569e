//! Writes that a cache has yet to see: whoever creates or deletes objects in numbers counts on stale numbers
//! until its own writes come back to it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keelson_base_model::key::ObjectKey;
use tokio::time::Instant;

/// An expectation older than this is given up: a watch event was lost, or the write never took effect. The value is
/// that of Kubernetes' controllers.
const GIVE_UP: Duration = Duration::from_secs(5 * 60);

/// What the owners of objects (by key) expect to see in their caches. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    owners: Arc<Mutex<HashMap<ObjectKey, Expected>>>,
}

#[derive(Debug)]
struct Expected {
    creations: usize,
    /// By uid: a deletion is seen twice, as a timestamp and as the end.
    deletions: HashSet<String>,
    since: Instant,
}

// === impl Expectations ===

impl Expectations {
    /// Expects nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether all that `owner` expected has been seen or given up, so that its numbers can be trusted.
    pub fn satisfied(&self, owner: &ObjectKey) -> bool {
        self.lock().get(owner).is_none_or(|expected| expected.is_met() || expected.since.elapsed() >= GIVE_UP)
    }

    /// Call before creating `count` objects for `owner`.
    pub fn expect_creations(&self, owner: &ObjectKey, count: usize) {
        self.expect(owner, |expected| expected.creations += count);
    }

    /// Call before deleting the objects with these uids.
    pub fn expect_deletions(&self, owner: &ObjectKey, uids: impl IntoIterator<Item = String>) {
        self.expect(owner, |expected| expected.deletions.extend(uids));
    }

    /// An object of `owner` appeared, or could not be created.
    pub fn creation_observed(&self, owner: &ObjectKey) {
        self.observe(owner, |expected| expected.creations = expected.creations.saturating_sub(1));
    }

    /// The object with this uid is going or gone, or could not be deleted.
    pub fn deletion_observed(&self, owner: &ObjectKey, uid: &str) {
        self.observe(owner, |expected| {
            expected.deletions.remove(uid);
        });
    }

    /// Forgets `owner`, for instance because it is gone.
    pub fn forget(&self, owner: &ObjectKey) {
        self.lock().remove(owner);
    }

    fn expect(&self, owner: &ObjectKey, change: impl FnOnce(&mut Expected)) {
        let mut owners = self.lock();
        let now = Instant::now();
        let fresh = || Expected { creations: 0, deletions: HashSet::new(), since: now };
        let expected = owners.entry(owner.clone()).or_insert_with(fresh);
        if now.duration_since(expected.since) >= GIVE_UP {
            *expected = fresh();
        }
        expected.since = now;
        change(expected);
    }

    fn observe(&self, owner: &ObjectKey, change: impl FnOnce(&mut Expected)) {
        let mut owners = self.lock();
        let Some(expected) = owners.get_mut(owner) else {
            return;
        };
        change(expected);
        if expected.is_met() {
            owners.remove(owner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Expected>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Expected ===

impl Expected {
    fn is_met(&self) -> bool {
        self.creations == 0 && self.deletions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> ObjectKey {
        ObjectKey { namespace: "default".into(), name: "web".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn satisfied_once_every_write_came_back() {
        let expectations = Expectations::new();
        let owner = owner();
        assert!(expectations.satisfied(&owner), "nothing is expected");
        expectations.expect_creations(&owner, 2);
        expectations.creation_observed(&owner);
        assert!(!expectations.satisfied(&owner), "one of two");
        expectations.creation_observed(&owner);
        assert!(expectations.satisfied(&owner));
        expectations.creation_observed(&owner);
        assert!(expectations.satisfied(&owner), "others create too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_counts_once_however_often_it_is_seen() {
        let expectations = Expectations::new();
        let owner = owner();
        expectations.expect_deletions(&owner, ["a".to_owned(), "b".to_owned()]);
        expectations.deletion_observed(&owner, "a");
        expectations.deletion_observed(&owner, "a");
        expectations.deletion_observed(&owner, "c");
        assert!(!expectations.satisfied(&owner), "b is still there");
        expectations.deletion_observed(&owner, "b");
        assert!(expectations.satisfied(&owner));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_is_given_up_and_does_not_haunt_the_next_time() {
        let expectations = Expectations::new();
        let owner = owner();
        expectations.expect_creations(&owner, 1);
        tokio::time::advance(GIVE_UP - Duration::from_secs(1)).await;
        assert!(!expectations.satisfied(&owner));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(expectations.satisfied(&owner));
        expectations.expect_creations(&owner, 1);
        assert!(!expectations.satisfied(&owner));
        expectations.creation_observed(&owner);
        assert!(expectations.satisfied(&owner), "the lost one is not waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn owners_are_apart_and_forgotten() {
        let expectations = Expectations::new();
        let other = ObjectKey { namespace: "other".into(), name: "web".into() };
        expectations.expect_creations(&owner(), 1);
        assert!(expectations.satisfied(&other));
        expectations.forget(&owner());
        assert!(expectations.satisfied(&owner()));
    }
}
