//! A served port with clients; the tests are in the modules.

mod identity;
mod lifetime;
mod requests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode, Version};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;

use super::*;
use crate::admin::Health;
use crate::tls::{ALPN_ANY_HTTP, ClientAuth, Identity, LiveIdentity, Peer, Pki, San, Subject, Usage};
use crate::trace::{self, SpanRecord, SpanSink, TraceContext};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A served port and the identities of both sides.
struct Fixture {
    address: SocketAddr,
    drain: Drain,
    served: JoinHandle<()>,
    admin: Identity,
    stranger: Identity,
    _dirs: [tempfile::TempDir; 2],
}

// === impl Fixture ===

impl Fixture {
    /// Serves `router` with TLS if `client_auth` is given.
    async fn new(client_auth: Option<ClientAuth>, router: Router, options: Options) -> Self {
        Self::with_drain(Drain::new(), client_auth, router, options).await
    }

    async fn with_drain(
        drain: Drain,
        client_auth: Option<ClientAuth>,
        router: Router,
        options: Options,
    ) -> Self {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let pki = Pki::open_or_create(dirs[0].path(), &[San::Ip(LOCALHOST.ip())]).unwrap();
        let mk_admin = |pki: &Pki| {
            let subject = Subject::in_organization("admin", "system:masters");
            pki.issue("admin", subject, Usage::Client, &[], DAY).unwrap()
        };
        let admin = mk_admin(&pki);
        let foreign = mk_admin(&Pki::open_or_create(dirs[1].path(), &[]).unwrap());
        // Knows our authority, but is not known to it.
        let stranger = Identity { ca_pem: admin.ca_pem.clone(), ..foreign };
        let server = pki.issue("server", Subject::new("server"), Usage::Server, &[], DAY).unwrap();
        let server = LiveIdentity::from(server);
        let tls = client_auth.map(|auth| server.server_tls(auth, &ALPN_ANY_HTTP).unwrap());
        let listener = Listener::bind(LOCALHOST, "listen").await.unwrap();
        let address = listener.local_addr();
        let served = tokio::spawn(serve(listener, tls, router, drain.clone(), options));
        Self { address, drain, served, admin, stranger, _dirs: dirs }
    }

    async fn connect(
        &self,
        config: Arc<ClientConfig>,
        alpn: &[u8],
    ) -> Result<TlsStream<TcpStream>, BoxError> {
        connect(self.address, config, alpn).await
    }

    /// `GET path` over TLS by HTTP/1.1 on a connection of its own.
    async fn get(&self, config: Arc<ClientConfig>, path: &str) -> Result<(StatusCode, String), BoxError> {
        get_over(self.connect(config, b"http/1.1").await?, path).await
    }
}

async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    alpn: &[u8],
) -> Result<TlsStream<TcpStream>, BoxError> {
    let mut config = (*config).clone();
    config.alpn_protocols = vec![alpn.to_vec()];
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    Ok(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
}

async fn get_over<I>(io: I, path: &str) -> Result<(StatusCode, String), BoxError>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "x").body(axum::body::Body::empty())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body: Bytes = axum::body::to_bytes(axum::body::Body::new(response.into_body()), 1 << 20).await?;
    Ok((status, String::from_utf8(body.to_vec())?))
}

/// A gRPC channel over our own TLS, as `base/client` makes it.
fn channel(address: SocketAddr, config: Arc<ClientConfig>) -> Channel {
    Endpoint::from_static("http://server").connect_with_connector_lazy(service_fn(move |_: Uri| {
        let config = config.clone();
        async move { connect(address, config, b"h2").await.map(TokioIo::new) }
    }))
}

async fn whoami(
    peer: Option<Extension<Peer>>,
    Extension(info): Extension<ConnectionInfo>,
    version: Version,
) -> String {
    let user = peer.map_or_else(
        || "nobody".to_owned(),
        |Extension(peer)| format!("{}/{}", peer.common_name, peer.organizations.join(",")),
    );
    format!("{user} tls={} local={} {version:?}", info.tls, info.local.port())
}

fn whoami_router() -> Router {
    Router::new().route("/whoami", get(whoami))
}
