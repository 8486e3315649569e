//! Conversations over real connections, before an api that follows a script.

mod container;
mod forward;
mod proxy;
mod vanishing;
mod watch;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::status::to_grpc;
use keelson_base_client::{ApiError, Channel, Client};
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::serve::{Listener, Options, serve};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::Tracer;
use keelson_proto::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tonic::{Request, Response, Status, Streaming};

use crate::stream::spdy::client::Client as SpdyClient;
use crate::{Config, Gateway};

type Answers = BoxStream<'static, Result<Bytes, Status>>;

/// What api answers to a call: a function of its path and requests.
type Script = fn(String, Streaming<Bytes>) -> BoxFuture<'static, Result<Answers, ApiError>>;

/// A gateway on a port.
struct Harness {
    address: SocketAddr,
    tasks: Tasks,
    /// Calls of api that are under way.
    calls: Arc<AtomicUsize>,
}

/// Counts a call while it lives.
struct Call(Arc<AtomicUsize>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.tasks.shutdown();
    }
}

impl Harness {
    async fn start(script: Script) -> Self {
        Self::start_with(|_| {}, script).await
    }

    async fn start_with(change: impl FnOnce(&mut Config), script: Script) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let call = Call(counted.clone());
            async move {
                let path = request.uri().path().to_owned();
                let answer = tower::service_fn(move |request: Request<Streaming<Bytes>>| {
                    let answers = script(path.clone(), request.into_inner());
                    async move { answers.await.map(Response::new).map_err(to_grpc) }
                });
                let answer = tonic::server::Grpc::new(BytesCodec).streaming(answer, request).await;
                let answer =
                    answer.map(|body| keelson_base_daemon::serve::hold(axum::body::Body::new(body), call));
                Ok::<_, Infallible>(answer)
            }
        });
        let peer = Peer { common_name: "keelson:gateway".into(), organizations: vec![] };
        let client = Client::new(Channel::in_process(service, peer, Tracer::off()));
        let tasks = Tasks::new();
        let mut config = Config::new(tasks.clone(), Health::new(tasks.drain()), &Metrics::new());
        change(&mut config);
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), "port").await.unwrap();
        let address = listener.local_addr();
        let router = Gateway::build(config, client.clone(), client);
        tasks.spawn_critical("gateway", serve(listener, None, router, tasks.drain(), Options::default()));
        Self { address, tasks, calls }
    }

    /// Asks for a change of protocol; the answer's head, and the connection.
    async fn ask(&self, line: &str, headers: &str) -> (String, TcpStream) {
        let mut io = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n");
        io.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(io.read_u8().await.unwrap());
        }
        (String::from_utf8(head).unwrap(), io)
    }

    /// A connection that has changed to SPDY.
    async fn spdy(&self, path: &str, protocol: &str) -> SpdyClient<TcpStream> {
        let headers = format!(
            "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\nX-Stream-Protocol-Version: {protocol}\r\n"
        );
        let (head, io) = self.ask(&format!("POST {path}"), &headers).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.to_lowercase().contains(&format!("x-stream-protocol-version: {protocol}")), "{head}");
        SpdyClient::new(io)
    }

    /// A connection that has changed to WebSocket.
    async fn websocket(&self, path: &str, protocol: &str) -> WebSocketStream<TcpStream> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        if !protocol.is_empty() {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        let io = TcpStream::connect(self.address).await.unwrap();
        let (socket, response) = tokio_tungstenite::client_async(request, io).await.unwrap();
        let agreed = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
        assert_eq!(agreed.unwrap_or_default(), protocol);
        socket
    }

    /// Waits until no call of api is under way.
    async fn until_idle(&self) {
        let idle = async {
            while self.calls.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), idle).await.expect("the calls end");
    }
}

/// The next message of a call; None at its end.
async fn next<Q: Message + Default>(requests: &mut Streaming<Bytes>) -> Option<Q> {
    let message = requests.message().await.ok()??;
    Some(Q::decode(message).unwrap())
}
