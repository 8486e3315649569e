//! What the store holds and what its watches deliver.

use bytes::Bytes;
use std::sync::Arc;

/// A point in the store's one history. 0 is before anything; an empty store is at 1, as in etcd, so that a
/// client may use 0 for "no particular revision".
pub type Revision = u64;

/// One key at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key, as given in the put.
    pub key: Arc<str>,
    /// The bytes, as given in the put.
    pub value: Bytes,
    /// The revision of the put that created the key (after its last delete).
    pub create_revision: Revision,
    /// The revision of the put that wrote this value.
    pub mod_revision: Revision,
    /// How many puts the key has had since it was created; 1 for the first.
    pub version: u64,
}

/// What happened to one key in one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Arc<str>,
    /// Put, with what is there now, or delete.
    pub kind: ChangeKind,
}

/// The two kinds of [`Change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The key was created or overwritten; what is there now.
    Put(KeyValue),
    /// The key was deleted, or its time to live ran out.
    Delete,
}

/// One commit, whole. It may hold no change at all (on etcd, a commit that touched only foreign keys): it then
/// still tells a reader how far the history has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The commit's revision.
    pub revision: Revision,
    /// Its changes, in the order of its operations; at most one per key.
    pub changes: Arc<[Change]>,
}

// === impl Change ===

impl Change {
    /// What is there after the change; `None` after a delete.
    pub fn current(&self) -> Option<&KeyValue> {
        match &self.kind {
            ChangeKind::Put(current) => Some(current),
            ChangeKind::Delete => None,
        }
    }
}

// === impl Batch ===

impl Batch {
    /// About how much memory the batch holds, in bytes; what the bounds of buffers count.
    pub(crate) fn weight(&self) -> usize {
        let change = |change: &Change| {
            let value = |kv: &KeyValue| kv.value.len();
            size_of::<Change>() + change.key.len() + change.current().map_or(0, value)
        };
        size_of::<Batch>() + self.changes.iter().map(change).sum::<usize>()
    }
}
