//! The JSON spellings of recent changes, so that a change is decoded and spelled once however many watch it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Which change of which object. A selector can make one change a deletion for one watcher and a modification for
/// another, hence the type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The message name of the kind.
    pub(crate) kind: &'static str,
    /// The event's type.
    pub(crate) event: i32,
    /// The object's namespace.
    pub(crate) namespace: String,
    /// The object's name.
    pub(crate) name: String,
    /// The revision of the change.
    pub(crate) revision: u64,
}

/// Spellings by key, the oldest dropped when their bytes are too many.
#[derive(Debug)]
pub(crate) struct Ring {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    frames: HashMap<Key, Bytes>,
    order: VecDeque<Key>,
    bytes: usize,
}

/// What an entry costs beside its frame, about.
const ENTRY: usize = 256;

// === impl Ring ===

impl Ring {
    /// A ring of at most about this many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// The spelling of a change, made by `spell` unless it is there. Two watchers that come at the same time both
    /// spell; nobody waits for another.
    pub(crate) fn get_or<E>(&self, key: Key, spell: impl FnOnce() -> Result<Bytes, E>) -> Result<Bytes, E> {
        if let Some(frame) = self.lock().frames.get(&key) {
            return Ok(frame.clone());
        }
        let frame = spell()?;
        self.lock().insert(key, frame.clone(), self.most);
        Ok(frame)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Held ===

impl Held {
    fn insert(&mut self, key: Key, frame: Bytes, most: usize) {
        let size = frame.len() + ENTRY;
        if size > most || self.frames.insert(key.clone(), frame).is_some() {
            return;
        }
        self.order.push_back(key);
        self.bytes += size;
        while self.bytes > most {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(frame) = self.frames.remove(&oldest) {
                self.bytes -= frame.len() + ENTRY;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn key(revision: u64) -> Key {
        Key { kind: "Pod", event: 1, namespace: "a".into(), name: "web".into(), revision }
    }

    /// Asks for a spelling of 100 bytes; tells whether it had to be made.
    fn made(ring: &Ring, key: Key) -> bool {
        let mut made = false;
        let frame = ring.get_or(key, || {
            made = true;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; 100]))
        });
        assert_eq!(frame.unwrap().len(), 100);
        made
    }

    #[test]
    fn a_change_is_spelled_once() {
        let ring = Ring::new(10_000);
        assert!(made(&ring, key(1)));
        assert!(!made(&ring, key(1)));
        assert!(made(&ring, Key { event: 3, ..key(1) }));
    }

    #[test]
    fn the_oldest_goes_first() {
        let ring = Ring::new(3 * (100 + ENTRY));
        assert!((1..=4).all(|revision| made(&ring, key(revision))));
        assert!((2..=4).all(|revision| !made(&ring, key(revision))));
        assert!(made(&ring, key(1)));
        assert!(ring.lock().bytes <= ring.most && ring.lock().frames.len() == 3);
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let ring = Ring::new(100);
        assert!(made(&ring, key(1)) && made(&ring, key(1)));
        assert_eq!(ring.lock().bytes, 0);
    }
}
