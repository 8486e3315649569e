//! What endpoints and their slices tell of a pod.

use std::sync::Arc;

use keelson_base_client::reference;
use keelson_base_model::endpoints::repack;
use keelson_base_model::endpointslice::address_type;
use keelson_base_model::{container, meta, pod, service};
use keelson_proto::core::{
    EndpointAddress, EndpointPort, EndpointSubset, ObjectReference, Pod, Service, ServicePort,
};
use keelson_proto::discovery::{Endpoint, EndpointConditions};

use super::mirror;
use super::slices::Wanted;

/// The subsets of a service with these pods, in their one canonical form.
///
/// A pod that has no port of the name that the service asks for is left out of that port's addresses.
pub(super) fn subsets<'a>(
    service: &Service,
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
) -> Vec<EndpointSubset> {
    let mut subsets = Vec::new();
    for pod in pods.into_iter().filter(|pod| is_listed(pod)) {
        let ready = service.spec.publish_not_ready_addresses || pod::is_ready(pod);
        let address = address(service, pod);
        if service.spec.ports.is_empty() && service::is_headless(service) {
            subsets.push(subset(address, ready, None));
            continue;
        }
        let ports = service.spec.ports.iter().filter_map(|port| endpoint_port(port, pod));
        subsets.extend(ports.map(|port| subset(address.clone(), ready, Some(port))));
    }
    repack(subsets)
}

/// What the slices of a service with these pods should say: the same as its endpoints, and of pods that are being
/// deleted as well, until they have ended.
///
/// A pod that has no port of the name that the service asks for is told of without that port.
pub(super) fn sliced<'a>(service: &Service, pods: impl IntoIterator<Item = &'a Arc<Pod>>) -> Wanted {
    let families = families(service);
    let mut wanted = Wanted::of_types(families.clone());
    for pod in pods.into_iter().filter(|pod| is_told(pod)) {
        let ports = service.spec.ports.iter().filter_map(|port| endpoint_port(port, pod));
        let ports: Vec<_> = ports.map(|port| mirror::port(&port)).collect();
        for family in &families {
            if let Some(ip) = ip_of(pod, family) {
                wanted.add(family, &ports, endpoint(service, pod, ip));
            }
        }
    }
    wanted
}

/// The types of a service's addresses.
fn families(service: &Service) -> Vec<String> {
    match service.spec.ip_families.as_slice() {
        [] if service.spec.cluster_ip.contains(':') => vec![address_type::IPV6.to_owned()],
        [] => vec![address_type::IPV4.to_owned()],
        given => given.to_vec(),
    }
}

fn ip_of(pod: &Pod, family: &str) -> Option<String> {
    let all = std::iter::once(&pod.status.pod_ip).chain(pod.status.pod_ips.iter().map(|one| &one.ip));
    all.into_iter().find(|ip| !ip.is_empty() && ip.contains(':') == (family == address_type::IPV6)).cloned()
}

fn endpoint(service: &Service, pod: &Pod, ip: String) -> Endpoint {
    let EndpointAddress { hostname, node_name, target_ref, .. } = address(service, pod);
    let (serving, terminating) = (pod::is_ready(pod), meta::is_deleting(&pod.metadata));
    Endpoint {
        addresses: vec![ip],
        conditions: EndpointConditions {
            ready: Some(service.spec.publish_not_ready_addresses || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        },
        hostname: (!hostname.is_empty()).then_some(hostname),
        target_ref,
        node_name,
        ..Endpoint::default()
    }
}

/// How many addresses there are in all.
pub(super) fn addresses(subsets: &[EndpointSubset]) -> usize {
    let of = |subset: &EndpointSubset| subset.addresses.len() + subset.not_ready_addresses.len();
    subsets.iter().map(of).sum()
}

/// Whether endpoints tell something else of a pod than before.
pub(super) fn differs(old: &Pod, new: &Pod) -> bool {
    let same_labels = old.metadata.labels == new.metadata.labels;
    match (is_told(old), is_told(new)) {
        (false, false) => false,
        (true, true) => !same_labels || told(old) != told(new),
        _ => true,
    }
}

/// All that endpoints tell of a pod, but for its ports, which never change.
fn told(pod: &Pod) -> (&str, &str, bool, bool, &str, &str, &str) {
    (
        &pod.metadata.uid,
        &pod.status.pod_ip,
        pod::is_ready(pod),
        meta::is_deleting(&pod.metadata),
        &pod.spec.node_name,
        &pod.spec.hostname,
        &pod.spec.subdomain,
    )
}

/// Whether there is something to tell of a pod: it has an address, and has not ended.
fn is_told(pod: &Pod) -> bool {
    !pod.status.pod_ip.is_empty() && !pod::is_terminal(pod)
}

/// Whether a pod can be reached, now or soon, and goes on to: endpoints know nothing of pods that end.
fn is_listed(pod: &Pod) -> bool {
    is_told(pod) && !meta::is_deleting(&pod.metadata)
}

fn address(service: &Service, pod: &Pod) -> EndpointAddress {
    let named = pod.spec.subdomain == service.metadata.name && !pod.spec.hostname.is_empty();
    let target = ObjectReference {
        // They would change with each status, and with them the endpoints.
        resource_version: String::new(),
        api_version: String::new(),
        ..reference(pod)
    };
    EndpointAddress {
        ip: pod.status.pod_ip.clone(),
        hostname: if named { pod.spec.hostname.clone() } else { String::new() },
        node_name: (!pod.spec.node_name.is_empty()).then(|| pod.spec.node_name.clone()),
        target_ref: Some(target),
    }
}

fn endpoint_port(port: &ServicePort, pod: &Pod) -> Option<EndpointPort> {
    Some(EndpointPort {
        name: port.name.clone(),
        port: target_port(port, pod)?,
        protocol: protocol(&port.protocol).to_owned(),
        app_protocol: port.app_protocol.clone(),
    })
}

/// The pod's port that is meant; none if it has none of that name and protocol.
fn target_port(port: &ServicePort, pod: &Pod) -> Option<i32> {
    let Some(name) = port.target_port.as_str() else {
        let number = port.target_port.as_int().filter(|number| *number != 0);
        return Some(number.unwrap_or(port.port));
    };
    let sidecars = pod.spec.init_containers.iter().filter(|one| container::is_sidecar(one));
    let mut ports = pod.spec.containers.iter().chain(sidecars).flat_map(|one| &one.ports);
    let found =
        ports.find(|found| found.name == name && protocol(&found.protocol) == protocol(&port.protocol));
    found.map(|found| found.container_port)
}

fn protocol(given: &str) -> &str {
    if given.is_empty() { "TCP" } else { given }
}

fn subset(address: EndpointAddress, ready: bool, port: Option<EndpointPort>) -> EndpointSubset {
    let mut subset = EndpointSubset { ports: port.into_iter().collect(), ..EndpointSubset::default() };
    if ready {
        subset.addresses.push(address);
    } else {
        subset.not_ready_addresses.push(address);
    }
    subset
}

#[cfg(test)]
mod tests;
