//! api's way to the kubelets of other processes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use keelson_api::KubeletDialer;
use keelson_base_client::{ApiError, Channel, Endpoints};
use keelson_base_daemon::tls::LiveIdentity;
use keelson_proto::core::Node;

/// The kubelets as their nodes announce them. A kubelet must show a certificate with its node's name.
pub(crate) struct RemoteKubelets {
    identity: LiveIdentity,
    /// By node: where its kubelet was last dialed, and the channel.
    channels: Mutex<HashMap<String, (SocketAddr, Channel)>>,
}

// === impl RemoteKubelets ===

impl RemoteKubelets {
    /// Kubelets that are dialed as `identity`.
    pub(crate) fn new(identity: LiveIdentity) -> Self {
        Self { identity, channels: Mutex::default() }
    }

    fn connect(&self, node: &str, address: SocketAddr) -> Result<Channel, ApiError> {
        let endpoints = Endpoints {
            addresses: vec![address.to_string()],
            identity: Some(self.identity.clone()),
            server_name: Some(node.to_owned()),
        };
        Channel::connect(&endpoints)
            .map_err(|error| ApiError::internal(format!("cannot dial the kubelet of node {node}: {error}")))
    }
}

impl KubeletDialer for RemoteKubelets {
    fn dial(&self, node: &Node) -> Result<Channel, ApiError> {
        let name = &node.metadata.name;
        let address = address(node).ok_or_else(|| {
            let why = format!("node {name} does not say where its kubelet listens; is its kubelet running?");
            ApiError::service_unavailable(why)
        })?;
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((dialed, channel)) = channels.get(name)
            && *dialed == address
        {
            return Ok(channel.clone());
        }
        let channel = self.connect(name, address)?;
        channels.insert(name.clone(), (address, channel.clone()));
        Ok(channel)
    }
}

/// Where a node's kubelet listens: its first internal address, and the port that the kubelet announces.
fn address(node: &Node) -> Option<SocketAddr> {
    let internal = node.status.addresses.iter().filter(|address| address.r#type == "InternalIP");
    let ip: IpAddr = internal.filter_map(|address| address.address.parse().ok()).next()?;
    let port = u16::try_from(node.status.daemon_endpoints.kubelet_endpoint.port).ok()?;
    (port != 0).then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keelson_base_daemon::tls::{Pki, Usage};
    use keelson_proto::core::NodeAddress;

    use super::*;
    use crate::who::Who;

    fn node(addresses: &[(&str, &str)], port: i32) -> Node {
        let mut node = Node::default();
        node.metadata.name = "node-1".to_owned();
        let addresses = addresses.iter().map(|(kind, address)| NodeAddress {
            r#type: (*kind).to_owned(),
            address: (*address).to_owned(),
        });
        node.status.addresses = addresses.collect();
        node.status.daemon_endpoints.kubelet_endpoint.port = port;
        node
    }

    #[test]
    fn a_kubelet_listens_at_its_nodes_first_internal_address() {
        type Addresses = [(&'static str, &'static str)];
        let table: [(&Addresses, i32, Option<&str>); 6] = [
            (&[("Hostname", "n"), ("InternalIP", "10.0.0.7")], 10250, Some("10.0.0.7:10250")),
            (&[("InternalIP", "fd00::7"), ("InternalIP", "10.0.0.7")], 1, Some("[fd00::7]:1")),
            (&[("ExternalIP", "192.0.2.1")], 10250, None),
            (&[("InternalIP", "nonsense")], 10250, None),
            (&[("InternalIP", "10.0.0.7")], 0, None),
            (&[("InternalIP", "10.0.0.7")], 70000, None),
        ];
        for (addresses, port, expected) in table {
            let found = address(&node(addresses, port)).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{addresses:?} {port}");
        }
    }

    #[tokio::test]
    async fn a_channel_is_kept_until_the_address_changes() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let identity = pki.issue("api", Who::API.subject(), Usage::Both, &[], day).unwrap();
        let kubelets = RemoteKubelets::new(identity.into());
        let dialed = || kubelets.channels.lock().unwrap().get("node-1").map(|(address, _)| *address);
        kubelets.dial(&node(&[("InternalIP", "10.0.0.7")], 1)).unwrap();
        assert_eq!(dialed(), Some("10.0.0.7:1".parse().unwrap()));
        kubelets.dial(&node(&[("InternalIP", "10.0.0.8")], 1)).unwrap();
        assert_eq!(dialed(), Some("10.0.0.8:1".parse().unwrap()));
        let error = kubelets.dial(&node(&[], 1)).unwrap_err();
        assert_eq!((error.code(), error.to_string().contains("node-1")), (503, true), "{error}");
    }
}
