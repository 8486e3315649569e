//! Kinds that no loop looks at but the garbage collector, which asks for metadata alone: who owns what.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, join_all};
use keelson_base_client::{Cache, Client, Delta, MetadataOf};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::Object;
use keelson_proto::core::{
    ConfigMap, LimitRange, PersistentVolume, PersistentVolumeClaim, PodTemplate, Secret,
};
use keelson_proto::rbac::{Role, RoleBinding};

use crate::cache::once;
use crate::hearers::Hearers;
use crate::loops::Loops;

/// Caches of the metadata of these kinds. Clones are the same caches.
#[derive(Clone)]
pub(crate) struct Owned {
    caches: Arc<[Box<dyn Followed>]>,
}

/// A cache of some kind.
trait Followed: Send + Sync {
    fn len(&self) -> usize;
    fn is_synced(&self) -> bool;
    fn synced(&self) -> BoxFuture<'static, ()>;
    fn refresh(&self) -> BoxFuture<'static, ()>;
    /// Keeps the cache current; the hearers are told.
    fn follow(&self, hearers: &Hearers, client: &Client, tasks: &Tasks);
    /// Tells loops of all that the cache holds, as if it were new.
    fn tell(&self, loops: &Loops);
}

// === impl Owned ===

impl Owned {
    /// Empty caches.
    pub(crate) fn new() -> Self {
        let caches = [
            cache::<ConfigMap>(),
            cache::<LimitRange>(),
            cache::<PersistentVolume>(),
            cache::<PersistentVolumeClaim>(),
            cache::<PodTemplate>(),
            cache::<Role>(),
            cache::<RoleBinding>(),
            cache::<Secret>(),
        ];
        Self { caches: caches.into() }
    }

    /// How many objects there are in all of them.
    pub(crate) fn len(&self) -> usize {
        self.caches.iter().map(|cache| cache.len()).sum()
    }

    /// Whether all hold what there was when they began.
    pub(crate) fn is_synced(&self) -> bool {
        self.caches.iter().all(|cache| cache.is_synced())
    }

    /// Ends when all hold what there was when they began.
    pub(crate) fn synced(&self) -> BoxFuture<'static, ()> {
        join_all(self.caches.iter().map(|cache| cache.synced())).map(drop).boxed()
    }

    /// Ends when all hold what was written before this call.
    pub(crate) fn refresh(&self) -> BoxFuture<'static, ()> {
        join_all(self.caches.iter().map(|cache| cache.refresh())).map(drop).boxed()
    }

    /// Keeps the caches current; the hearers are told.
    pub(crate) fn follow(&self, hearers: &Hearers, client: &Client, tasks: &Tasks) {
        self.caches.iter().for_each(|cache| cache.follow(hearers, client, tasks));
    }

    /// Tells loops of all that the caches hold, as if it were new.
    pub(crate) fn tell(&self, loops: &Loops) {
        self.caches.iter().for_each(|cache| cache.tell(loops));
    }
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owned").field("objects", &self.len()).finish_non_exhaustive()
    }
}

fn cache<K: Object>() -> Box<dyn Followed> {
    Box::new(Cache::<MetadataOf<K>>::new())
}

// === impl Followed ===

impl<K: Object> Followed for Cache<MetadataOf<K>> {
    fn len(&self) -> usize {
        Cache::len(self)
    }

    fn is_synced(&self) -> bool {
        Cache::is_synced(self)
    }

    fn synced(&self) -> BoxFuture<'static, ()> {
        Cache::synced(self).boxed()
    }

    fn refresh(&self) -> BoxFuture<'static, ()> {
        Cache::refresh(self).boxed()
    }

    fn follow(&self, hearers: &Hearers, client: &Client, tasks: &Tasks) {
        hearers.follow(client, tasks, self, once(), Loops::on_owned);
    }

    fn tell(&self, loops: &Loops) {
        for object in self.list() {
            loops.on_owned(&Delta::Applied { old: None, new: object, trace: None });
        }
    }
}
