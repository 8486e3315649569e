//! A service and its endpoints as service ports.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::{NonZeroU16, NonZeroU32};

use keelson_base_model::key::ObjectKey;
use keelson_proto::core::{EndpointSubset, Endpoints, Service, ServiceSpec};

use super::{PortId, Protocol, ServicePort};

/// How long a client stays with its backend unless the service says: three hours.
const AFFINITY_SECONDS: u32 = 10_800;

/// The ports of `service`, leading to its `endpoints`.
///
/// Without a virtual address there are none: headless services, `ExternalName`, and IPv6. Ports that are neither TCP nor
/// UDP are left out.
pub fn service_ports(service: &Service, endpoints: Option<&Endpoints>) -> Vec<ServicePort> {
    let spec = &service.spec;
    let Some(cluster_ip) = virtual_address(spec) else {
        return Vec::new();
    };
    let port = |port: &keelson_proto::core::ServicePort| {
        let protocol = protocol(&port.protocol)?;
        Some(ServicePort {
            id: PortId {
                service: ObjectKey::of(&service.metadata),
                port: u16::try_from(port.port).ok().filter(|port| *port != 0)?,
                protocol,
            },
            port_name: port.name.clone(),
            cluster_ip,
            node_port: u16::try_from(port.node_port).ok().and_then(NonZeroU16::new),
            affinity: affinity(spec),
            backends: backends(endpoints, &port.name, protocol),
        })
    };
    spec.ports.iter().filter_map(port).collect()
}

/// The cluster address; `None` for "", "None", a name elsewhere, and IPv6.
fn virtual_address(spec: &ServiceSpec) -> Option<Ipv4Addr> {
    if spec.r#type == "ExternalName" {
        return None;
    }
    spec.cluster_ip.parse().ok()
}

/// No name is TCP, as the API's default.
fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "" | "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        _ => None,
    }
}

fn affinity(spec: &ServiceSpec) -> Option<NonZeroU32> {
    if spec.session_affinity != "ClientIP" {
        return None;
    }
    let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    let seconds =
        config.and_then(|client| client.timeout_seconds).and_then(|seconds| u32::try_from(seconds).ok());
    NonZeroU32::new(seconds.unwrap_or(AFFINITY_SECONDS)).or(NonZeroU32::new(AFFINITY_SECONDS))
}

/// The ready addresses that have a port of this name and protocol.
fn backends(endpoints: Option<&Endpoints>, name: &str, wanted: Protocol) -> Vec<SocketAddrV4> {
    let subsets = endpoints.map_or(&[][..], |endpoints| &endpoints.subsets);
    let mut backends: Vec<_> = subsets.iter().flat_map(|subset| of_subset(subset, name, wanted)).collect();
    backends.sort_unstable();
    backends.dedup();
    backends
}

fn of_subset<'a>(
    subset: &'a EndpointSubset,
    name: &'a str,
    wanted: Protocol,
) -> impl Iterator<Item = SocketAddrV4> + 'a {
    let named =
        subset.ports.iter().filter(move |port| port.name == name && protocol(&port.protocol) == Some(wanted));
    let ports = named.filter_map(|port| u16::try_from(port.port).ok().filter(|port| *port != 0));
    ports.flat_map(|port| {
        let addresses = subset.addresses.iter().filter_map(|address| address.ip.parse().ok());
        addresses.map(move |address| SocketAddrV4::new(address, port))
    })
}
