//! Objects decoded once for all of a process: whoever reads the same bytes shares the object.
//!
//! In a process with api and several informers each change is heard of by all of them, and each list read by all of
//! them. Objects are known by a keyed hash of their bytes, so that nothing depends on what the bytes say.

use std::any::{Any, TypeId};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;

use crate::raw::decode;

/// How many of the latest objects of a kind are kept although nobody holds them, for readers who come a little later:
/// in number, and in bytes as they were encoded.
const MOST_RECENT: usize = 256;
const MOST_RECENT_BYTES: usize = 1 << 20;

/// How many objects are known before those that nobody holds are looked for.
const FIRST_SWEEP: usize = 512;

/// The decoded objects of one kind. Clones share them.
pub struct Decoded<K> {
    known: Arc<Mutex<Known<K>>>,
    seeds: Arc<[RandomState; 2]>,
}

/// Two hashes of an object's bytes, together too long to meet by chance.
type Key = [u64; 2];

struct Known<K> {
    objects: HashMap<Key, Weak<K>>,
    /// So many objects are a reason to look for those that are gone.
    sweep_at: usize,
    recent: VecDeque<(usize, Arc<K>)>,
    /// Of `recent`, as they were encoded.
    recent_bytes: usize,
}

// === impl Decoded ===

impl<K: Object> Decoded<K> {
    /// Those that all of this process share.
    pub fn of_process() -> Self {
        static ALL: OnceLock<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>> = OnceLock::new();
        let mut all = lock(ALL.get_or_init(Mutex::default));
        let kept = all.entry(TypeId::of::<K>()).or_insert_with(|| Box::new(Self::new()));
        kept.downcast_ref::<Self>().cloned().unwrap_or_else(Self::new)
    }

    fn new() -> Self {
        Self { known: Arc::default(), seeds: Arc::new([RandomState::new(), RandomState::new()]) }
    }

    /// The object that these bytes encode.
    ///
    /// # Errors
    /// InternalError if they are no object of the kind.
    pub fn decode(&self, bytes: Bytes) -> Result<Arc<K>, ApiError> {
        let key: Key = [self.seeds[0].hash_one(&bytes), self.seeds[1].hash_one(&bytes)];
        if let Some(object) = lock(&self.known).get(&key) {
            return Ok(object);
        }
        let size = bytes.len();
        // Two readers who come at the same time both decode; nobody waits for another.
        let object = Arc::new(decode(bytes)?);
        Ok(lock(&self.known).insert(key, object, size))
    }
}

impl<K> Clone for Decoded<K> {
    fn clone(&self) -> Self {
        Self { known: self.known.clone(), seeds: self.seeds.clone() }
    }
}

impl<K> fmt::Debug for Decoded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").field("objects", &lock(&self.known).objects.len()).finish_non_exhaustive()
    }
}

// === impl Known ===

impl<K> Known<K> {
    fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.objects.get(key)?.upgrade()
    }

    /// Keeps an object, unless somebody was faster; returns the one that is kept.
    fn insert(&mut self, key: Key, object: Arc<K>, size: usize) -> Arc<K> {
        if let Some(known) = self.get(&key) {
            return known;
        }
        if self.objects.len() >= self.sweep_at {
            self.objects.retain(|_, object| object.strong_count() > 0);
            self.sweep_at = FIRST_SWEEP.max(self.objects.len() * 2);
        }
        self.objects.insert(key, Arc::downgrade(&object));
        self.recent.push_back((size, object.clone()));
        self.recent_bytes += size;
        while self.recent.len() > MOST_RECENT || self.recent_bytes > MOST_RECENT_BYTES {
            let Some((size, _)) = self.recent.pop_front() else { break };
            self.recent_bytes -= size;
        }
        object
    }
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self { objects: HashMap::new(), sweep_at: FIRST_SWEEP, recent: VecDeque::new(), recent_bytes: 0 }
    }
}

/// Locks; what a panicking holder left behind is whole, as nobody panics between two steps of one change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use keelson_proto::Message as _;
    use keelson_proto::core::Pod;

    use super::*;

    fn pod(name: &str, size: usize) -> Bytes {
        let mut pod = Pod::default();
        pod.metadata.name = name.into();
        pod.status.message = "x".repeat(size);
        pod.encode_to_vec().into()
    }

    #[test]
    fn the_same_bytes_are_one_object() {
        let decoded = Decoded::<Pod>::new();
        let one = decoded.decode(pod("a", 0)).unwrap();
        assert!(Arc::ptr_eq(&one, &decoded.decode(pod("a", 0)).unwrap()));
        let other = decoded.decode(pod("b", 0)).unwrap();
        assert_eq!((one.metadata.name.as_str(), other.metadata.name.as_str()), ("a", "b"));
        assert!(decoded.decode(Bytes::from_static(b"\x0a\x7f")).is_err());
    }

    #[test]
    fn the_process_has_one_set_of_each_kind() {
        let object = Decoded::<Pod>::of_process().decode(pod("of the process", 0)).unwrap();
        let again = Decoded::<Pod>::of_process().decode(pod("of the process", 0)).unwrap();
        assert!(Arc::ptr_eq(&object, &again));
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let decoded = Decoded::<Pod>::new();
        let held: Vec<_> = (0..10).map(|n| decoded.decode(pod(&format!("held-{n}"), 0)).unwrap()).collect();
        for n in 0..10 * FIRST_SWEEP {
            decoded.decode(pod(&format!("passing-{n}"), 0)).unwrap();
        }
        let known = lock(&decoded.known);
        assert!(known.objects.len() <= FIRST_SWEEP.max(2 * (held.len() + MOST_RECENT)));
        assert_eq!(known.recent.len(), MOST_RECENT);
        drop(known);
        assert!(Arc::ptr_eq(&held[0], &decoded.decode(pod("held-0", 0)).unwrap()));
    }

    #[test]
    fn large_objects_are_not_kept_for_others() {
        let decoded = Decoded::<Pod>::new();
        for n in 0..5 {
            decoded.decode(pod(&n.to_string(), MOST_RECENT_BYTES / 2)).unwrap();
        }
        let known = lock(&decoded.known);
        assert!(known.recent.len() <= 2 && known.recent_bytes <= MOST_RECENT_BYTES);
    }
}
