//! One request to a kubelet itself, over the connection that api has to it.

use axum::body::Body;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use http::{HeaderMap, Version};
use http_body_util::BodyStream;
use keelson_base_client::Channel;
use keelson_base_client::status::from_grpc;
use keelson_base_model::status::ApiError;
use keelson_proto::v1::ProxyRequest;
use tower::ServiceExt as _;

use super::http1::{body, broken, head, piece, request};
use crate::rpc::unary::{Incoming, Messages};

/// The answer to a request.
pub(super) fn pass_on(kubelet: Channel, asked: ProxyRequest, incoming: Incoming) -> Messages {
    stream::once(answer(kubelet, asked, incoming)).try_flatten().boxed()
}

async fn answer(kubelet: Channel, asked: ProxyRequest, incoming: Incoming) -> Result<Messages, ApiError> {
    let body = tonic::body::Body::new(Body::from_stream(body(incoming)));
    let mut request = request(&asked, body)?;
    // What HTTP/1.1 says of a connection, HTTP/2 has no words for.
    *request.version_mut() = Version::HTTP_2;
    for name in [CONNECTION, HOST, UPGRADE] {
        request.headers_mut().remove(name);
    }
    let asked_grpc = is_grpc(request.headers());
    let response = kubelet.oneshot(request).await.map_err(from_grpc)?;
    // What the kubelet knows no path of, it takes for a call of gRPC.
    if is_grpc(response.headers()) && !asked_grpc {
        return Err(ApiError::unknown_resource());
    }
    let first = stream::once(std::future::ready(Ok(head(&response))));
    let frames = BodyStream::new(response.into_body());
    let pieces = frames.filter_map(|frame| {
        std::future::ready(match frame {
            Ok(frame) => frame.into_data().ok().map(|data| Ok(piece(data))),
            Err(error) => Some(Err(broken(&error))),
        })
    });
    Ok(first.chain(pieces).boxed())
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
