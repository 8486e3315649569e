//! One change of one object, encoded once for all who hear of it.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use keelson_base_daemon::trace::Cause;
use keelson_proto::v1::{RawWatchEvent, WatchEventType};
use keelson_proto::{Message, wire};

use crate::cache::Entry;

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Event {
    /// The revision of the change.
    pub(crate) revision: u64,
    /// The object before; none if it began to exist.
    pub(crate) old: Option<Arc<Entry>>,
    /// The object after; none if it ceased to exist.
    pub(crate) new: Option<Arc<Entry>>,
    /// When the change became known here.
    learnt: SystemTime,
    added: OnceLock<Bytes>,
    modified: OnceLock<Bytes>,
    deleted: OnceLock<Bytes>,
}

// === impl Event ===

impl Event {
    /// A change. One of `old` and `new` is there.
    pub(crate) fn new(revision: u64, old: Option<Arc<Entry>>, new: Option<Arc<Entry>>) -> Self {
        Self {
            revision,
            old,
            new,
            learnt: SystemTime::now(),
            added: OnceLock::new(),
            modified: OnceLock::new(),
            deleted: OnceLock::new(),
        }
    }

    /// The watch frame that tells of the change as `kind`, encoded at most once.
    pub(crate) fn frame(&self, kind: WatchEventType) -> Bytes {
        let (slot, entry) = match kind {
            WatchEventType::Added => (&self.added, &self.new),
            WatchEventType::Modified => (&self.modified, &self.new),
            _ => (&self.deleted, &self.old),
        };
        let encode = || match entry {
            // The last state of an object that is gone carries the revision of its end.
            Some(entry) if kind == WatchEventType::Deleted => {
                let object = wire::with_resource_version(&entry.object, self.revision);
                frame(kind, entry, object, self.revision, self.trace())
            }
            Some(entry) => frame(kind, entry, entry.object.clone(), self.revision, self.trace()),
            None => Bytes::new(),
        };
        slot.get_or_init(encode).clone()
    }

    /// The trace of the request that made the change. The store knows none for the removal of a key: it belongs to the
    /// deletion that was asked for before, if there was one, and else to none that is known.
    fn trace(&self) -> Bytes {
        let marked = |entry: &&Arc<Entry>| {
            wire::metadata(&entry.object).is_ok_and(|metadata| metadata.deletion_timestamp.is_some())
        };
        let gone = || self.old.as_ref().filter(|old| old.trace.is_some()).filter(marked);
        match self.new.as_ref().or_else(gone).and_then(|entry| entry.trace) {
            Some(trace) if trace.is_sampled() => Bytes::copy_from_slice(&Cause::encode(trace, self.learnt)),
            Some(trace) => Bytes::copy_from_slice(&trace.to_bytes()),
            None => Bytes::new(),
        }
    }

    /// About how much memory the event keeps alive beside the current objects: the object before, and a frame
    /// with the one after.
    pub(crate) fn weight(&self) -> usize {
        let bytes = |entry: &Option<Arc<Entry>>| entry.as_ref().map_or(0, |entry| entry.object.len());
        bytes(&self.old) + bytes(&self.new) + 512
    }
}

/// The frame of an object that a watch begins with.
pub(crate) fn initial(entry: &Entry) -> Bytes {
    let trace = entry.trace.map(|trace| Bytes::copy_from_slice(&trace.to_bytes())).unwrap_or_default();
    frame(WatchEventType::Added, entry, entry.object.clone(), entry.revision, trace)
}

fn frame(kind: WatchEventType, entry: &Entry, object: Bytes, revision: u64, trace_context: Bytes) -> Bytes {
    RawWatchEvent {
        r#type: kind.into(),
        object,
        namespace: entry.namespace().to_owned(),
        name: entry.name().to_owned(),
        uid: entry.uid.to_string(),
        revision,
        trace_context,
    }
    .encode_to_vec()
    .into()
}
