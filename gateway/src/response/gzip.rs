//! Compression of large answers, for clients that ask for it.

use std::io::Write as _;
use std::pin::Pin;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue};
use keelson_base_model::status::ApiError;

use crate::negotiate::text;

/// Smaller answers are sent as they are, as in Kubernetes: compressing them costs more than it saves.
const THRESHOLD: usize = 128 * 1024;

/// Pieces of a body. An error before the first piece can still become a response of its own.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, ApiError>>;

/// Whether the client takes gzip.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    let codings = text(headers, &ACCEPT_ENCODING).split(',').map(str::trim);
    codings.filter_map(|coding| coding.split(';').next()).any(|coding| coding.eq_ignore_ascii_case("gzip"))
}

/// A response from pieces: whole if it is small, else streamed, and compressed if the client takes that. Fails if
/// the first pieces cannot be made.
pub(crate) async fn streamed(
    mut pieces: Pieces,
    mut response: Response,
    gzip: bool,
) -> Result<Response, ApiError> {
    let mut head = Vec::new();
    while head.len() < THRESHOLD {
        match pieces.next().await {
            Some(piece) => head.extend_from_slice(&piece?),
            None => {
                *response.body_mut() = Body::from(head);
                return Ok(response);
            }
        }
    }
    let all = stream::once(async move { Ok(Bytes::from(head)) }).chain(pieces);
    *response.body_mut() = if gzip { Body::from_stream(compressed(all)) } else { Body::from_stream(all) };
    if gzip {
        mark(response.headers_mut());
    }
    Ok(response)
}

/// Says that the body is compressed.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
}

struct Compressor<S> {
    pieces: Pin<Box<S>>,
    /// None once the trailer is written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

fn compressed<S>(pieces: S) -> impl Stream<Item = Result<Bytes, ApiError>> + Send
where
    S: Stream<Item = Result<Bytes, ApiError>> + Send,
{
    // Speed counts for more than size: what is compressed here crosses a network that is quick.
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressor = Compressor { pieces: Box::pin(pieces), encoder: Some(encoder) };
    stream::try_unfold(compressor, Compressor::step)
}

// === impl Compressor ===

impl<S: Stream<Item = Result<Bytes, ApiError>>> Compressor<S> {
    /// The next compressed piece.
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, ApiError> {
        let failed =
            |error: std::io::Error| ApiError::internal(format!("cannot compress the answer: {error}"));
        while let Some(mut encoder) = self.encoder.take() {
            let Some(piece) = self.pieces.next().await else {
                let rest = encoder.finish().map_err(failed)?;
                return Ok(Some((rest.into(), self)));
            };
            encoder.write_all(&piece?).map_err(failed)?;
            let done = std::mem::take(encoder.get_mut());
            self.encoder = Some(encoder);
            if !done.is_empty() {
                return Ok(Some((done.into(), self)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn pieces(count: usize) -> Pieces {
        stream::iter((0..count).map(|n| Ok(Bytes::from(format!("piece {n:060}\n").repeat(100))))).boxed()
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    async fn plain(count: usize) -> Vec<u8> {
        pieces(count).map(|piece| piece.unwrap().to_vec()).concat().await
    }

    #[tokio::test]
    async fn a_large_answer_is_compressed() {
        let response = streamed(pieces(100), Response::default(), true).await.unwrap();
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        let compressed = body(response).await;
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*compressed).read_to_end(&mut text).unwrap();
        assert!(text == plain(100).await && compressed.len() < text.len() / 4);
    }

    #[tokio::test]
    async fn other_answers_are_sent_as_they_are() {
        for (count, gzip) in [(3, true), (3, false), (100, false)] {
            let response = streamed(pieces(count), Response::default(), gzip).await.unwrap();
            assert!(!response.headers().contains_key(CONTENT_ENCODING));
            assert!(body(response).await == plain(count).await);
        }
    }

    #[tokio::test]
    async fn an_early_error_is_an_error() {
        let failing = stream::iter([Ok(Bytes::from_static(b"x")), Err(ApiError::internal("y"))]).boxed();
        assert_eq!(streamed(failing, Response::default(), true).await.unwrap_err().code(), 500);
    }

    #[test]
    fn gzip_is_recognized() {
        for (header, expected) in [("gzip", true), ("deflate, gzip;q=0.5", true), ("br", false), ("", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, header.parse().unwrap());
            assert_eq!(accepted(&headers), expected, "{header}");
        }
    }
}
