//! From one line of commits to many watches, for both backends.
//!
//! The newest batches stand in a bounded ring that every reader reads for itself, at its own pace: nothing is
//! kept per reader but a position, publishing never waits, and a reader that has fallen out of the ring's reach
//! catches up from the backend's [`History`].

mod ring;

use self::ring::{Read, Ring};
use crate::{Batch, Error, Revision, WatchStream};
use futures::StreamExt;
use futures::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many batches a reader takes from the ring at once.
const TAKE: usize = 64;

/// The bounds of the ring of newest commits; whichever is reached first counts. Readers that lag further read
/// from the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutConfig {
    /// The most commits kept.
    pub batches: usize,
    /// The most bytes kept, about; the newest commit always is.
    pub bytes: usize,
}

/// Where readers find what the ring no longer has.
pub(crate) trait History: Send + Sync + 'static {
    /// The commits after `after`, in order, without gaps, the first of them included; as many as are
    /// convenient, but at least one. Only called when there is one.
    fn after(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Batch>, Error>>;
}

/// The ring, its readers, and the one who publishes.
#[derive(Debug)]
pub(crate) struct Fanout {
    ring: Mutex<Ring>,
    /// Says that the ring has changed; the value is its newest revision.
    progress: watch::Sender<Revision>,
    positions: Mutex<Positions>,
}

/// How far each living reader has come.
#[derive(Debug, Default)]
struct Positions {
    next_id: u64,
    readers: HashMap<u64, Arc<AtomicU64>>,
}

/// One watch.
struct Reader {
    fanout: Arc<Fanout>,
    history: Arc<dyn History>,
    id: u64,
    /// The last revision handed out; shared with [`Positions`].
    position: Arc<AtomicU64>,
    /// The last revision in `buffer`, or handed out.
    fetched: Revision,
    buffer: VecDeque<Batch>,
    progress: watch::Receiver<Revision>,
    ended: bool,
}

// === impl FanoutConfig ===

impl Default for FanoutConfig {
    fn default() -> Self {
        Self { batches: 4096, bytes: 4 << 20 }
    }
}

// === impl Fanout ===

impl Fanout {
    /// An empty ring that continues after `head`.
    pub(crate) fn new(config: FanoutConfig, head: Revision) -> Self {
        Self {
            ring: Mutex::new(Ring::new(config, head)),
            progress: watch::Sender::new(head),
            positions: Mutex::default(),
        }
    }

    /// Delivers new commits. They must follow the last one.
    pub(crate) fn publish(&self, batches: impl IntoIterator<Item = Batch>) {
        let last = {
            let mut ring = lock(&self.ring);
            batches.into_iter().for_each(|batch| ring.push(batch));
            ring.last()
        };
        self.progress.send_replace(last);
    }

    /// Leaves out everything up to `floor`, which cannot be had any more; readers before it ask their history
    /// and learn that it is compacted.
    pub(crate) fn skip_to(&self, floor: Revision) {
        lock(&self.ring).skip_to(floor);
        self.progress.send_replace(floor);
    }

    /// Ends every watch with `error`, once it has delivered what the ring holds.
    pub(crate) fn end(&self, error: Error) {
        lock(&self.ring).end(error);
        self.progress.send_modify(|_| ());
    }

    /// The newest revision published.
    pub(crate) fn last(&self) -> Revision {
        lock(&self.ring).last()
    }

    /// The oldest revision from which a reader needs no history.
    pub(crate) fn floor(&self) -> Revision {
        lock(&self.ring).floor()
    }

    /// The position of the reader that is furthest behind.
    pub(crate) fn slowest(&self) -> Option<Revision> {
        let positions = lock(&self.positions);
        positions.readers.values().map(|position| position.load(Ordering::Acquire)).min()
    }

    /// A watch of what comes after `from`. From this call on `from` counts as a reader's position, so a caller
    /// that still has to check it against compaction checks after the call.
    pub(crate) fn subscribe(self: &Arc<Self>, from: Revision, history: Arc<dyn History>) -> WatchStream {
        let position = Arc::new(AtomicU64::new(from));
        let reader = Reader {
            id: lock(&self.positions).add(Arc::clone(&position)),
            fanout: Arc::clone(self),
            history,
            position,
            fetched: from,
            buffer: VecDeque::new(),
            progress: self.progress.subscribe(),
            ended: false,
        };
        futures::stream::unfold(reader, |mut reader| async move {
            let item = reader.next().await?;
            Some((item, reader))
        })
        .boxed()
    }
}

// === impl Positions ===

impl Positions {
    fn add(&mut self, position: Arc<AtomicU64>) -> u64 {
        self.next_id += 1;
        self.readers.insert(self.next_id, position);
        self.next_id
    }
}

// === impl Reader ===

impl Reader {
    async fn next(&mut self) -> Option<Result<Batch, Error>> {
        while !self.ended {
            if let Some(batch) = self.buffer.pop_front() {
                self.position.store(batch.revision, Ordering::Release);
                return Some(Ok(batch));
            }
            if let Err(error) = self.fetch().await {
                self.end();
                return Some(Err(error));
            }
        }
        None
    }

    /// Stops counting as a reader: compaction need not wait for one that has failed.
    fn end(&mut self) {
        self.ended = true;
        lock(&self.fanout.positions).readers.remove(&self.id);
    }

    /// Fills the buffer, or waits for what could.
    async fn fetch(&mut self) -> Result<(), Error> {
        // Seen before the ring is read, so that a batch published in between wakes us.
        self.progress.borrow_and_update();
        let read = lock(&self.fanout.ring).read(self.fetched, TAKE);
        let batches = match read {
            Read::Batches(batches) => batches,
            Read::Behind => self.history.after(self.fetched).await?,
            Read::UpToDate => {
                // The sender lives in `fanout`, which we hold: this cannot fail.
                let _ = self.progress.changed().await;
                return Ok(());
            }
            Read::Ended(error) => return Err(error),
        };
        let Some(last) = batches.last() else {
            return Err(Error::Unavailable(format!("the history after {} is empty", self.fetched)));
        };
        self.fetched = last.revision;
        self.buffer.extend(batches);
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.end();
    }
}

/// Locks; what a panicking holder left behind is whole, as nobody panics between two steps of one change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
