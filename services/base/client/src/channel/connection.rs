//! One connection to one server.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use http::uri::Authority;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keelson_base_daemon::on_read::OnRead;
use keelson_base_daemon::tls::{self, ClientTls, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic::body::Body;

/// How long a connection may take to come about, until the server has said its first word.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A silent connection is asked for a sign of life (HTTP/2 ping) this often, and given up after `KEEP_ALIVE_TIMEOUT`
/// without one: so a quiet watch learns that its server is gone, and calls do that it is paused or cut off. A ping and
/// its answer are some 200 bytes on the wire, TCP's included; they are sent on idle connections too, for else the first
/// call after a pause would be the one to find out.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest headers and trailers accepted. hyper's own limit of 16 KiB would cut off errors with many causes.
const MAX_HEADERS: u32 = 256 << 10;

/// Flow-control windows: a list must not wait for a round trip every 64 KiB, which is HTTP/2's default.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// What calls are sent by. Clones share the connection.
pub(super) type Sender = SendRequest<Body>;

/// A configured server, which may be many: all addresses of its name.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `host:port`.
    pub(super) authority: Authority,
    /// The name that its certificate must have.
    pub(super) name: ServerName<'static>,
}

/// A connection whose server has answered.
pub(super) struct Connection {
    /// Sends calls.
    pub(super) sender: Sender,
    /// Runs it; ends when no more calls can be sent.
    pub(super) run: BoxFuture<'static, ()>,
}

/// Why a stream failed. hyper keeps that to itself.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<String>>>);

// === impl Target ===

impl Target {
    /// All its addresses, as they are now.
    pub(super) async fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let port = self.authority.port_u16().unwrap_or_default();
        // An IPv6 address comes in brackets.
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let found = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        match found {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(error)) => Err(format!("its address cannot be found: {error}")),
            Err(_) => Err(format!("its address was not found within {CONNECT_TIMEOUT:?}")),
        }
    }

    /// Connects to one of its addresses, and waits for the first word of the server: in TLS 1.3 that is how a client
    /// learns that its certificate was accepted, and a server that hangs says nothing.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        tls: Option<&ClientTls>,
    ) -> Result<Connection, String> {
        let connect = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            match tls {
                None => shake_hands(stream).await,
                Some(tls) => {
                    let stream = tls.connect(self.name.clone(), stream).await;
                    shake_hands(stream.map_err(|error| error.to_string())?).await
                }
            }
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect).await;
        connected.unwrap_or_else(|_| Err(format!("no answer within {CONNECT_TIMEOUT:?}")))
    }
}

async fn shake_hands<I>(io: I) -> Result<Connection, String>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (first, heard) = oneshot::channel();
    let failure = Failure::default();
    let (mut first, keeping) = (Some(first), failure.clone());
    let io = TokioIo::new(OnRead::new(io, move |_, read| {
        if matches!(read, Poll::Ready(Ok(1..)))
            && let Some(first) = first.take()
        {
            // Nobody waits any more if connecting took too long.
            let _ = first.send(());
        }
        read.map_ok(|_| ()).map_err(|error| keeping.keep(error))
    }));
    let handshake = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .max_header_list_size(MAX_HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(io);
    let (sender, connection) =
        handshake.await.map_err(|error| failure.text().unwrap_or_else(|| error.to_string()))?;
    let said = failure.clone();
    let mut run: BoxFuture<'static, ()> = Box::pin(async move {
        let error = connection.await.err().map(|error| error.to_string());
        if let Some(error) = failure.text().or(error) {
            tracing::debug!(error, "a connection ended");
        }
    });
    tokio::select! {
        Ok(()) = heard => Ok(Connection { sender, run }),
        () = &mut run => Err(said.text().unwrap_or_else(|| "the server closed the connection".to_owned())),
    }
}

// === impl Failure ===

impl Failure {
    /// Puts an error into words, for whoever asks and for those who get the error itself.
    fn keep(&self, error: io::Error) -> io::Error {
        let text = tls::explain(&error).unwrap_or_else(|| error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.clone());
        io::Error::new(error.kind(), text)
    }

    fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
