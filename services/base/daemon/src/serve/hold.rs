//! A body that keeps something until it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

struct Held<T> {
    body: Body,
    _kept: T,
}

/// The same body, keeping `kept` until it is sent, or dropped: a place among the requests under way, a count of them.
pub fn hold<T: Unpin + Send + 'static>(body: Body, kept: T) -> Body {
    Body::new(Held { body, _kept: kept })
}

// === impl Held ===

impl<T: Unpin> HttpBody for Held<T> {
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
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_goes_with_the_body() {
        let kept = Arc::new(());
        let body = hold(Body::from("text"), kept.clone());
        assert_eq!((body.size_hint().exact(), Arc::strong_count(&kept)), (Some(4), 2));
        assert_eq!(axum::body::to_bytes(body, 9).await.unwrap(), "text");
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
