//! The watch cache: what every read is served from.
//!
//! One [`Cache`] per kind holds a persistent ordered map of encoded objects, a bounded ring of the latest
//! changes and the watchers. The one [`feed`] of the process applies the store's history to all of them. A
//! list is a snapshot of the map; a watch starts from the ring and then hears of each change once. Nothing
//! here decodes an object twice, and nothing is done per reader but to hand over shared bytes.

mod entry;
mod event;
pub(crate) mod feed;
mod filter;
mod progress;
mod ring;
mod watchers;

pub(crate) use self::entry::{Entry, Index, TypedIndex};
pub(crate) use self::event::{Event, initial as initial_frame};
pub(crate) use self::feed::{Feed, Listener, Sink};
pub(crate) use self::filter::Filter;
pub(crate) use self::progress::Progress;
pub(crate) use self::watchers::{Delivery, Subscription};

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use imbl::OrdMap;
use keelson_base_daemon::trace::TraceContext;
use keelson_base_model::status::ApiError;
use keelson_proto::wire;

use self::ring::Ring;
use self::watchers::Watchers;

/// The objects of one kind, as of some revision.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    /// The last change that it holds.
    pub(crate) revision: u64,
    /// Every object, by its path: `namespace/name`, or the name alone.
    pub(crate) entries: OrdMap<Arc<str>, Arc<Entry>>,
}

/// One page of a list.
pub(crate) struct Page {
    /// Encoded objects, in order of their paths.
    pub(crate) items: Vec<Bytes>,
    /// The traces of the requests that wrote them, as they go over the wire: up to the last one that was traced.
    pub(crate) traces: Vec<Bytes>,
    /// The state that the page shows.
    pub(crate) revision: u64,
    /// Path of the last object, if there are more behind it.
    pub(crate) next: Option<Arc<str>>,
    /// How many objects are behind it; unknown if a selector chose them.
    pub(crate) remaining: Option<i64>,
    /// Of the first of several pages: what the objects of all of them take in a list. 0 is not known.
    pub(crate) items_bytes: u64,
}

/// The watch cache of one kind.
pub(crate) struct Cache {
    index: Box<dyn Index>,
    snapshot: ArcSwap<Snapshot>,
    live: Mutex<Live>,
    progress: Progress,
    listener: OnceLock<Arc<dyn Listener>>,
}

/// What changes together: the ring and who listens.
struct Live {
    ring: Ring,
    watchers: Watchers,
}

/// How much has passed through a cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    /// Changes taken in.
    pub(crate) received: u64,
    /// Changes handed to watchers.
    pub(crate) told: u64,
    /// Watchers given up because they were too far behind.
    pub(crate) given_up: u64,
}

/// A watch as it begins: what there is now, and what follows.
pub(crate) struct Watch {
    /// Objects to deliver first; none for a watch from a revision.
    pub(crate) initial: Vec<Arc<Entry>>,
    /// The state that `initial` shows.
    pub(crate) revision: u64,
    /// Everything after it.
    pub(crate) changes: Subscription,
}

// === impl Page ===

impl Page {
    /// A page of a state, yet without objects.
    pub(crate) fn new(revision: u64) -> Self {
        Self { items: Vec::new(), traces: Vec::new(), revision, next: None, remaining: None, items_bytes: 0 }
    }

    /// Adds an object, and the trace of the request that wrote it.
    pub(crate) fn push(&mut self, object: Bytes, trace: Option<TraceContext>) {
        if let Some(trace) = trace.filter(|trace| trace.is_sampled()) {
            self.traces.resize(self.items.len(), Bytes::new());
            self.traces.push(Bytes::copy_from_slice(&trace.to_bytes()));
        }
        self.items.push(object);
    }

    /// What the objects of the page and those `behind` it take in a list.
    fn weigh<'a>(&self, behind: impl Iterator<Item = &'a Arc<Entry>>) -> u64 {
        let all = self.items.iter().chain(behind.map(|entry| &entry.object));
        all.map(|object| wire::item_len(object.len())).sum()
    }
}

// === impl Cache ===

impl Cache {
    /// An empty cache. `index` tells what can be selected of an object.
    pub(crate) fn new(index: Box<dyn Index>, progress: Progress) -> Arc<Self> {
        Arc::new(Self {
            index,
            snapshot: ArcSwap::default(),
            live: Mutex::new(Live { ring: Ring::default(), watchers: Watchers::default() }),
            progress,
            listener: OnceLock::new(),
        })
    }

