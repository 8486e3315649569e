//! Requests that are passed on to pods, services and nodes: api sends them; here they are made fit for their way, and the
//! answers for where they are seen.

mod headers;
mod html;
mod link;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use keelson_base_client::{Messages, RawApi};
use keelson_base_daemon::serve::ConnectionInfo;
use keelson_base_model::status::ApiError;
use keelson_proto::v1::proxy_input::Input;
use keelson_proto::v1::proxy_output::Output;
use keelson_proto::v1::{ProxyInput, ProxyOutput, ProxyRequest, ProxyResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use self::html::Rewriter;
use self::link::Links;
use super::idle::Activity;
use super::{Bytestream, MAX_CHUNK, MOST_MESSAGES, Room, received};
use crate::negotiate::text;
use crate::route::proxied::Proxied;

/// Bytes that are read at a time of a connection that has changed its protocol.
const READ_BUFFER: usize = 16 * 1024;

/// A request that is to be passed on, as it was received.
pub(crate) struct Received<'a> {
    /// To whom, and with which path.
    pub(crate) proxied: Proxied<'a>,
    /// How it was sent.
    pub(crate) method: &'a Method,
    /// Its query, not decoded.
    pub(crate) query: Option<&'a str>,
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// Over which connection, if over one.
    pub(crate) connection: Option<ConnectionInfo>,
    /// The connection, once its protocol has changed.
    pub(crate) upgrade: Option<OnUpgrade>,
}

/// What api answers, after the head of the target's answer.
type Answers = Messages<ProxyOutput>;

// === impl Received ===

impl Received<'_> {
    /// Passes the request on, and answers as its target does.
    pub(crate) async fn pass_on<P>(
        self,
        api: &RawApi,
        body: Body,
        room: Room<P>,
    ) -> Result<Response, ApiError>
    where
        P: Send + 'static,
    {
        if let Some(redirected) = self.redirect()? {
            return Ok(redirected);
        }
        let changing = self.upgrade.clone().zip(headers::upgrade(self.headers));
        let first = ProxyInput { input: Some(Input::Request(self.head(changing.is_some()))) };
        let first = stream::once(std::future::ready(first));
        let (input, messages) = mpsc::channel(MOST_MESSAGES);
        let requests: BoxStream<'static, ProxyInput> = match changing {
            Some(_) => first.chain(received(messages)).boxed(),
            None => first.chain(pieces(body)).boxed(),
        };
        let mut answers: Answers = api.bidi_stream("Proxy", requests).await?;
        let response = head_of(&mut answers).await?;
        let code = u16::try_from(response.code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let code =
            code.ok_or_else(|| ApiError::service_unavailable("the target answered with no code of HTTP"))?;
        match changing {
            Some((changed, _)) if code == StatusCode::SWITCHING_PROTOCOLS => {
                room.converse("proxy", changed, move |io, activity| carry(io, input, answers, activity));
                Ok(headed(code, headers::answered(response.headers, true), Body::empty()))
            }
            _ if code.is_informational() => Err(ApiError::service_unavailable(format!(
                "the target answered {code}, which was not asked for"
            ))),
            _ => Ok(self.answer(code, headers::answered(response.headers, false), answers)),
        }
    }

    /// The root of a target is told apart from the target itself by its slash, so that relative links work.
    fn redirect(&self) -> Result<Option<Response>, ApiError> {
        let reads = matches!(*self.method, Method::GET | Method::HEAD);
        if !reads || !self.proxied.path.is_empty() || headers::upgrade(self.headers).is_some() {
            return Ok(None);
        }
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        let location = HeaderValue::try_from(format!("{}/{query}", self.proxied.base));
        let location = location.map_err(|error| ApiError::bad_request(format!("invalid path: {error}")))?;
        let headers = HeaderMap::from_iter([(LOCATION, location)]);
        Ok(Some(headed(StatusCode::MOVED_PERMANENTLY, headers, Body::empty())))
    }

    /// The request's head as the target gets it.
    fn head(&self, changes: bool) -> ProxyRequest {
        let Proxied { call, base, path } = &self.proxied;
        let own = if path.is_empty() { "/" } else { path };
        let forwarded = headers::Forwarded {
            client: self.connection.map(|connection| connection.remote.ip()),
            host: text(self.headers, &HOST),
            is_secure: self.connection.is_some_and(|connection| connection.tls),
            path: &format!("{base}{own}"),
        };
        ProxyRequest {
            namespace: call.namespace.clone(),
            name: call.name.clone(),
            method: self.method.as_str().to_owned(),
            path: match self.query {
                Some(query) => format!("{own}?{query}"),
                None => own.to_owned(),
            },
            headers: headers::sent(self.headers, changes, &forwarded),
        }
    }

    /// The target's answer as the client gets it: with links that lead back through here.
    fn answer(&self, code: StatusCode, mut headers: HeaderMap, answers: Answers) -> Response {
        let links = Links::new(text(self.headers, &HOST), self.proxied.base);
        let moved = headers.get(LOCATION).and_then(|location| links.rewrite(location.to_str().ok()?));
        if let Some(location) = moved.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(LOCATION, location);
        }
        let body = bytes_of(answers);
        let is_html = text(&headers, &CONTENT_TYPE).trim_start().starts_with("text/html");
        if !is_html || *self.method == Method::HEAD || headers.contains_key(http::header::CONTENT_ENCODING) {
            return headed(code, headers, Body::from_stream(body));
        }
        headers.remove(CONTENT_LENGTH);
        headed(code, headers, Body::from_stream(rewritten(body, links)))
    }
}

