//! One request over a connection of its own.

use axum::body::Body;
use bytes::Bytes;
use futures::future::join;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::{Request, Response};
use http_body_util::BodyStream;
use hyper::body::Incoming as Answered;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use keelson_base_model::status::ApiError;
use keelson_proto::Message as _;
use keelson_proto::v1::proxy_input::Input;
use keelson_proto::v1::proxy_output::Output;
use keelson_proto::v1::{ProxyHeader, ProxyInput, ProxyOutput, ProxyRequest, ProxyResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::port::Wire;
use crate::rpc::unary::{Incoming, Messages};

/// Bytes that are read at a time of a connection whose protocol has changed.
const BUFFER: usize = 16 * 1024;

/// Why a body cannot be sent.
type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The answer to a request over a connection that `connect` makes; ends with whoever reads it.
pub(super) fn pass_on<F>(
    connect: impl FnOnce() -> F + Send + 'static,
    asked: ProxyRequest,
    incoming: Incoming,
) -> Messages
where
    F: Future<Output = Result<Wire, ApiError>> + Send,
{
    stream::once(async move { answer(connect().await?, asked, incoming).await }).try_flatten().boxed()
}

async fn answer(wire: Wire, asked: ProxyRequest, incoming: Incoming) -> Result<Messages, ApiError> {
    let Wire { io, moving, mut fault } = wire;
    let mut unreached = move |error: hyper::Error| {
        fault.try_recv().unwrap_or_else(|_| {
            ApiError::service_unavailable(format!("error trying to reach service: {}", explained(&error)))
        })
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(&mut unreached)?;
    // Belongs to whoever reads the answer, which tells of its failure.
    let driver = AbortOnDropHandle::new(tokio::spawn(join(connection.with_upgrades(), moving)));
    let (body, rest) = match has(&asked, "upgrade") || !has_body(&asked) {
        true => (Body::empty(), Some(incoming)),
        false => (Body::from_stream(body(incoming)), None),
    };
    let request = request(&asked, body)?;
    let mut response = sender.send_request(request).await.map_err(&mut unreached)?;
    let first = stream::once(std::future::ready(Ok(head(&response))));
    let rest = match (response.status(), rest) {
        (http::StatusCode::SWITCHING_PROTOCOLS, Some(incoming)) => {
            let upgraded = hyper::upgrade::on(&mut response).await.map_err(unreached)?;
            changed(upgraded, incoming)
        }
        _ => bytes_of(response),
    };
    // The sender stays too: without it the connection would end.
    let kept = (driver, sender);
    let answer = first.chain(rest).map(move |piece| {
        let _kept = &kept;
        piece
    });
    Ok(answer.boxed())
}

/// Whether a request comes with a body. One that does not say so, and need not, is sent without: of a body that may
/// follow, servers want to be told.
fn has_body(asked: &ProxyRequest) -> bool {
    has(asked, "content-length") || matches!(asked.method.as_str(), "POST" | "PUT" | "PATCH")
}

fn has(asked: &ProxyRequest, name: &str) -> bool {
    asked.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name))
}

/// A request as it is sent.
pub(super) fn request<B>(asked: &ProxyRequest, body: B) -> Result<Request<B>, ApiError> {
    let path = if asked.path.starts_with('/') { asked.path.as_str() } else { "/" };
    let mut request = Request::builder().method(asked.method.as_str()).uri(path);
    for ProxyHeader { name, value } in &asked.headers {
        request = request.header(name.as_str(), value.as_ref());
    }
    let malformed = |error| ApiError::bad_request(format!("the request cannot be passed on: {error}"));
    let mut request = request.body(body).map_err(malformed)?;
    if !request.headers().contains_key(http::header::HOST) {
        let host = http::HeaderValue::try_from(asked.name.as_str());
        let host = host.unwrap_or_else(|_| http::HeaderValue::from_static("localhost"));
        request.headers_mut().insert(http::header::HOST, host);
    }
    Ok(request)
}

/// The bytes of a request's body.
pub(super) fn body(
    incoming: Incoming,
) -> impl futures::Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    incoming.map(|message| match ProxyInput::decode(message?)?.input {
        Some(Input::Body(data)) => Ok(data),
        _ => Err("only the first message may be `request`".into()),
    })
}

/// The head of an answer.
pub(super) fn head<B>(response: &Response<B>) -> Bytes {
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| ProxyHeader {
        name: name.as_str().to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    });
    let head = ProxyResponse { code: response.status().as_u16().into(), headers: headers.collect() };
    ProxyOutput { output: Some(Output::Response(head)) }.encode_to_vec().into()
}

/// A piece of an answer's body.
pub(super) fn piece(data: Bytes) -> Bytes {
    ProxyOutput { output: Some(Output::Body(data)) }.encode_to_vec().into()
}

fn bytes_of(response: Response<Answered>) -> Messages {
    let frames = BodyStream::new(response.into_body());
    let pieces = frames.filter_map(|frame| {
        std::future::ready(match frame {
            Ok(frame) => frame.into_data().ok().map(|data| Ok(piece(data))),
            Err(error) => Some(Err(broken(&error))),
        })
    });
    pieces.boxed()
}

/// The bytes of a connection whose protocol has changed; what comes in is written to it while they are read.
fn changed(upgraded: Upgraded, incoming: Incoming) -> Messages {
    let (reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
    let inward = async move {
        let mut data = std::pin::pin!(body(incoming));
        while let Some(Ok(data)) = data.next().await {
            if writer.write_all(&data).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    let inward = AbortOnDropHandle::new(tokio::spawn(inward));
    let read = stream::try_unfold((reader, inward), |(mut reader, inward)| async move {
        let mut data = bytes::BytesMut::with_capacity(BUFFER);
        let read = reader.read_buf(&mut data).await.map_err(|error| broken(&error))?;
        Ok((read > 0).then(|| (piece(data.freeze()), (reader, inward))))
    });
    read.boxed()
}

pub(super) fn broken(error: &dyn std::error::Error) -> ApiError {
    ApiError::service_unavailable(format!("the answer broke off: {error}"))
}

/// An error and its cause: hyper's outermost says little.
fn explained(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
