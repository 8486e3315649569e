//! The contract of a backend.

use crate::{Batch, Commit, CommitOutcome, Error, KeyValue, RangeRequest, RangeResponse, Revision};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// The commits after some revision. It holds a bounded buffer, never slows a commit down, and reads what it
/// missed from the history. After an error it ends; watch again from the last revision delivered, or list
/// again when the error is [`Error::Compacted`].
pub type WatchStream = BoxStream<'static, Result<Batch, Error>>;

/// A store. Everything a backend must promise is in the crate's first lines.
///
/// Dropping a returned future is safe; a commit may happen nevertheless.
pub trait Store: Send + Sync + 'static {
    /// What to call this store in messages, for example `etcd at http://127.0.0.1:2379`.
    fn name(&self) -> String;

    /// One key, now.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<KeyValue>, Error>>;

    /// A list of keys, now or at a revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::FutureRevision`], besides failures of the backend.
    fn range(&self, request: RangeRequest) -> BoxFuture<'_, Result<RangeResponse, Error>>;

    /// Checks and changes keys in one step. A conflict is an answer, not an error.
    ///
    /// # Errors
    /// After [`Error::Unknown`] and [`Error::Io`] the commit may have happened or not; after all others it has not.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome, Error>>;

    /// The commits after `from`.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::FutureRevision`], besides failures of the backend.
    fn watch(&self, from: Revision) -> BoxFuture<'_, Result<WatchStream, Error>>;

    /// The newest revision: never older than a commit acknowledged, to anybody, before the call.
    fn head(&self) -> BoxFuture<'_, Result<Revision, Error>>;

    /// Gives up the history before `up_to`, though never history that a running watch has still to deliver.
    /// Returns the oldest revision kept: the one that can still be read and watched from.
    fn compact(&self, up_to: Revision) -> BoxFuture<'_, Result<Revision, Error>>;

    /// Finishes what has been accepted, ends the watches and releases the data. Every later call answers
    /// [`Error::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<(), Error>>;
}