fn headed(code: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    response
}

/// A body as messages to api. One that breaks off ends the call with the connection it came on.
fn pieces(body: Body) -> impl futures::Stream<Item = ProxyInput> + Send + 'static {
    let whole = body.into_data_stream().scan((), |(), data| std::future::ready(data.ok()));
    let pieces = whole.flat_map(|mut data| {
        stream::iter(std::iter::from_fn(move || {
            (!data.is_empty()).then(|| data.split_to(data.len().min(MAX_CHUNK)))
        }))
    });
    pieces.map(|data| ProxyInput { input: Some(Input::Body(data)) })
}

async fn head_of(answers: &mut Answers) -> Result<ProxyResponse, ApiError> {
    match answers.next().await.transpose()?.and_then(|answer| answer.output) {
        Some(Output::Response(response)) => Ok(response),
        _ => Err(ApiError::service_unavailable("the target did not answer")),
    }
}

fn bytes_of(answers: Answers) -> BoxStream<'static, Result<Bytes, ApiError>> {
    let bytes = answers.filter_map(|answer| {
        std::future::ready(match answer {
            Ok(ProxyOutput { output: Some(Output::Body(data)) }) => Some(Ok(data)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    });
    bytes.boxed()
}

/// A page whose links are rewritten as it passes.
fn rewritten(
    body: BoxStream<'static, Result<Bytes, ApiError>>,
    links: Links,
) -> impl futures::Stream<Item = Result<Bytes, ApiError>> + Send + 'static {
    stream::unfold((body, Some(Rewriter::new(links))), |(mut body, rewriter)| async move {
        let mut rewriter = rewriter?;
        match body.next().await {
            Some(Ok(data)) => {
                let data = rewriter.rewrite(&data);
                Some((Ok(data.into()), (body, Some(rewriter))))
            }
            Some(Err(error)) => Some((Err(error), (body, None))),
            None => Some((Ok(rewriter.finish().into()), (body, None))),
        }
    })
}

/// Carries the bytes of a connection that has changed its protocol, until both directions have ended.
async fn carry(io: Bytestream, input: mpsc::Sender<ProxyInput>, answers: Answers, activity: Activity) {
    let (mut reader, mut writer) = tokio::io::split(io);
    let touched = activity.clone();
    let inward = async move {
        let mut buffer = vec![0; READ_BUFFER];
        while let Ok(read) = reader.read(&mut buffer).await
            && let Some(data) = buffer.get(..read).filter(|data| !data.is_empty())
        {
            touched.touch();
            let data = Bytes::copy_from_slice(data);
            if input.send(ProxyInput { input: Some(Input::Body(data)) }).await.is_err() {
                return;
            }
        }
    };
    let outward = async move {
        let mut bytes = bytes_of(answers);
        while let Some(Ok(data)) = bytes.next().await {
            activity.touch();
            if writer.write_all(&data).await.is_err() || writer.flush().await.is_err() {
                return false;
            }
        }
        writer.shutdown().await.is_ok()
    };
    let mut inward = std::pin::pin!(inward);
    let mut outward = std::pin::pin!(outward);
    tokio::select! {
        // Whoever has nothing more to say may still listen.
        () = inward.as_mut() => drop(outward.await),
        _ = outward.as_mut() => {}
    }
}
