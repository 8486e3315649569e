//! A way to a gRPC server: over TCP, over TLS, or a call inside this process. Callers cannot tell which.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use keelson_base_daemon::tls::{Identity, Peer};
use keelson_base_daemon::trace::{self, SpanKind, Tracer};
use tonic::body::Body;
use tonic::transport::{self, Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a connection may take to come about, its TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A silent connection is asked for a sign of life this often, and given up after `KEEP_ALIVE_TIMEOUT` without one:
/// this is how a quiet watch learns that its server is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest headers and trailers accepted. hyper's own limit of 16 KiB would cut off errors with many causes.
const MAX_HEADERS: u32 = 256 << 10;

/// Flow-control windows: a list must not wait for a round trip every 64 KiB, which is HTTP/2's default.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A way to a gRPC server. Clones share its connections.
///
/// Whatever goes wrong before a server answers is `UNAVAILABLE`.
#[derive(Clone)]
pub struct Channel {
    inner: BoxCloneSyncService<Request<Body>, Response<Body>, Status>,
}

/// Servers that do the same, reached over the network.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// Each server as `host:port`; calls are spread over them.
    pub addresses: Vec<String>,
    /// Who we are and whom we trust; without it the connection is not encrypted.
    pub identity: Option<Identity>,
    /// The name to expect in the servers' certificates if it is not the address's host.
    pub server_name: Option<String>,
}

/// An endpoint that no connection can be made to, because of what was configured.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There are no addresses.
    #[error("no address of a server was given")]
    NoAddress,
    /// An address is malformed.
    #[error("{address:?} is not the host:port of a server")]
    Address {
        /// The address as it was given.
        address: String,
        /// Why.
        source: transport::Error,
    },
    /// The identity cannot be used.
    #[error("cannot set up TLS to {address:?}")]
    Tls {
        /// The address.
        address: String,
        /// Why.
        source: transport::Error,
    },
}

// === impl Channel ===

impl Channel {
    /// Reaches servers over the network: connects when first used, and again whenever a connection is lost.
    ///
    /// Must be called on a Tokio runtime.
    pub fn connect(endpoints: &Endpoints) -> Result<Self, ConnectError> {
        let mut list = Vec::with_capacity(endpoints.addresses.len());
        for address in &endpoints.addresses {
            list.push(endpoints.endpoint(address)?);
        }
        let channel = match list.as_slice() {
            [] => return Err(ConnectError::NoAddress),
            [one] => one.connect_lazy(),
            _ => transport::Channel::balance_list(list.into_iter()),
        };
        Ok(Self::new(channel))
    }

    /// Calls `service` (tonic `Routes`, an axum `Router`) in this process, as `peer`.
    ///
    /// The call runs in the caller's task: it ends when the caller gives up, as it would over a connection.
    pub fn in_process<S, B>(service: S, peer: Peer) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::in_process_traced(service, peer, Tracer::off())
    }

    /// The same, with the spans of the called service going to its own `tracer`, as its listener would do.
    pub fn in_process_traced<S, B>(service: S, peer: Peer, tracer: Tracer) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::new(tower::service_fn(move |mut request: Request<Body>| {
            request.extensions_mut().insert(peer.clone());
            let context = trace::extract(request.headers());
            let span = context.map(|context| tracer.child_of("request", context)).unwrap_or_default();
            let response = service.clone().oneshot(request);
            let response = async move { response.await.map(|response| response.map(Body::new)) };
            tracer.scope(context, span.kind(SpanKind::Server).instrument(response))
        }))
    }

    fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let service = service.map_err(|error: S::Error| unavailable(error.into()));
        Self { inner: BoxCloneSyncService::new(service) }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.inner.call(request)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// What a transport's failure means to the caller: the server could not be asked. A status that tonic found in it is
/// kept if it says more than that.
fn unavailable(error: BoxError) -> Status {
    match Status::try_from_error(error) {
        Ok(status) if !matches!(status.code(), Code::Unknown | Code::Internal) => status,
        Ok(status) => Status::unavailable(status.message()),
        Err(error) => Status::unavailable(causes(error.as_ref())),
    }
}

/// An error and its causes in one line: tonic's outermost says "transport error" and no more.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

// === impl Endpoints ===

impl Endpoints {
    fn endpoint(&self, address: &str) -> Result<Endpoint, ConnectError> {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        let bad = |source| ConnectError::Address { address: address.to_owned(), source };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(bad)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .http2_max_header_list_size(MAX_HEADERS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let Some(identity) = &self.identity else {
            return Ok(endpoint);
        };
        let tls = |source| ConnectError::Tls { address: address.to_owned(), source };
        endpoint.tls_config(self.tls(identity, address)).map_err(tls)
    }

    fn tls(&self, identity: &Identity, address: &str) -> ClientTlsConfig {
        let config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&identity.ca_pem))
            .identity(transport::Identity::from_pem(&identity.cert_pem, &identity.key_pem))
            .timeout(CONNECT_TIMEOUT);
        // tonic would take an IPv6 address with its brackets, which no certificate has.
        let bracketed = address.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
        match self.server_name.as_deref().or(bracketed) {
            Some(name) => config.domain_name(name),
            None => config,
        }
    }
}

#[cfg(test)]
mod tests;
