//! One connection: handshake, then requests, each with what is known of its sender.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::first_byte::first_byte_within;
use super::throttle::Throttle;
use crate::tasks::Drain;
use crate::tls::{HandshakeError, Peer, ServerTls};
use crate::trace::{self, Tracer, rpc};

/// Both ends of the connection a request came on; a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The client's end.
    pub remote: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

/// What the connections of a port share.
pub(super) struct Server {
    pub(super) http: auto::Builder<TokioExecutor>,
    pub(super) tls: Option<ServerTls>,
    pub(super) refusals: Throttle,
    pub(super) router: axum::Router,
    pub(super) handshake_timeout: Duration,
    pub(super) first_byte_timeout: Duration,
    pub(super) tracer: Tracer,
    pub(super) drain: Drain,
}

/// Who sends the requests of a connection.
#[derive(Clone)]
struct Sender {
    info: ConnectionInfo,
    peer: Option<Peer>,
}

/// Why a client is not served.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the TLS handshake took too long")]
    Slow,
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("the peer's certificate names nobody: it has no common name")]
    Nameless,
}

// === impl Server ===

impl Server {
    /// Serves one connection to its end. Errors are the peer's affair and logged for debugging only.
    pub(super) async fn connection(self: Arc<Self>, stream: TcpStream, remote: SocketAddr) {
        if let Err(error) = self.try_connection(stream, remote).await {
            tracing::debug!(%remote, error, "connection ended early");
        }
    }

    async fn try_connection(
        self: &Arc<Self>,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        stream.set_nodelay(true)?;
        let info = ConnectionInfo { remote, local: stream.local_addr()?, tls: self.tls.is_some() };
        let Some(acceptor) = &self.tls else {
            return self.requests(stream, Sender { info, peer: None }).await;
        };
        // Draining: nobody waits for a client that has not even said who it is.
        let shaken = tokio::select! {
            shaken = self.shake_hands(acceptor, stream) => shaken,
            () = self.drain.signaled() => return Ok(()),
        };
        let (stream, peer) = shaken.inspect_err(|refusal| self.tell(refusal, remote))?;
        self.requests(stream, Sender { info, peer }).await
    }

    /// Learns who a client is.
    async fn shake_hands(
        &self,
        tls: &ServerTls,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<Peer>), Refusal> {
        let handshake = tokio::time::timeout(self.handshake_timeout, tls.accept(stream));
        let stream = handshake.await.map_err(|_| Refusal::Slow)??;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
        let peer = certificate.map(|it| Peer::from_certificate(it).ok_or(Refusal::Nameless)).transpose()?;
        Ok((stream, peer))
    }

    /// A client with a wrong certificate does not know what is wrong with it as well as we do. Whoever does not even
    /// speak TLS is a stranger, and nobody's concern.
    fn tell(&self, refusal: &Refusal, remote: SocketAddr) {
        if matches!(refusal, Refusal::Slow | Refusal::Handshake(HandshakeError::Io(_))) {
            return;
        }
        if let Some(held_back) = self.refusals.admit(Instant::now()) {
            tracing::warn!(%remote, more_since_the_last = held_back, "refused a client: {refusal}");
        }
    }

    async fn requests<I>(
        self: &Arc<Self>,
        stream: I,
        sender: Sender,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(first_byte_within(self.first_byte_timeout, stream));
        let server = self.clone();
        let service = service_fn(move |request| server.clone().request(request, sender.clone()));
        let mut connection = std::pin::pin!(self.http.serve_connection_with_upgrades(io, service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.drain.signaled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn request(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        sender: Sender,
    ) -> Result<Response<Body>, Infallible> {
        let extensions = request.extensions_mut();
        extensions.insert(sender.info);
        if let Some(peer) = sender.peer {
            extensions.insert(peer);
        }
        let context = trace::extract(request.headers());
        let span = rpc::server(&self.tracer, context, &request);
        let response = self.router.clone().oneshot(request.map(Body::new));
        let response = AssertUnwindSafe(span.instrument(response)).catch_unwind();
        // The panic hook has already written where; the client learns only that it was our fault.
        self.tracer.scope(context, response).await.unwrap_or_else(|_| Ok(internal_error()))
    }
}

fn internal_error() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
