//! What a cluster in one process is told.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use keelson_service_proxy::Mode;

/// What a cluster in one process is told.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// What keeps the state.
    pub store: StoreChoice,
    /// What runs containers.
    pub runtime: RuntimeKind,
    /// Docker's address; None for its usual one.
    pub docker_host: Option<String>,
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

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RuntimeKind {
    /// Docker.
    Docker,
    /// Nothing does: containers are only played, for scale and for tests.
    Hollow,
}

/// What keeps the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// The embedded store, below the data directory.
    Embedded,
    /// etcd, at these `host:port`s.
    Etcd(Vec<String>),
}

// === impl ClusterConfig ===

impl ClusterConfig {
    /// One hollow node on ports of the system's choice: what tests begin with.
    pub fn hollow(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            store: StoreChoice::Embedded,
            runtime: RuntimeKind::Hollow,
            docker_host: None,
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

// === impl StoreChoice ===

impl FromStr for StoreChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let Some(hosts) = text.strip_prefix("etcd://") else {
            return Err(
                "give `embedded`, or `etcd://host:port` with commas between several members".to_owned()
            );
        };
        let hosts: Vec<String> = hosts.split(',').map(|host| host.trim().to_owned()).collect();
        match hosts
            .iter()
            .all(|host| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()))
        {
            true => Ok(Self::Etcd(hosts)),
            false => Err(format!(
                "{text:?} names a member without a port; write for instance etcd://127.0.0.1:2379"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_in_one_word() {
        for (text, store) in [
            ("embedded", Some(StoreChoice::Embedded)),
            ("etcd://127.0.0.1:2379", Some(StoreChoice::Etcd(vec!["127.0.0.1:2379".into()]))),
            ("etcd://a:1,b:2", Some(StoreChoice::Etcd(vec!["a:1".into(), "b:2".into()]))),
            ("etcd://a", None),
            ("etcd://", None),
            ("redis://a:1", None),
        ] {
            assert_eq!(text.parse().ok(), store, "{text}");
        }
    }
}
