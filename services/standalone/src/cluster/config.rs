//! What a cluster in one process is told.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use keelson_base_daemon::flags::TraceFlags;
use keelson_service_proxy::Mode;

use crate::runtime::{RuntimeFlags, RuntimeKind};
use crate::store::{StoreChoice, StoreFlags};

/// What a cluster in one process is told.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Whether and where the cluster is traced.
    pub trace: TraceFlags,
    /// What keeps the state.
    pub store: StoreFlags,
    /// What runs containers.
    pub runtime: RuntimeFlags,
    /// Manifests of static pods, for the first node.
    pub pod_manifest_path: Option<PathBuf>,
    /// The nodes' names: one kubelet each.
    pub node_names: Vec<String>,
    /// Address that the gateway and the gRPC services listen on.
    pub bind_address: IpAddr,
    /// The gateway's port; 0 for any.
    pub gateway_port: u16,
    /// The gRPC services' port; 0 for any.
    pub grpc_port: u16,
    /// The first kubelet's port, the others follow; 0 for any.
    pub kubelet_port: u16,
    /// How services answer; None for no proxy.
    pub proxy: Option<Mode>,
    /// What api is told.
    pub api: keelson_api::Config,
    /// What the scheduler is told.
    pub scheduler: keelson_scheduler::Config,
    /// What the control loops are told.
    pub replication: keelson_replication::Config,
}

// === impl ClusterConfig ===

impl ClusterConfig {
    /// One hollow node on ports of the system's choice: what tests begin with.
    pub fn hollow(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            trace: TraceFlags::default(),
            store: StoreChoice::Embedded.into(),
            runtime: RuntimeFlags { runtime: RuntimeKind::Hollow, docker_host: None },
            pod_manifest_path: None,
            node_names: vec!["node-1".to_owned()],
            bind_address: Ipv4Addr::LOCALHOST.into(),
            gateway_port: 0,
            grpc_port: 0,
            kubelet_port: 0,
            proxy: None,
            api: keelson_api::Config::default(),
            scheduler: keelson_scheduler::Config::default(),
            replication: keelson_replication::Config::default(),
        }
    }
}
