//! Asking over HTTP: one connection for each request, certificates unchecked, redirects followed on the same host.

mod tls;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, LOCATION};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use super::target::{Endpoint, HttpTarget};
use super::{Finding, MAX_ANSWER, tcp};

/// Redirects that are followed (Kubernetes' value).
const MAX_REDIRECTS: usize = 10;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Its body, as much as is kept.
    pub(crate) body: Vec<u8>,
    /// It leads to another host, where we do not go.
    pub(super) elsewhere: bool,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
#[error("Get \"{url}\": {why}")]
pub(crate) struct HttpError {
    url: String,
    why: String,
}

/// A status from 200 to 399 is success.
pub(super) async fn check(target: &HttpTarget, limit: Duration) -> Finding {
    match get(target, limit).await {
        Err(error) => Finding::Failure(error.to_string()),
        Ok(Answer { elsewhere: true, body, .. }) => {
            let body = String::from_utf8_lossy(&body);
            Finding::Warning(format!("Probe terminated redirects, Response body: {body}"))
        }
        Ok(Answer { status: 200..400, .. }) => Finding::Success,
        Ok(Answer { status, .. }) => Finding::Failure(format!("HTTP probe failed with statuscode: {status}")),
    }
}

/// Makes the request, and those to which it leads on the same host, all within `limit`.
pub(crate) async fn get(target: &HttpTarget, limit: Duration) -> Result<Answer, HttpError> {
    let late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    let answered = tokio::time::timeout(limit, follow(target, MAX_ANSWER)).await;
    answered.unwrap_or_else(|_| Err(HttpError::new(&target.url, late)))
}

/// Gets the (plain HTTP) `url` within `limit`; keeps at most `most` bytes of the answer.
pub(crate) async fn fetch(url: &str, agent: &str, limit: Duration, most: usize) -> Result<Answer, HttpError> {
    let error = |why: String| HttpError { url: url.to_owned(), why };
    let parsed = Url::parse(url).map_err(|parse| error(parse.to_string()))?;
    if parsed.scheme() != "http" {
        // Whoever serves pods must be known, and there is no list of authorities to trust here.
        return Err(error("only http is supported".to_owned()));
    }
    let headers = vec![("User-Agent".to_owned(), agent.to_owned())];
    let target = HttpTarget { url: parsed, headers };
    let answered = tokio::time::timeout(limit, follow(&target, most)).await;
    answered.unwrap_or_else(|_| Err(error(format!("no answer within {limit:?}"))))
}

async fn follow(target: &HttpTarget, most: usize) -> Result<Answer, HttpError> {
    let mut url = target.url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let response = send(&url, &target.headers).await.map_err(|why| HttpError::new(&url, why))?;
        let next = redirect(&url, &response).map_err(|why| HttpError::new(&url, why))?;
        match next.filter(|next| next.host_str() == url.host_str()) {
            Some(next) => url = next,
            None => {
                let elsewhere = redirect(&url, &response).is_ok_and(|next| next.is_some());
                let status = response.status().as_u16();
                return Ok(Answer { status, body: read(response.into_body(), most).await, elsewhere });
            }
        }
    }
    Err(HttpError::new(&url, format!("stopped after {MAX_REDIRECTS} redirects")))
}

/// Where an answer leads.
fn redirect(url: &Url, response: &Response<Incoming>) -> Result<Option<Url>, String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let location = location.to_str().map_err(|error| error.to_string())?;
    let next = url.join(location);
    next.map(Some).map_err(|error| format!("failed to parse Location header {location:?}: {error}"))
}

async fn send(url: &Url, headers: &[(String, String)]) -> Result<Response<Incoming>, String> {
    let host = url.host_str().ok_or("no Host in request URL")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().ok_or("no port in request URL")?;
    let endpoint = Endpoint { host, port };
    let stream = tcp::connect(&endpoint).await?;
    match url.scheme() {
        "https" => exchange(tls::connect(&endpoint, stream).await?, url, headers).await,
        _ => exchange(stream, url, headers).await,
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &Url,
    headers: &[(String, String)],
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with the answer, or with the sender.
    tokio::spawn(connection);
    let request = request(url, headers)?;
    sender.send_request(request).await.map_err(|error| match error {
        error if error.is_incomplete_message() => "EOF".to_owned(),
        error => error.to_string(),
    })
}

fn request(url: &Url, headers: &[(String, String)]) -> Result<Request<Empty<Bytes>>, String> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
    if !has_host {
        request = request.header(HOST, authority);
    }
    request.body(Empty::new()).map_err(|error| error.to_string())
}

/// The beginning of a body; what cannot be read is left out.
async fn read(mut body: Incoming, most: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    while kept.len() < most
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            kept.extend_from_slice(data);
        }
    }
    kept.truncate(most);
    kept
}

// === impl HttpError ===

impl HttpError {
    fn new(url: &Url, why: impl Into<String>) -> Self {
        Self { url: url.to_string(), why: why.into() }
    }
}
