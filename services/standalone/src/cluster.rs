//! A whole cluster in one process.
//!
//! The services are wired without sockets between them: a client's channel calls api's routes directly, with
//! the identity set by the connector. The gateway, the gRPC services and each kubelet listen besides, for
//! those outside.

mod config;
mod dialer;
mod identities;
mod node;
mod serving;
mod start;
mod stop;

pub use self::config::ClusterConfig;
pub use self::stop::StopMode;

use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use keelson_api::BuildError;
use keelson_api_store::Store;
use keelson_base_client::{Channel, Client};
use keelson_base_daemon::admin::Health;
use keelson_base_daemon::reflection::ReflectionError;
use keelson_base_daemon::serve::BindError;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::{Identity, Peer, TlsError};
use keelson_base_daemon::trace::{EndpointError, Tracer, Tracing};
use keelson_base_model::key::ObjectKey;
use keelson_kubelet_docker::{Docker, DockerError};
use keelson_service_proxy::ServiceProxy;
use keelson_service_proxy::table::Table;

use self::node::Node;
use crate::data_dir::{DataDir, DataDirError};
use crate::runtime::EngineError;
use crate::store::OpenError;
use crate::who::Who;

/// A cluster, running.
pub struct Cluster {
    data: DataDir,
    tasks: Tasks,
    health: Health,
    store: Arc<dyn Store>,
    api: axum::Router,
    gateway_router: axum::Router,
    gateway: Vec<SocketAddr>,
    host: Option<IpAddr>,
    grpc: SocketAddr,
    admin: Identity,
    nodes: Vec<Node>,
    proxy: Option<ServiceProxy>,
    docker: Option<Docker>,
    tracing: Tracing,
}

/// A cluster that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The certificates cannot be made or read.
    #[error("cannot set up the certificates")]
    Tls(#[from] TlsError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The collector of spans is named wrongly.
    #[error(transparent)]
    Trace(#[from] EndpointError),
    /// A port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The registries cannot start.
    #[error(transparent)]
    Api(#[from] BuildError),
    /// Docker cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Docker answers, and then does not.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// The descriptors of the messages are damaged.
    #[error(transparent)]
    Reflection(#[from] ReflectionError),
    /// A service cannot start.
    #[error("cannot start the {service}")]
    Service {
        /// Which one.
        service: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

// === impl Cluster ===

impl Cluster {
    /// A client with all rights, in this process.
    pub fn client(&self) -> Client {
        client(&self.api, Who::ADMIN.peer(), self.tracing.tracer("api"))
    }

    /// The REST face, to be called in this process; requests need a `Peer` among their extensions.
    pub fn gateway_router(&self) -> axum::Router {
        self.gateway_router.clone()
    }

    /// Where the gateway listens: first the address for this machine.
    pub fn gateway(&self) -> &[SocketAddr] {
        &self.gateway
    }

    /// An address of this host that its pods reach, if there is one: on their bridge.
    pub fn host(&self) -> Option<IpAddr> {
        self.host
    }

    /// Where the gRPC services listen.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The kubelets' names and where they listen.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.nodes.iter().map(|node| (node.name(), node.address()))
    }

    /// The administrator's certificate and key.
    pub fn admin(&self) -> &Identity {
        &self.admin
    }

    /// What the cluster keeps on this machine.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// The store itself.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The supervisor of all tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Whether everything still works.
    pub fn is_ready(&self) -> bool {
        self.health.is_ready()
    }

    /// Waits until the rules in force lead a service to at least so many backends; for ever if no proxy runs.
    pub async fn served(&self, service: &ObjectKey, backends: usize) {
        let Some(proxy) = &self.proxy else { return std::future::pending().await };
        let led = |table: &Table| table.ports_of(service).any(|port| port.backends.len() >= backends);
        // The table ends with the proxy; nothing is served then.
        if proxy.table().wait_for(led).await.is_err() {
            std::future::pending().await
        }
    }

    /// How services are made to answer: "nftables", "iptables" or "userspace"; None if no proxy runs.
    pub fn proxy_mode(&self) -> Option<String> {
        self.proxy.as_ref().map(|proxy| proxy.mode().to_string())
    }
}

/// A client of api in this process, whose spans go to `tracer`.
fn client(api: &axum::Router, peer: Peer, tracer: Tracer) -> Client {
    Client::new(Channel::in_process(tonic::service::Routes::from(api.clone()), peer, tracer))
}

fn service<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    service: &'static str,
) -> impl Fn(E) -> StartError {
    move |source| StartError::Service { service, source: source.into() }
}

/// The IPv4 addresses among these.
fn v4(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddrV4> {
    let v4 = |address: SocketAddr| match (address.ip(), address.port()) {
        (IpAddr::V4(ip), port) => Some(SocketAddrV4::new(ip, port)),
        _ => None,
    };
    addresses.into_iter().filter_map(v4).collect()
}

#[cfg(test)]
mod tests;
