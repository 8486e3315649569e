//! The changes of one kind of object, as they happen.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use keelson_base_daemon::trace::Cause;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::v1::{RawWatchEvent, WatchEventType};

use crate::Messages;
use crate::raw::decode;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchEvent<K> {
    /// What happened.
    pub kind: WatchEventKind,
    /// The object after the change, or before it was deleted; of a bookmark only metadata.resourceVersion.
    pub object: K,
    /// The revision of the change; a later watch goes on from here.
    pub revision: u64,
    /// Of the request that made the change, if it was traced.
    pub trace: Option<Cause>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEventKind {
    /// The object began to exist, or to match the selectors.
    Added,
    /// The object changed.
    Modified,
    /// The object ceased to exist, or to match the selectors.
    Deleted,
    /// Nothing, up to this revision.
    Bookmark,
}

/// The changes of one kind of object.
pub struct Watch<K> {
    messages: Messages<RawWatchEvent>,
    kind: std::marker::PhantomData<fn() -> K>,
}

// === impl WatchEvent ===

impl<K: Object> WatchEvent<K> {
    /// Reads an event; fails with `InternalError` if it is of no known type or its object cannot be read.
    pub fn decode(event: RawWatchEvent) -> Result<Self, ApiError> {
        Self::read(event, decode)
    }
}

impl<K> WatchEvent<K> {
    /// The same, with the object as `decode` makes it of its bytes.
    pub(crate) fn read(
        event: RawWatchEvent,
        decode: impl FnOnce(Bytes) -> Result<K, ApiError>,
    ) -> Result<Self, ApiError> {
        let kind = match event.r#type() {
            WatchEventType::Added => WatchEventKind::Added,
            WatchEventType::Modified => WatchEventKind::Modified,
            WatchEventType::Deleted => WatchEventKind::Deleted,
            WatchEventType::Bookmark => WatchEventKind::Bookmark,
            WatchEventType::Unspecified => {
                return Err(ApiError::internal(format!(
                    "a watch frame has the unknown type {}",
                    event.r#type
                )));
            }
        };
        Ok(Self {
            kind,
            object: decode(event.object)?,
            revision: event.revision,
            trace: Cause::received(&event.trace_context),
        })
    }
}

// === impl Watch ===

impl<K: Object> Watch<K> {
    pub(super) fn new(messages: Messages<RawWatchEvent>) -> Self {
        Self { messages, kind: std::marker::PhantomData }
    }
}

impl<K: Object> Stream for Watch<K> {
    type Item = Result<WatchEvent<K>, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_next_unpin(cx).map(|next| next.map(|event| event.and_then(WatchEvent::decode)))
    }
}

impl<K> fmt::Debug for Watch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
