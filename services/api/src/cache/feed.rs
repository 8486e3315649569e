//! The one store watch that feeds all caches.
//!
//! It begins some history before the store's head where the store still has it, so that a restarted api can
//! go on serving the watchers that its predecessor served.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use keelson_api_store::{Batch, Change, Error, KeyValue, RangeRequest, Store};
use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::tasks::Drain;

use crate::cache::{Cache, Entry, Event, Progress, Snapshot};

/// Revisions of history to read at the start, for the rings.
const HISTORY: u64 = 4096;

/// How soon a broken store watch is begun again, at first and at last.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Somebody besides the caches who follows a part of the key space.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Where its keys begin.
    fn prefix(&self) -> &str;
    /// Everything it has heard is void; what follows is what there is.
    fn reset(&self);
    /// A key has a value.
    fn put(&self, stored: &KeyValue);
    /// A key is gone.
    fn deleted(&self, key: &str);
}

/// Somebody who keeps account of a cache's objects.
pub(crate) trait Listener: Send + Sync + 'static {
    /// Everything it has heard is void; what follows is what there is.
    fn reset(&self);
    /// An object is new or has changed, or is gone.
    fn changed(&self, path: &str, new: Option<&Entry>);
}

/// What feeds the caches.
pub(crate) struct Feed {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) caches: Vec<Arc<Cache>>,
    pub(crate) sinks: Vec<Arc<dyn Sink>>,
    pub(crate) progress: Progress,
}

// === impl Feed ===

impl Feed {
    /// Fills the caches with what the store holds now, history included.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        let head = self.store.head().await?;
        let mut from = head.saturating_sub(HISTORY).max(1);
        loop {
            match self.replay(from, head).await {
                Err(Error::Compacted { compacted, .. }) if compacted > from => from = compacted.min(head),
                replayed => return replayed,
            }
        }
    }

    /// Follows the store until the process drains. Errors of the store are ridden out; a history that is gone
    /// makes the caches begin anew.
    pub(crate) async fn run(self, drain: Drain) {
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        let mut anew = false;
        loop {
            let reached = self.progress.revision();
            let ended = tokio::select! {
                () = drain.signaled() => return,
                ended = self.resume(&mut anew) => ended,
            };
            if self.progress.revision() > reached {
                backoff.reset();
            }
            match ended {
                Err(Error::Closed) => return,
                Err(error @ (Error::Compacted { .. } | Error::FutureRevision { .. })) => {
                    tracing::warn!(%error, "the store no longer has what the watch cache is at; listing again");
                    anew = true;
                }
                Err(error) => tracing::warn!(%error, "the store watch broke; resuming"),
                Ok(()) => {}
            }
            tokio::select! {
                () = drain.signaled() => return,
                () = tokio::time::sleep(backoff.next_delay()) => {}
            }
        }
    }

    /// Follows the store, from the beginning if the caches are to begin `anew`.
    async fn resume(&self, anew: &mut bool) -> Result<(), Error> {
        if *anew {
            self.load().await?;
            *anew = false;
        }
        self.follow().await
    }

    async fn follow(&self) -> Result<(), Error> {
        let mut batches = self.store.watch(self.progress.revision()).await?;
        while let Some(batch) = batches.next().await {
            self.apply(&batch?);
        }
        Ok(())
    }

    /// The state at `from`, then the changes up to `head`.
    async fn replay(&self, from: u64, head: u64) -> Result<(), Error> {
        self.progress.restart();
        for cache in &self.caches {
            let stored = self.range(cache.prefix(), from).await?;
            cache.reset(stored.iter().filter_map(|stored| cache.read(stored)).collect(), from);
        }
        for sink in &self.sinks {
            sink.reset();
            self.range(sink.prefix(), from).await?.iter().for_each(|stored| sink.put(stored));
        }
        if head > from {
            let mut batches = self.store.watch(from).await?;
            while self.progress.revision() < head {
                self.apply(&batches.next().await.ok_or(Error::Closed)??);
            }
        }
        self.progress.advance(head);
        Ok(())
    }

    async fn range(&self, prefix: &str, revision: u64) -> Result<Vec<KeyValue>, Error> {
        let mut request = RangeRequest { revision: Some(revision), limit: 1000, ..RangeRequest::all(prefix) };
        let mut items = Vec::new();
        loop {
            let page = self.store.range(request.clone()).await?;
            let next = request.after(&page);
            items.extend(page.items);
            match next {
                Some(next) => request = next,
                None => return Ok(items),
            }
        }
    }

    fn apply(&self, batch: &Batch) {
        for change in batch.changes.iter() {
            if let Some(cache) = self.caches.iter().find(|cache| change.key.starts_with(cache.prefix())) {
                cache.apply(change, batch.revision);
            } else if let Some(sink) = self.sinks.iter().find(|sink| change.key.starts_with(sink.prefix())) {
                match change.current() {
                    Some(stored) => sink.put(stored),
                    None => sink.deleted(&change.key),
                }
            }
        }
        self.progress.advance(batch.revision);
    }
}

// === impl Cache: what the feed does to it ===

impl Cache {
    /// Begins anew with these objects. Watchers end, unless there are none yet.
    fn reset(&self, entries: Vec<Entry>, revision: u64) {
        let mut live = self.live();
        if let Some(listener) = self.listener.get() {
            listener.reset();
            entries.iter().for_each(|entry| listener.changed(&entry.path, Some(entry)));
        }
        let entries = entries.into_iter().map(|entry| (entry.path.clone(), Arc::new(entry))).collect();
        live.ring.reset(revision);
        live.watchers.clear();
        self.snapshot.store(Arc::new(Snapshot { revision, entries }));
    }

    fn apply(&self, change: &Change, revision: u64) {
        let Some(path) = change.key.strip_prefix(self.prefix()) else { return };
        let new = change.current().and_then(|stored| self.read(stored)).map(Arc::new);
        let mut live = self.live();
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        let old = match &new {
            Some(entry) => snapshot.entries.insert(entry.path.clone(), entry.clone()),
            None => snapshot.entries.remove(path),
        };
        if old.is_none() && new.is_none() {
            return;
        }
        if let Some(listener) = self.listener.get() {
            listener.changed(path, new.as_deref());
        }
        snapshot.revision = revision;
        self.snapshot.store(Arc::new(snapshot));
        let event = Arc::new(Event::new(revision, old, new));
        live.watchers.tell(&event);
        live.ring.push(event);
    }

    /// A stored value as an entry. What is no object of the kind is passed over: it was not written by us.
    fn read(&self, stored: &KeyValue) -> Option<Entry> {
        match self.index.entry(stored) {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::error!(key = %stored.key, %error, "the store holds something that is no object of its kind");
                None
            }
        }
    }
}