    /// Has somebody hear of every change before readers do; of the first who is given, for good.
    pub(crate) fn tell(&self, listener: Arc<dyn Listener>) {
        // A second listener is a mistake of who wires the caches, which its tests would show.
        let _ = self.listener.set(listener);
    }

    /// Where the kind's keys begin in the store.
    pub(crate) fn prefix(&self) -> &'static str {
        self.index.prefix()
    }

    /// How far all caches have come.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The state as it is now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// One object, as of now.
    pub(crate) fn get(&self, path: &str) -> Option<Arc<Entry>> {
        self.snapshot.load().entries.get(path).cloned()
    }

    /// A page of what the filter meets; all of it if `limit` is 0.
    pub(crate) fn list(&self, filter: &Filter, limit: usize) -> Page {
        // Read before the snapshot: the snapshot then holds at least that much of this kind.
        let reached = self.progress.revision();
        let snapshot = self.snapshot.load();
        snapshot.page(filter, None, limit, reached.max(snapshot.revision))
    }

    /// Begins a watch: from the changes after `from`, or from what there is now.
    ///
    /// # Errors
    /// Expired if the ring no longer reaches back to `from`; TooManyRequests if too many watch already.
    pub(crate) fn watch(self: &Arc<Self>, filter: Filter, from: Option<u64>) -> Result<Watch, ApiError> {
        let reached = self.progress.revision();
        let mut live = self.live();
        let snapshot = self.snapshot.load_full();
        let missed = match from {
            Some(from) => live.ring.after(from).map_err(|oldest| too_old(from, oldest))?,
            None => Vec::new(),
        };
        let (id, receiver) = live.watchers.add(filter.clone())?;
        // The feed waits for this lock: what takes long comes after it.
        drop(live);
        let missed = missed.iter().filter_map(|event| filter.deliver(event)).collect();
        let changes = Subscription::new(self.clone(), id, missed, receiver);
        let initial = match from {
            Some(_) => Vec::new(),
            None => {
                entries(&snapshot, &filter, None).filter(|entry| filter.matches(entry)).cloned().collect()
            }
        };
        Ok(Watch { initial, revision: reached.max(snapshot.revision), changes })
    }

    /// How much has passed through.
    pub(crate) fn tally(&self) -> Tally {
        let live = self.live();
        Tally { received: live.ring.received, told: live.watchers.told, given_up: live.watchers.given_up }
    }

    /// Forgets a watcher.
    fn unwatch(&self, id: u64) {
        self.live().watchers.remove(id);
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        // The data is whole even if a panic unwound through a holder: every change of it is one call.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// A page of what the filter meets, from behind `after`; all of it if `limit` is 0. `revision` is one of
    /// which this is the state.
    pub(crate) fn page(&self, filter: &Filter, after: Option<&str>, limit: usize, revision: u64) -> Page {
        let mut page = Page::new(revision);
        let mut last = None;
        let mut found = entries(self, filter, after).filter(|entry| filter.matches(entry));
        for entry in found.by_ref() {
            if limit > 0 && page.items.len() == limit {
                if after.is_none() {
                    page.items_bytes = page.weigh(std::iter::once(entry).chain(found));
                }
                page.remaining = (!filter.selects()).then(|| self.behind(filter, last.as_deref()));
                page.next = last;
                return page;
            }
            page.push(entry.object.clone(), entry.trace);
            last = Some(entry.path.clone());
        }
        page
    }

    /// How many objects of a filter that does not select are behind a path. Looks at none of them: there may be many, and
    /// a list of many pages asks for each page.
    fn behind(&self, filter: &Filter, path: Option<&str>) -> i64 {
        let start = path.map_or(Bound::Unbounded, Bound::Excluded);
        // What comes after "namespace/" and all that begins so.
        let end = filter.path_prefix().strip_suffix('/').map(|namespace| format!("{namespace}0"));
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.entries.range::<(Bound<&str>, Bound<&str>), str>((start, end)).count() as i64
    }
}

/// The entries that a filter's namespace and name leave to look at, in order.
fn entries<'a>(
    snapshot: &'a Snapshot,
    filter: &'a Filter,
    after: Option<&'a str>,
) -> impl Iterator<Item = &'a Arc<Entry>> {
    let prefix = filter.path_prefix();
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    snapshot
        .entries
        .range::<(Bound<&str>, Bound<&str>), str>((start, Bound::Unbounded))
        .map(|(_, entry)| entry)
        .take_while(move |entry| entry.path.starts_with(prefix))
}

fn too_old(from: u64, oldest: u64) -> ApiError {
    ApiError::expired(format!("too old resource version: {from} ({oldest})"))
}
