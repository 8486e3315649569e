//! A way to a gRPC server: over TCP, over TLS, or a call inside this process. Callers cannot tell which.

mod balanced;
mod connection;
mod health;
mod pool;
mod timeout;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::uri::Authority;
use http::{Request, Response};
use keelson_base_daemon::tls::{LiveIdentity, Peer, ServerName, TlsError};
use keelson_base_daemon::trace::{self, Tracer, rpc};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use self::balanced::Balanced;
use self::connection::Target;
use crate::leader::Office;
use crate::status;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A way to a gRPC server, or to several that do the same. Clones share its connections.
///
/// Whatever goes wrong before a server answers is `UNAVAILABLE`. A call that did not leave this process goes to another
/// server, or waits for one, within its deadline; one that may have reached a server fails, and whoever knows that it
/// may be repeated does so. While no server can be reached, a call fails once each has been tried since it came.
#[derive(Clone)]
pub struct Channel {
    inner: BoxCloneSyncService<Request<Body>, Response<Body>, Status>,
}

/// Servers that do the same, reached over the network.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// Each server as `host:port`; calls are spread over them, and over all addresses that a host has.
    pub addresses: Vec<String>,
    /// Who we are and whom we trust; without it the connection is not encrypted.
    pub identity: Option<LiveIdentity>,
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
    #[error("{0:?} is not the host:port of a server")]
    Address(String),
    /// The name to expect in a certificate is malformed.
    #[error("{0:?} cannot be the name in a server's certificate")]
    ServerName(String),
    /// The identity cannot be used.
    #[error("cannot set up TLS to {addresses:?}")]
    Tls {
        /// The addresses.
        addresses: Vec<String>,
        /// Why.
        source: TlsError,
    },
}

/// The source of a status that says that a call got no answer, though it may have reached a server.
#[derive(Debug, thiserror::Error)]
#[error("the connection was lost while the call was under way")]
pub(crate) struct Lost;

// === impl Channel ===

impl Channel {
    /// Reaches servers over the network: connects when first used, and again, after growing delays, whenever a connection
    /// is lost. New connections show the identity as it is then; those that exist live on.
    ///
    /// Must be called on a Tokio runtime.
    pub fn connect(endpoints: &Endpoints) -> Result<Self, ConnectError> {
        if endpoints.addresses.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        let targets = endpoints.addresses.iter().map(|address| endpoints.target(address));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let tls = endpoints.identity.as_ref().map(|identity| identity.client_tls(&[b"h2"])).transpose();
        let tls =
            tls.map_err(|source| ConnectError::Tls { addresses: endpoints.addresses.clone(), source })?;
        let balanced = Arc::new(Balanced::new(targets, tls));
        Ok(Self::new(tower::service_fn(move |request: Request<Body>| {
            let balanced = balanced.clone();
            async move { balanced.call(request).await }
        })))
    }

    /// Calls `service` (tonic `Routes`, an axum `Router`) in this process, as `peer`; the spans of the called service go to
    /// its own `tracer`, as its listener would do.
    ///
    /// The call runs in the caller's task: it ends when the caller gives up, as it would over a connection.
    pub fn in_process<S, B>(service: S, peer: Peer, tracer: Tracer) -> Self
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
            let span = rpc::server(&tracer, context, &request);
            let response = service.clone().oneshot(request);
            let response = async move { response.await.map(|response| response.map(Body::new)) };
            tracer.scope(context, span.instrument(response))
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
        match permitted(&request) {
            Ok(()) => self.inner.call(request),
            Err(status) => Box::pin(std::future::ready(Err(status))),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// Whether a call may be sent now: a write of somebody who is elected brings its [`Office`] among its extensions, and is
/// asked again when it has waited.
fn permitted(request: &Request<Body>) -> Result<(), Status> {
    match request.extensions().get::<Office>().map(Office::check) {
        Some(Err(vacant)) => Err(status::to_grpc(vacant)),
        _ => Ok(()),
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
    fn target(&self, address: &str) -> Result<Target, ConnectError> {
        let malformed = || ConnectError::Address(address.to_owned());
        let authority = Authority::try_from(address).map_err(|_| malformed())?;
        let has_host_and_port = !authority.host().is_empty() && authority.port_u16().is_some();
        if !has_host_and_port || authority.as_str().contains('@') {
            return Err(malformed());
        }
        // No certificate has the brackets of an IPv6 address.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| ConnectError::ServerName(name))?;
        Ok(Target { authority, name })
    }
}

#[cfg(test)]
mod tests;
