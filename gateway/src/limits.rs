//! How many requests are served at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use keelson_base_model::status::ApiError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a client that is refused should wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Room for requests of one sort.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
}

/// A body that keeps a request's place until it is sent, or dropped.
struct Held<P> {
    body: Body,
    _place: P,
}

// === impl Room ===

impl Room {
    /// Room for this many requests.
    pub(crate) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))) }
    }

    /// A place for one request; 429 if there is none.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = self.free.clone().try_acquire_owned();
        place.map_err(|_| {
            ApiError::too_many_requests("too many requests, please try again later", RETRY_AFTER)
        })
    }
}

/// The same body, holding `place` until it ends.
pub(crate) fn hold<P: Unpin + Send + 'static>(body: Body, place: P) -> Body {
    Body::new(Held { body, _place: place })
}

// === impl Held ===

impl<P: Unpin> HttpBody for Held<P> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_the_body_is_gone() {
        let room = Room::new(1);
        let body = hold(Body::from("text"), room.enter().unwrap());
        assert_eq!(body.size_hint().exact(), Some(4));
        let refused = room.enter().unwrap_err();
        assert_eq!((refused.code(), refused.retry_after()), (429, Some(RETRY_AFTER)));
        assert_eq!(axum::body::to_bytes(body, 9).await.unwrap(), "text");
        assert!(room.enter().is_ok());
    }
}
