//! The store in a directory of its own, on redb.
//!
//! One OS thread, the [`writer`], owns all writing: it takes what has queued up, puts it into one redb
//! transaction (each commit with a revision of its own), syncs once, shows the new [`view`] to readers and the
//! new batches to watches, and only then answers. Readers work on the view and never wait for the writer.
//!
//! What is in memory is one [`index`] entry per living key, without the value: api keeps the values it serves
//! in its own cache, and whatever reads here finds them by address in redb, whose pages the system caches.

mod deadlines;
mod disk;
mod group;
mod index;
mod load;
mod record;
mod shared;
mod sweep;
mod view;
mod writer;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;

use self::disk::Disk;
use self::shared::Shared;
use self::writer::{Command, Pending, Writer};
use crate::fanout::FanoutConfig;
use crate::{
    Commit, CommitOutcome, Error, KeyValue, RangeRequest, RangeResponse, Revision, Store, WatchStream,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use tokio::sync::{Semaphore, oneshot};

/// The bound of the writer's queue, in units of [`QUEUE_UNIT`]; a commit takes one and what its size needs.
const QUEUE_UNITS: usize = 8192;
/// Bytes.
const QUEUE_UNIT: usize = 1024;

/// Where the embedded store lives and how much memory it may use.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The data directory. Created when missing; one process at a time may have it open.
    pub path: PathBuf,
    /// Bytes of redb's page cache. The system caches the file as well, so a few MiB do.
    pub cache_bytes: usize,
    /// How much of the newest history is kept in memory for watches.
    pub fanout: FanoutConfig,
}

/// The embedded store.
#[derive(Debug)]
pub struct Embedded {
    commands: mpsc::Sender<Command>,
    queue: Arc<Semaphore>,
    shared: Arc<Shared>,
    name: String,
}

// === impl EmbeddedConfig ===

impl EmbeddedConfig {
    /// The usual memory bounds, in the directory `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cache_bytes: 8 << 20, fanout: FanoutConfig::default() }
    }
}

// === impl Embedded ===

impl Embedded {
    /// Opens the data directory, creating it when there is none. Blocks for as long as the disk takes:
    /// milliseconds, or after a crash the time to read the data once.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::NewerFormat`], [`Error::Corrupt`], [`Error::NoSpace`] and [`Error::Io`].
    pub fn open(config: EmbeddedConfig) -> Result<Self, Error> {
        let name = format!("embedded store in {}", config.path.display());
        Self::start(Disk::open(&config)?, name, config.fanout)
    }

    /// Starts the writer on an opened disk.
    fn start(disk: Disk, name: String, fanout: FanoutConfig) -> Result<Self, Error> {
        let (commands, receiver) = mpsc::channel();
        let (writer, shared) = Writer::load(disk, receiver, fanout)?;
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::Io { operation: "start the writer", message: error.to_string() })?;
        Ok(Self { commands, queue: Arc::new(Semaphore::new(QUEUE_UNITS)), shared, name })
    }

    /// Asks the writer and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }

    async fn commit_queued(&self, commit: Commit) -> Result<CommitOutcome, Error> {
        commit.validate()?;
        let units = u32::try_from(1 + commit.size() / QUEUE_UNIT).unwrap_or(u32::MAX);
        let queue = Arc::clone(&self.queue);
        let place = queue.acquire_many_owned(units).await.map_err(|_| Error::Closed)?;
        self.ask(|reply| Command::Commit(Pending { commit, reply, _place: place })).await?
    }
}

impl Store for Embedded {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<KeyValue>, Error>> {
        // One walk down a tree of cached pages, microseconds: handing it to another thread would cost more.
        async move { self.shared.view()?.get(key) }.boxed()
    }

    fn range(&self, request: RangeRequest) -> BoxFuture<'_, Result<RangeResponse, Error>> {
        async move {
            let view = self.shared.view()?;
            blocking(move || view.range(&request)).await
        }
        .boxed()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome, Error>> {
        self.commit_queued(commit).boxed()
    }

    fn watch(&self, from: Revision) -> BoxFuture<'_, Result<WatchStream, Error>> {
        async move { Shared::watch(&self.shared, from) }.boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        async move { Ok(self.shared.view()?.revision()) }.boxed()
    }

    fn compact(&self, up_to: Revision) -> BoxFuture<'_, Result<Revision, Error>> {
        async move { self.ask(|reply| Command::Compact { up_to, reply }).await? }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        async move { self.ask(Command::Close).await? }.boxed()
    }
}

/// Runs what may read much on a thread where that is no harm.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // It fails only when the runtime is going away or `read` panicked.
    tokio::task::spawn_blocking(read).await.map_err(|_| Error::Closed)?
}
