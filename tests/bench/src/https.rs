//! HTTPS with a client certificate: HTTP/1.1, or HTTP/2, on connections that are kept.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::load::Client;
use crate::pod;

/// A server and how to reach it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Https {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

/// One connection; requests follow one another on it.
#[derive(Debug)]
pub(crate) struct Connection {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

/// One HTTP/2 connection: requests run beside one another on it.
#[derive(Debug)]
pub(crate) struct Multiplexed {
    host: String,
    sender: http2::SendRequest<Full<Bytes>>,
}

/// A client that creates one pod after another.
#[derive(Debug)]
pub(crate) struct Creates {
    connection: Connection,
    group: String,
}

// === impl Https ===

impl Https {
    pub(crate) fn new(address: SocketAddr, config: Arc<ClientConfig>) -> Self {
        Self { address, config }
    }

    /// A TLS connection, its handshake done.
    pub(crate) async fn tls(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        self.handshake(Arc::clone(&self.config)).await
    }

    /// A new HTTP/2 connection.
    pub(crate) async fn multiplexed(&self) -> anyhow::Result<Multiplexed> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TokioIo::new(self.handshake(Arc::new(config)).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        // It ends with the sender; its errors reach whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Multiplexed { host: self.address.to_string(), sender })
    }

    async fn handshake(&self, config: Arc<ClientConfig>) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(config);
        let name = ServerName::from(self.address.ip());
        connector.connect(name, stream).await.with_context(|| format!("no TLS with {}", self.address))
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.tls().await?)).await?;
        // It ends with the sender; its errors reach whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Connection { host: self.address.to_string(), sender })
    }

    /// Clients that create pods of this group, each on its own connection, which is warm.
    pub(crate) async fn creates(&self, clients: usize, group: &str) -> anyhow::Result<Vec<Creates>> {
        let mut all = Vec::with_capacity(clients);
        for _ in 0..clients {
            let mut connection = self.connect().await?;
            connection.get("/version", "application/json").await?;
            all.push(Creates { connection, group: group.to_owned() });
        }
        Ok(all)
    }
}

// === impl Connection ===

impl Connection {
    /// A new connection without TLS.
    pub(crate) async fn plain(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { host: address.to_string(), sender })
    }

    /// Reads a path to its end.
    pub(crate) async fn get(&mut self, path: &str, accept: &str) -> anyhow::Result<Bytes> {
        Ok(self.open(path, accept).await?.into_body().collect().await?.to_bytes())
    }

    /// Begins to read a path.
    pub(crate) async fn open(&mut self, path: &str, accept: &str) -> anyhow::Result<Response<Incoming>> {
        let request = Request::get(path).header(HOST, &self.host).header(ACCEPT, accept);
        self.send(request.body(Full::default())?).await
    }

    /// Posts JSON; answers with the answer's body.
    pub(crate) async fn post(&mut self, path: &str, json: Bytes) -> anyhow::Result<Bytes> {
        let request = Request::post(path).header(HOST, &self.host).header(CONTENT_TYPE, "application/json");
        let response = self.send(request.body(Full::new(json))?).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let asked = format!("{} {}", request.method(), request.uri());
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        if !status.is_success() {
            let body = response.into_body().collect().await?.to_bytes();
            bail!("{asked} was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(response)
    }
}

// === impl Multiplexed ===

impl Multiplexed {
    /// Begins to read a path.
    pub(crate) async fn open(&self, path: &str, accept: &str) -> anyhow::Result<Response<Incoming>> {
        let request = Request::get(format!("https://{}{path}", self.host)).header(ACCEPT, accept);
        let mut sender = self.sender.clone();
        sender.ready().await?;
        let response = sender.send_request(request.body(Full::default())?).await?;
        let status = response.status();
        if !status.is_success() {
            let body = response.into_body().collect().await?.to_bytes();
            bail!("GET {path} was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(response)
    }
}

// === impl Creates ===

impl Client for Creates {
    async fn step(&mut self, number: u64) -> anyhow::Result<()> {
        let body = pod::unscheduled(&self.group, &format!("{}-{number}", self.group));
        self.connection.post(pod::PODS, body).await.map(drop)
    }
}
