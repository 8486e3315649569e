//! Why the store could not answer.

use crate::Revision;
use std::path::PathBuf;

/// A failed call. [`Error::is_retryable`] says which may be tried again as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "it is written with its crate: store::Error")]
pub enum Error {
    /// The history asked for is gone: list again, and watch from the list's revision.
    #[error("revision {requested} has been compacted; the oldest one kept is {compacted}")]
    Compacted {
        /// The revision asked for.
        requested: Revision,
        /// The oldest revision that can still be read and watched from.
        compacted: Revision,
    },
    /// The revision has not happened yet.
    #[error("revision {requested} is in the future; the newest one is {head}")]
    FutureRevision {
        /// The revision asked for.
        requested: Revision,
        /// The newest revision.
        head: Revision,
    },
    /// The backend cannot be reached or does not answer. A commit that ends so has not happened.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A commit was sent, and no answer came: it may have happened or not, or happen yet.
    #[error("it is not known whether the store has taken the write: {0}; read before you try again")]
    Unknown(String),
    /// The backend refuses writes until somebody makes room.
    #[error("the store is out of space: {0}")]
    NoSpace(String),
    /// The request breaks a rule of [`Commit`](crate::Commit); the same on both backends. Nothing happened.
    #[error("invalid store request: {0}")]
    Invalid(String),
    /// The commit is larger than [`MAX_COMMIT_BYTES`](crate::MAX_COMMIT_BYTES). Nothing happened.
    #[error("the commit has {size} bytes of keys and values, more than the {limit} allowed")]
    TooLarge {
        /// Bytes of keys and values in the commit.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Another process has the data directory open.
    #[error("{} is in use by another process; stop it or choose another data directory", .0.display())]
    InUse(PathBuf),
    /// The data was written by a newer version of this program.
    #[error(
        "the data has format {found}, newer than the {supported} this program knows; use a newer keelson"
    )]
    NewerFormat {
        /// The format found.
        found: u64,
        /// The newest format this program reads.
        supported: u64,
    },
    /// What was stored cannot be understood.
    #[error("the stored data is damaged: {0}; restore a backup or start with an empty data directory")]
    Corrupt(String),
    /// The operating system failed an operation on the data. After a failed write the store stays closed to
    /// writes; a commit that ends so may have happened or not, which the next start settles.
    #[error("the store's disk failed to {operation}: {message}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        message: String,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

// === impl Error ===

impl Error {
    /// Whether the same call may succeed later with no other action, and cannot have succeeded already.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
