//! What a list or a watch event changes in a cache, and what the handler is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_base_daemon::trace::Cause;
use keelson_base_model::key::ObjectKey;
use keelson_proto::Object;

use super::Delta;
use super::cache::{Objects, key_of};
use crate::{WatchEvent, WatchEventKind};

/// Makes `objects` what was listed. Deletions come first, then what is new or changed, in the order of keys.
pub(super) fn replace<K: Object>(
    objects: &mut Objects<K>,
    listed: Vec<(Arc<K>, Option<Cause>)>,
) -> Vec<Delta<K>> {
    let listed: BTreeMap<_, _> = listed.into_iter().map(|listed| (key_of(&*listed.0), listed)).collect();
    let gone: Vec<ObjectKey> =
        objects.all().keys().filter(|key| !listed.contains_key(key)).cloned().collect();
    let mut deltas = Vec::new();
    for key in gone {
        deltas.extend(objects.remove(&key).map(|old| Delta::Deleted { old, trace: None }));
    }
    for (key, (object, cause)) in listed {
        put(objects, key, object, |mut delta| {
            if let Delta::Applied { trace, .. } = &mut delta {
                *trace = cause;
            }
            deltas.push(delta);
        });
    }
    deltas
}

/// Makes one watch event's change.
pub(super) fn apply<K: Object>(objects: &mut Objects<K>, event: WatchEvent<Arc<K>>) -> Vec<Delta<K>> {
    let mut deltas = Vec::new();
    let key = key_of(&*event.object);
    match event.kind {
        WatchEventKind::Added | WatchEventKind::Modified => {
            put(objects, key, event.object, |delta| deltas.push(delta));
        }
        WatchEventKind::Deleted => {
            // The event has the very last state; the cache only says whether anybody ever knew the object.
            if objects.remove(&key).is_some() {
                deltas.push(Delta::Deleted { old: event.object, trace: None });
            }
        }
        WatchEventKind::Bookmark => {}
    }
    for delta in &mut deltas {
        match delta {
            Delta::Applied { trace, .. } | Delta::Deleted { trace, .. } => *trace = event.trace,
            Delta::Synced => {}
        }
    }
    deltas
}

/// Stores an object, unless it is there in this version already. One that was deleted and made anew unseen is both.
fn put<K: Object>(objects: &mut Objects<K>, key: ObjectKey, new: Arc<K>, mut tell: impl FnMut(Delta<K>)) {
    let mut old = objects.get(&key);
    if let Some(known) = &old {
        let (known, new) = (known.metadata(), new.metadata());
        if known.uid != new.uid {
            if let Some(old) = old.take() {
                tell(Delta::Deleted { old, trace: None });
            }
        } else if known.resource_version == new.resource_version {
            return;
        }
    }
    objects.insert(key, new.clone());
    tell(Delta::Applied { old, new, trace: None });
}
