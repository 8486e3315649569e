//! The objects that an informer keeps, for many readers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use keelson_base_model::key::ObjectKey;
use keelson_proto::Object;
use tokio::sync::watch;

/// Objects by key, as its informer last saw them. Clones are the same cache; reading is a short lock and an `Arc`.
pub struct Cache<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    objects: RwLock<Objects<K>>,
    synced: watch::Sender<bool>,
    /// How many lists were asked for, and how many of those are in.
    asked: watch::Sender<u64>,
    listed: watch::Sender<u64>,
}

/// The objects and their index.
pub(super) struct Objects<K> {
    /// Ordered, so that a namespace is a range.
    by_key: BTreeMap<ObjectKey, Arc<K>>,
    index: Option<Index<K>>,
}

struct Index<K> {
    values: fn(&K) -> Vec<String>,
    keys: HashMap<String, BTreeSet<ObjectKey>>,
}

// === impl Cache ===

impl<K: Object> Cache<K> {
    /// An empty cache, not synced.
    pub fn new() -> Self {
        Self::from_objects(Objects { by_key: BTreeMap::new(), index: None }, false)
    }

    /// An empty cache that also finds objects by the values that `index` gives each, see [`Cache::by_index`].
    pub fn with_index(index: fn(&K) -> Vec<String>) -> Self {
        let index = Some(Index { values: index, keys: HashMap::new() });
        Self::from_objects(Objects { by_key: BTreeMap::new(), index }, false)
    }

    fn from_objects(objects: Objects<K>, synced: bool) -> Self {
        let shared = Shared {
            objects: RwLock::new(objects),
            synced: watch::Sender::new(synced),
            asked: watch::Sender::new(0),
            listed: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The object with this key.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.read().get(key)
    }

    /// All objects, ordered by namespace and name.
    pub fn list(&self) -> Vec<Arc<K>> {
        self.read().by_key.values().cloned().collect()
    }

    /// The objects of one namespace, ordered by name.
    pub fn namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let first = ObjectKey::new(namespace, "");
        let objects = self.read();
        let range = objects.by_key.range(first..);
        range.take_while(|(key, _)| key.namespace == namespace).map(|(_, object)| object.clone()).collect()
    }

    /// Calls `visit` with every object, under the lock: do nothing there that takes time, and read no cache.
    pub fn for_each(&self, mut visit: impl FnMut(&Arc<K>)) {
        self.read().by_key.values().for_each(&mut visit);
    }

    /// The objects that the index gives this value; none if the cache has no index.
    pub fn by_index(&self, value: &str) -> Vec<Arc<K>> {
        let objects = self.read();
        let keys = objects.index.as_ref().and_then(|index| index.keys.get(value));
        keys.into_iter().flatten().filter_map(|key| objects.get(key)).collect()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.read().by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first list is in.
    pub fn is_synced(&self) -> bool {
        *self.shared.synced.borrow()
    }

    /// Ends when the first list is in and has been handed over.
    pub fn synced(&self) -> impl Future<Output = ()> + Send + use<K> {
        let shared = self.shared.clone();
        async move {
            // Fails only if the sender is gone, which `shared` owns.
            let _ = shared.synced.subscribe().wait_for(|synced| *synced).await;
        }
    }

    /// Has the informer list again, and ends when all has been handed over that was written before this call. For
    /// whoever must not act on a past that a watch has yet to deliver.
    pub fn refresh(&self) -> impl Future<Output = ()> + Send + use<K> {
        let shared = self.shared.clone();
        let mut wanted = 0;
        shared.asked.send_modify(|asked| {
            *asked += 1;
            wanted = *asked;
        });
        async move {
            // Fails only if the sender is gone, which `shared` owns.
            let _ = shared.listed.subscribe().wait_for(|listed| *listed >= wanted).await;
        }
    }

    /// How many lists were asked for so far.
    pub(super) fn asked(&self) -> u64 {
        *self.shared.asked.borrow()
    }

    /// So many of them are in.
    pub(super) fn set_listed(&self, asked: u64) {
        self.shared.listed.send_replace(asked);
    }

    /// Ends when a list is asked for that is not in.
    pub(super) async fn stale(&self) {
        let listed = *self.shared.listed.borrow();
        let _ = self.shared.asked.subscribe().wait_for(|asked| *asked > listed).await;
    }

    /// Whether a list is asked for that is not in.
    pub(super) fn is_stale(&self) -> bool {
        self.asked() > *self.shared.listed.borrow()
    }

    pub(super) fn set_synced(&self) {
        self.shared.synced.send_replace(true);
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Objects<K>> {
        self.shared.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Objects<K>> {
        self.shared.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Object> Cache<K> {
    /// A cache that holds just these and never changes, [with an index](Cache::with_index): for tests, as
    /// [`FromIterator`] is.
    pub fn indexed(objects: impl IntoIterator<Item = K>, index: fn(&K) -> Vec<String>) -> Self {
        let cache = Self::with_index(index);
        for object in objects {
            cache.write().insert(key_of(&object), Arc::new(object));
        }
        cache.set_synced();
        cache
    }
}

/// A cache that holds just these and never changes: for whoever decides on caches, to be tested.
impl<K: Object> FromIterator<K> for Cache<K> {
    fn from_iter<I: IntoIterator<Item = K>>(objects: I) -> Self {
        let by_key = objects.into_iter().map(|object| (key_of(&object), Arc::new(object))).collect();
        Self::from_objects(Objects { by_key, index: None }, true)
    }
}

impl<K: Object> Default for Cache<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K> fmt::Debug for Cache<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("synced", &*self.shared.synced.borrow()).finish_non_exhaustive()
    }
}

// === impl Objects ===

impl<K: Object> Objects<K> {
    pub(super) fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.by_key.get(key).cloned()
    }

    pub(super) fn all(&self) -> &BTreeMap<ObjectKey, Arc<K>> {
        &self.by_key
    }

    pub(super) fn insert(&mut self, key: ObjectKey, object: Arc<K>) {
        if let Some(index) = &mut self.index {
            index.add(&key, &object);
        }
        let old = self.by_key.insert(key.clone(), object);
        if let (Some(old), Some(index)) = (old, &mut self.index) {
            let kept = self.by_key.get(&key).map(|new| (index.values)(new)).unwrap_or_default();
            index.remove(&key, &old, &kept);
        }
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<K>> {
        let old = self.by_key.remove(key)?;
        if let Some(index) = &mut self.index {
            index.remove(key, &old, &[]);
        }
        Some(old)
    }
}

// === impl Index ===

impl<K> Index<K> {
    fn add(&mut self, key: &ObjectKey, object: &K) {
        for value in (self.values)(object) {
            self.keys.entry(value).or_default().insert(key.clone());
        }
    }

    /// Takes a key out from under an old state's values, but for those in `kept`.
    fn remove(&mut self, key: &ObjectKey, old: &K, kept: &[String]) {
        for value in (self.values)(old) {
            if kept.contains(&value) {
                continue;
            }
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
    }
}

/// Where an object is kept.
pub(super) fn key_of<K: Object>(object: &K) -> ObjectKey {
    ObjectKey::of(object.metadata())
}
