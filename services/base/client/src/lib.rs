//! Talking to api: typed clients, list and watch, caches, work queues, back-off, events.
//!
//! | module or type | noun |
//! |---|---|
//! | [`Channel`] | a way to a gRPC server: TCP, TLS, or a call inside this process |
//! | [`Client`] | a channel and how it is used: deadline, user agent, for whom |
//! | [`Api`] | the verbs of one kind, typed |
//! | [`RawApi`] | the same verbs on encoded objects, the kind being data |
//! | [`status`] | `ApiError` on the gRPC wire |
//! | [`codec`] | messages that pass through as they are |
//! | [`Informer`], [`Cache`] | a copy of what api holds, kept current by list and watch |
//! | [`Decoded`] | objects decoded once for all of a process |
//! | [`WorkQueue`] | keys to work on: deduplicated, delayed, never two at once |
//! | [`Expectations`] | writes that a cache has yet to see |
//! | [`Recorder`] | Events |
//! | [`leader`] | one of several acts: leases |
//!
//! Nothing here polls: an informer follows a stream, a queue sleeps until its next key is due.

mod api;
mod channel;
mod client;
pub mod codec;
mod expectations;
mod informer;
pub mod leader;
mod metadata;
mod meter;
pub mod notes;
mod queue;
mod raw;
mod recorder;
pub mod status;

#[cfg(any(test, feature = "testing"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "they are parts of tests, which end where a promise is broken"
)]
pub mod testing;

pub use self::api::{
    Api, Deleted, List, ListParams, Log, Patch, Watch, WatchEvent, WatchEventKind, WatchParams,
};
pub use self::channel::{Channel, ConnectError, Endpoints};
pub use self::client::{Client, ForwardedUser, REMOTE_GROUP, REMOTE_USER};
pub use self::expectations::Expectations;
pub use self::informer::{Cache, Decoded, Delta, Informer, WatchScope};
pub use self::metadata::MetadataOf;
pub use self::queue::{Item, WorkQueue};
pub use self::raw::{MAX_MESSAGE, Messages, RawApi};
pub use self::recorder::{EventType, Recorder, reference};
pub use keelson_base_daemon::backoff;
pub use keelson_base_model::status::ApiError;
