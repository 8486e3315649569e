//! One request message in, or a stream of them; bytes or a stream of bytes out.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::BoxStream;
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::status::{from_grpc, to_grpc};
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use tonic::Streaming;
use tonic::server::Grpc;

use crate::errors::RETRY;
use crate::notes;
use crate::rpc::{MAX_MESSAGE, refuse};

/// Messages of a stream, encoded.
pub(super) type Messages = BoxStream<'static, Result<Bytes, ApiError>>;

/// Requests of a stream, encoded, as they come.
pub(super) type Incoming = Streaming<Bytes>;

/// How long the first request of a stream may take.
const FIRST: Duration = Duration::from_secs(30);

/// Serves a call with one answer.
pub(super) async fn unary<Q, F, A>(request: Request, call: F) -> Response
where
    Q: Message + Default,
    F: FnOnce(Q) -> A + Send,
    A: Future<Output = Result<Bytes, ApiError>> + Send,
{
    let mut call = Some(call);
    let service = tower::service_fn(move |message: tonic::Request<Bytes>| {
        let answer = decode::<Q>(message.into_inner()).map(|message| call.take().map(|call| call(message)));
        async move {
            match answer?.map(Box::pin) {
                Some(answer) => {
                    let (answer, noted) = notes::taken(answer).await;
                    let mut response = answer.map(tonic::Response::new).map_err(to_grpc)?;
                    noted.write(response.metadata_mut());
                    Ok(response)
                }
                None => Err(tonic::Status::internal("a unary call was called twice")),
            }
        }
    });
    told_too_large(grpc().unary(service, request).await.map(Body::new))
}

/// Serves a call with a stream of answers.
pub(super) async fn streaming<Q, F, A>(request: Request, call: F) -> Response
where
    Q: Message + Default,
    F: FnOnce(Q) -> A + Send,
    A: Future<Output = Result<Messages, ApiError>> + Send,
{
    use futures::StreamExt;

    let mut call = Some(call);
    let service = tower::service_fn(move |message: tonic::Request<Bytes>| {
        let answer = decode::<Q>(message.into_inner()).map(|message| call.take().map(|call| call(message)));
        async move {
            match answer?.map(Box::pin) {
                Some(answer) => {
                    let messages = answer.await.map_err(to_grpc)?;
                    Ok(tonic::Response::new(messages.map(|message| message.map_err(to_grpc))))
                }
                None => Err(tonic::Status::internal("a streaming call was called twice")),
            }
        }
    });
    told_too_large(grpc().server_streaming(service, request).await.map(Body::new))
}

/// Serves a call with a stream of requests and a stream of answers.
pub(super) async fn duplex<F, A>(request: Request, call: F) -> Response
where
    F: FnOnce(Incoming) -> A + Send,
    A: Future<Output = Result<Messages, ApiError>> + Send,
{
    use futures::StreamExt;

    let mut call = Some(call);
    let service = tower::service_fn(move |requests: tonic::Request<Incoming>| {
        let answer = call.take().map(|call| Box::pin(call(requests.into_inner())));
        async move {
            match answer {
                Some(answer) => {
                    let messages = answer.await.map_err(to_grpc)?;
                    Ok(tonic::Response::new(messages.map(|message| message.map_err(to_grpc))))
                }
                None => Err(tonic::Status::internal("a streaming call was called twice")),
            }
        }
    });
    told_too_large(grpc().streaming(service, request).await.map(Body::new))
}

/// The first request of a stream.
///
/// # Errors
/// If it does not come, or is no such message.
pub(super) async fn first<Q: Message + Default>(incoming: &mut Incoming) -> Result<Q, ApiError> {
    let message = tokio::time::timeout(FIRST, incoming.message()).await;
    let message = message.map_err(|_| ApiError::timeout("the first message did not come", RETRY))?;
    match message.map_err(from_grpc)? {
        Some(message) => decode(message).map_err(from_grpc),
        None => Err(ApiError::bad_request("the stream of requests ended before its first message")),
    }
}

fn grpc() -> Grpc<BytesCodec> {
    Grpc::new(BytesCodec).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(usize::MAX)
}

/// tonic says of a message over the limit that it is out of range, which for us means expired: say what it is.
/// Our own errors carry a Status in their details.
fn told_too_large(response: Response) -> Response {
    let headers = response.headers();
    let out_of_range = tonic::Status::from_header_map(headers)
        .is_some_and(|status| status.code() == tonic::Code::OutOfRange && status.details().is_empty());
    if out_of_range {
        refuse(ApiError::request_entity_too_large(format!("limit is {MAX_MESSAGE}")))
    } else {
        response
    }
}

fn decode<Q: Message + Default>(message: Bytes) -> Result<Q, tonic::Status> {
    Q::decode(message)
        .map_err(|error| to_grpc(ApiError::bad_request(format!("cannot decode the request: {error}"))))
}
