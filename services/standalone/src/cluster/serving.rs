//! The ports that others reach the cluster by.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use keelson_base_daemon::serve::{BindError, Listener};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::ClientAuth;
use keelson_base_daemon::trace::Tracing;
use keelson_kubelet_docker::Docker;

use crate::cluster::identities::Identities;
use crate::cluster::{ClusterConfig, StartError, v4};
use crate::port;
use crate::who::Who;

/// Bound ports, before they are served.
pub(super) struct Serving {
    /// The gateway: on the address for this machine, and on the pods' bridge.
    gateway: Vec<Listener>,
    /// This host's address on the pods' bridge.
    bridge: Option<IpAddr>,
    grpc: Listener,
    /// The kubelets, in the order of their nodes.
    kubelets: Vec<Listener>,
}

// === impl Serving ===

impl Serving {
    /// Binds the ports, so that they are known, and taken, before anything else happens.
    ///
    /// # Errors
    /// If a port cannot be had.
    pub(super) async fn bind(config: &ClusterConfig, docker: Option<&Docker>) -> Result<Self, StartError> {
        let first =
            Listener::bind(SocketAddr::new(config.bind_address, config.gateway_port), "gateway-port").await?;
        let port = first.local_addr().port();
        let mut gateway = vec![first];
        let bridge = match docker {
            Some(docker) => docker.bridge().await?.and_then(|bridge| addresses(|link| link == bridge).next()),
            None => None,
        };
        // Pods reach the gateway on their bridge; nobody else needs to.
        if let Some(address) = bridge.filter(|bridge| *bridge != config.bind_address)
            && !config.bind_address.is_unspecified()
        {
            gateway.push(Listener::bind(SocketAddr::new(address, port), "gateway-port").await?);
        }
        let grpc =
            Listener::bind(SocketAddr::new(config.bind_address, config.grpc_port), "grpc-port").await?;
        let mut kubelets = Vec::with_capacity(config.node_names.len());
        for index in 0..config.node_names.len() {
            kubelets.push(bind_kubelet(config, index).await?);
        }
        Ok(Self { gateway, bridge, grpc, kubelets })
    }

    /// The kubelets' ports, in the order of their nodes; none the second time.
    pub(super) fn take_kubelets(&mut self) -> Vec<Listener> {
        std::mem::take(&mut self.kubelets)
    }

    /// The hosts that the listeners are reached by.
    pub(super) fn hosts(&self) -> Vec<IpAddr> {
        let bound: Vec<IpAddr> = self.gateway.iter().map(|listener| listener.local_addr().ip()).collect();
        if bound.iter().any(IpAddr::is_unspecified) { addresses(|_| true).collect() } else { bound }
    }

    /// Where pods reach the gateway; nowhere if it listens on loopback only.
    pub(super) fn advertised(&self) -> Vec<SocketAddrV4> {
        let on_bridge = |mut address: SocketAddr| {
            if let Some(bridge) = self.bridge.filter(|_| address.ip().is_unspecified()) {
                address.set_ip(bridge);
            }
            address
        };
        let mut addresses = v4(self.gateway.iter().map(Listener::local_addr).map(on_bridge));
        addresses.retain(|address| !address.ip().is_loopback() && !address.ip().is_unspecified());
        addresses
    }

    /// The gateway's addresses, and that of the gRPC services.
    pub(super) fn addresses(&self) -> (Vec<SocketAddr>, SocketAddr) {
        (self.gateway.iter().map(Listener::local_addr).collect(), self.grpc.local_addr())
    }

    /// Serves.
    ///
    /// # Errors
    /// If the certificates cannot be used.
    pub(super) fn serve(
        self,
        gateway: axum::Router,
        grpc: axum::Router,
        identities: &Identities,
        tasks: &Tasks,
        tracing: &Tracing,
    ) -> Result<(), StartError> {
        let tasks = tasks.child("serve").traced(tracing.tracer("gateway"));
        let tls = port::tls(identities.server(Who::GATEWAY.identity)?, ClientAuth::Optional)?;
        for listener in self.gateway {
            port::serve(listener, Some(tls.clone()), gateway.clone(), &tasks, "gateway");
        }
        let tls = port::tls(identities.server(Who::API.identity)?, ClientAuth::Optional)?;
        let tasks = tasks.traced(tracing.tracer("api"));
        port::serve(self.grpc, Some(tls), grpc, &tasks, "grpc");
        Ok(())
    }
}

/// The IPv4 addresses that this host has on some of its links.
fn addresses(on: impl Fn(&str) -> bool) -> impl Iterator<Item = IpAddr> {
    let found = nix::ifaddrs::getifaddrs().into_iter().flatten();
    found
        .filter(move |found| on(&found.interface_name))
        .filter_map(|found| Some(found.address?.as_sockaddr_in()?.ip().into()))
}

async fn bind_kubelet(config: &ClusterConfig, index: usize) -> Result<Listener, BindError> {
    let port = match config.kubelet_port {
        0 => 0,
        first => first.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)),
    };
    Listener::bind(SocketAddr::new(config.bind_address, port), "kubelet-port").await
}
