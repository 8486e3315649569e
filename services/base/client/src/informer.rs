//! A copy of what api holds of one kind, kept current by list and watch.
//!
//! One task per informer is the only writer of its [`Cache`]. It lists, watches from the list's revision, and lists
//! again only if that revision is gone; after a lost connection the watch goes on where it was. Its handler hears of
//! real changes only: a second list is compared with the first by uid and resourceVersion. All informers of a process
//! share the [`Decoded`] objects.

mod cache;
mod decoded;
mod diff;
mod follow;

pub use self::cache::Cache;
pub use self::decoded::Decoded;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace::Cause;
use keelson_proto::Object;

use self::follow::Follower;
use crate::Api;

/// Keeps a [`Cache`] current; see [`Informer::spawn`].
#[derive(Debug)]
pub struct Informer<K> {
    kind: PhantomData<fn() -> K>,
}

/// Which objects an informer keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchScope {
    /// Only this namespace; "" for all, or the namespace the [`Api`] was narrowed to.
    pub namespace: String,
    /// Only what this label selector matches.
    pub label_selector: String,
    /// Only what this field selector matches.
    pub field_selector: String,
    /// Hand every object to the handler again about this often (up to a tenth later by chance), as a safety net: with
    /// `old` and `new` being the same `Arc`. Minutes, or never.
    pub resync: Option<Duration>,
}

/// What happened to a cache.
#[derive(Clone, Debug)]
pub enum Delta<K> {
    /// An object is new or has changed.
    Applied {
        /// Its last state; `None` if it is new, the very `new` if this is a resync.
        old: Option<Arc<K>>,
        /// Its state now.
        new: Arc<K>,
        /// Of the request that changed it, if it was traced; [late](Cause::is_late) if it was not seen as it happened.
        trace: Option<Cause>,
    },
    /// An object is gone, or has left the scope.
    Deleted {
        /// Its last known state.
        old: Arc<K>,
        /// Of the request that deleted it, if it was traced and seen as it happened.
        trace: Option<Cause>,
    },
    /// The cache holds all there was when the informer began, and all of it has been handed over. Comes once.
    Synced,
}

// === impl Informer ===

impl<K: Object> Informer<K> {
    /// Keeps a new cache current in a task of `tasks`, which ends when they drain.
    ///
    /// `handler` is called from that task alone, one change at a time, in order, when the cache already holds the
    /// change. It must not block: it is for noting keys in a queue.
    pub fn spawn<H>(tasks: &Tasks, api: Api<K>, scope: WatchScope, handler: H) -> Cache<K>
    where
        H: FnMut(Delta<K>) + Send + 'static,
    {
        let cache = Cache::new();
        Self::spawn_into(tasks, api, scope, cache.clone(), handler);
        cache
    }

    /// The same for a cache made before, for instance [with an index](Cache::with_index). A cache must have one
    /// informer only.
    pub fn spawn_into<H>(tasks: &Tasks, api: Api<K>, scope: WatchScope, cache: Cache<K>, handler: H)
    where
        H: FnMut(Delta<K>) + Send + 'static,
    {
        let draining = tasks.draining();
        let follower = Follower::new(api, scope, cache, handler);
        tasks.spawn_critical(K::KIND.plural, async move {
            tokio::select! {
                never = follower.run() => match never {},
                () = draining => {}
            }
        });
    }
}

#[cfg(test)]
mod tests;
