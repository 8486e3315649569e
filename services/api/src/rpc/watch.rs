//! A watch as a stream of frames: what there is, a bookmark, the changes, and bookmarks now and then.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::Either;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::meta::{ObjectMeta, PartialObjectMetadata};
use keelson_proto::v1::{RawWatchEvent, WatchEventType, WatchRequest};
use tokio::time::Instant;

use crate::cache::{Progress, Subscription, initial_frame};
use crate::registry::Noun;
use crate::rpc::unary::Messages;

/// Between bookmarks, jittered: often enough that a client resumes within the ring, seldom enough to cost
/// nothing.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// What marks the bookmark at the end of the objects that a watch began with.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A watch under way, once its first objects are delivered.
struct Following {
    changes: Subscription,
    progress: Progress,
    bookmarks: bool,
    /// The last revision that the client knows it has reached.
    told: u64,
    next_bookmark: Instant,
    ends: Option<Instant>,
    drain: Drain,
}

/// What comes next.
enum Next {
    Frame(Bytes),
    Bookmark,
    End,
    Behind,
}

/// Begins a watch.
///
/// # Errors
/// Those of the registry.
pub(super) async fn frames(
    noun: &dyn Noun,
    request: WatchRequest,
    drain: Drain,
) -> Result<Messages, ApiError> {
    let timeout = u64::try_from(request.timeout_seconds).ok().filter(|seconds| *seconds > 0);
    let (bookmarks, streaming_list) = (request.allow_bookmarks, request.send_initial_events == Some(true));
    let watch = noun.watch(request).await?;
    let first = watch.initial.into_iter().map(|entry| Ok(initial_frame(&entry)));
    let end = streaming_list.then(|| Ok(bookmark(watch.revision, true)));
    let following = Following {
        progress: watch.changes.progress(),
        changes: watch.changes,
        bookmarks,
        told: watch.revision,
        next_bookmark: soon(),
        // An end beyond the clock's reach is none.
        ends: timeout.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds))),
        drain,
    };
    let rest = futures::stream::unfold(Some(following), |following| async {
        let mut following = following?;
        match following.next().await {
            Next::Frame(frame) => Some((Ok(frame), Some(following))),
            Next::Bookmark => Some((Ok(bookmark(following.told, false)), Some(following))),
            Next::End => None,
            Next::Behind => Some((Err(behind()), None)),
        }
    });
    Ok(futures::stream::iter(first.chain(end)).chain(rest).boxed())
}

// === impl Following ===

impl Following {
    async fn next(&mut self) -> Next {
        loop {
            // Changes that never pause must not keep a watch from its end.
            if self.ends.is_some_and(|ends| ends <= Instant::now()) {
                return Next::End;
            }
            // What is there already needs no waiting, which costs more than the change itself.
            if !self.drain.is_signaled()
                && let Some(delivery) = self.changes.ready()
            {
                self.told = delivery.event.revision;
                return Next::Frame(delivery.frame());
            }
            let alarm = self.ends.map_or(self.next_bookmark, |ends| ends.min(self.next_bookmark));
            let alarm = match (self.bookmarks, self.ends) {
                (true, _) => Either::Left(tokio::time::sleep_until(alarm)),
                (false, Some(ends)) => Either::Left(tokio::time::sleep_until(ends)),
                (false, None) => Either::Right(std::future::pending()),
            };
            tokio::select! {
                biased;
                () = self.drain.signaled() => return Next::End,
                change = self.changes.next() => return match change {
                    Some(delivery) => {
                        self.told = delivery.event.revision;
                        Next::Frame(delivery.frame())
                    }
                    None => Next::Behind,
                },
                () = alarm => {}
            }
            if self.ends.is_some_and(|ends| ends <= Instant::now()) {
                return Next::End;
            }
            self.next_bookmark = soon();
            // The revision is read first: what it covers has then been handed to the subscription.
            let reached = self.progress.revision();
            if let Some(delivery) = self.changes.ready() {
                self.told = delivery.event.revision;
                return Next::Frame(delivery.frame());
            }
            if reached > self.told {
                self.told = reached;
                return Next::Bookmark;
            }
        }
    }
}

/// A frame that only says how far the watch has come.
fn bookmark(revision: u64, initial_events_end: bool) -> Bytes {
    let mut metadata = ObjectMeta { resource_version: revision.to_string(), ..ObjectMeta::default() };
    if initial_events_end {
        metadata.annotations.insert(INITIAL_EVENTS_END.to_owned(), "true".to_owned());
    }
    RawWatchEvent {
        r#type: WatchEventType::Bookmark.into(),
        object: PartialObjectMetadata { metadata }.encode_to_vec().into(),
        revision,
        ..RawWatchEvent::default()
    }
    .encode_to_vec()
    .into()
}

fn behind() -> ApiError {
    ApiError::expired("the watch fell too far behind the changes; list again and watch from there")
}

fn soon() -> Instant {
    Instant::now() + BOOKMARK_EVERY.mul_f64(0.9 + 0.2 * fastrand::f64())
}
