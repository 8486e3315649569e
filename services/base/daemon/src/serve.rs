//! A port: bound early, then served until drained. HTTP/1.1 and HTTP/2, with or without TLS, REST and gRPC together.

mod connection;
mod first_byte;
mod hold;
mod listener;
mod throttle;

pub use self::connection::ConnectionInfo;
pub use self::hold::hold;
pub use self::listener::{BindError, Listener};

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Server;
use self::throttle::Throttle;
use crate::tasks::Drain;
use crate::tls::ServerTls;
use crate::trace::Tracer;

/// Largest header list a request may have, in bytes.
const MAX_HEADERS: u32 = 256 * 1024;

/// Largest HTTP/1.1 head; the header list and some more for the request line.
const MAX_HTTP1_HEAD: usize = 320 * 1024;

/// A peer that is silent for this long is asked whether it is there (HTTP/2 ping), and given as long again to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long an HTTP/1.1 connection may idle before a request and take for its head.
const HTTP1_HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// A client that is refused is told of in the log once in so long.
const REFUSALS: Duration = Duration::from_secs(10);

/// Limits of a port.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections at a time; further ones wait in the kernel's backlog.
    pub max_connections: usize,
    /// Requests and streams at a time on one HTTP/2 connection. Every watch is one.
    pub max_concurrent_streams: u32,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long an accepted connection may stay silent before its first byte.
    pub first_byte_timeout: Duration,
    /// How long requests in flight may go on once draining has begun; then their connections are cut.
    pub grace: Duration,
    /// Where the spans of gRPC calls go that bring a trace context, and of the work done for any request.
    pub tracer: Tracer,
}

/// The open connections of a port.
struct Connections {
    tracker: TaskTracker,
    /// Ends them without further ado.
    cut: CancellationToken,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 8192,
            max_concurrent_streams: 4096,
            handshake_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            tracer: Tracer::off(),
        }
    }
}

/// Serves `router` on `listener` until `drain`, then lets requests in flight finish within the grace.
///
/// Each request carries a [`ConnectionInfo`] and, if its client presented a certificate that `tls` verified, a
/// [`crate::tls::Peer`] among its extensions, and runs in the trace context it brought. gRPC services come as
/// `tonic::service::Routes::into_axum_router()`. Without `tls` the port is plain text (HTTP/2 by prior knowledge).
///
/// Spawn it as a critical task. When it is dropped, its connections are cut.
pub async fn serve(
    listener: Listener,
    tls: Option<ServerTls>,
    router: axum::Router,
    drain: Drain,
    options: Options,
) {
    let server = Arc::new(Server {
        http: http_builder(&options),
        tls,
        refusals: Throttle::new(REFUSALS),
        router,
        handshake_timeout: options.handshake_timeout,
        first_byte_timeout: options.first_byte_timeout,
        tracer: options.tracer,
        drain: drain.clone(),
    });
    let connections = Connections { tracker: TaskTracker::new(), cut: CancellationToken::new() };
    let _cut_on_drop = connections.cut.clone().drop_guard();
    tokio::select! {
        () = connections.accept_from(&listener, &server, options.max_connections) => {}
        () = drain.signaled() => {}
    }
    // Closes the port: whoever connects now is refused rather than left waiting.
    drop(listener);
    connections.tracker.close();
    if tokio::time::timeout(options.grace, connections.tracker.wait()).await.is_err() {
        let left = connections.tracker.len();
        tracing::warn!(connections = left, "cutting connections that did not finish in time");
    }
}

// === impl Connections ===

impl Connections {
    /// Accepts for ever, `max` connections at a time.
    async fn accept_from(&self, listener: &Listener, server: &Arc<Server>, max: usize) {
        let room = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        while let Ok(permit) = room.clone().acquire_owned().await {
            let (stream, remote) = listener.accept().await;
            let served = server.clone().connection(stream, remote);
            self.tracker.spawn(self.cut.clone().run_until_cancelled_owned(async move {
                served.await;
                drop(permit);
            }));
        }
    }
}

fn http_builder(options: &Options) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP1_HEAD_TIMEOUT)
        .max_buf_size(MAX_HTTP1_HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_header_list_size(MAX_HEADERS);
    http
}

#[cfg(test)]
mod tests;
