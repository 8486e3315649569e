//! The store: opaque values under string keys, one global revision, compare-and-set commits, watches.
//!
//! [`Store`] is what api sees. Two backends keep the same promises, which one suite (`conformance`, with a
//! reference `model`) holds both to: [`Etcd`] and [`Embedded`].
//!
//! The promises:
//! - A [`Commit`] is all or nothing and takes one revision for all its keys. Commits of different callers never
//!   share a revision, though the embedded backend lets them share an fsync.
//! - An acknowledged commit survives a power cut, and every later read sees it.
//! - A watch from revision N delivers exactly the commits after N, whole, in order, once; or fails with
//!   [`Error::Compacted`].
//! - A put with a time to live ends as an ordinary delete, with a revision of its own.

#[cfg(feature = "testing")]
pub mod conformance;
mod embedded;
mod error;
mod etcd;
mod fanout;
mod key_value;
#[cfg(feature = "testing")]
pub mod model;
mod request;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use self::embedded::{Embedded, EmbeddedConfig};
pub use self::error::Error;
pub use self::etcd::{Etcd, EtcdConfig, EtcdTls};
pub use self::fanout::FanoutConfig;
pub use self::key_value::{Batch, Change, ChangeKind, KeyValue, Revision};
pub use self::request::{
    Commit, CommitOutcome, Compare, Expect, MAX_COMMIT_BYTES, MAX_COMMIT_OPS, Op, RangeRequest, RangeResponse,
};
pub use self::store::{Store, WatchStream};
