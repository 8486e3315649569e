//! Services: their defaults and rules, and the questions that allocators and proxies ask of them.

mod defaults;
mod ports;
mod update;
mod validate;

use std::borrow::Cow;
use std::collections::BTreeMap;

use keelson_proto::core::{Pod, Service, ServiceStatus};

pub use self::defaults::set_defaults;
pub use self::update::{prepare_status_update, prepare_update, validate_status_update, validate_update};
pub use self::validate::validate;
use crate::labels::Selector;
use crate::meta;

/// The `clusterIP` of a service that has no address.
pub const HEADLESS: &str = "None";

/// The values of a service's `type`.
pub mod kind {
    /// An address inside the cluster.
    pub const CLUSTER_IP: &str = "ClusterIP";
    /// That, and a port on every node.
    pub const NODE_PORT: &str = "NodePort";
    /// That, and an address from a cloud.
    pub const LOAD_BALANCER: &str = "LoadBalancer";
    /// Another name in DNS, and nothing else.
    pub const EXTERNAL_NAME: &str = "ExternalName";
}

/// The fields that services can be selected by.
pub const FIELDS: &[&str] = &["metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(service: &'a Service, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "spec.clusterIP" => Some(Cow::Borrowed(&service.spec.cluster_ip)),
        "spec.type" => Some(Cow::Borrowed(&service.spec.r#type)),
        _ => meta::fields(&service.metadata, field),
    }
}

/// What the server writes into a service that begins to exist: an empty status. Addresses and node ports are
/// allocated elsewhere.
pub fn prepare_create(service: &mut Service) {
    service.status = ServiceStatus::default();
}

/// Whether the service has no address on purpose: DNS answers with its pods instead.
pub fn is_headless(service: &Service) -> bool {
    service.spec.cluster_ip == HEADLESS
}

/// Whether the service has an address in the cluster.
pub fn has_cluster_ip(service: &Service) -> bool {
    !service.spec.cluster_ip.is_empty() && !is_headless(service)
}

/// Whether the service is to have an address in the cluster: one of its type has, unless it is headless.
pub fn needs_cluster_ip(service: &Service) -> bool {
    service.spec.r#type != kind::EXTERNAL_NAME && !is_headless(service)
}

/// Whether the ports of the service are to be ports of every node.
pub fn needs_node_ports(service: &Service) -> bool {
    match service.spec.r#type.as_str() {
        kind::NODE_PORT => true,
        kind::LOAD_BALANCER => service.spec.allocate_load_balancer_node_ports != Some(false),
        _ => false,
    }
}

/// Whether the service's endpoints are found by labels; without a selector somebody else writes them.
pub fn has_selector(service: &Service) -> bool {
    !service.spec.selector.is_empty()
}

/// The selector of the service's pods; none if it has none.
pub fn selector(service: &Service) -> Option<Selector> {
    has_selector(service).then(|| Selector::from_set(&service.spec.selector))
}

/// Whether the pod has the labels that the service selects. A service without a selector selects nothing.
pub fn selects(service: &Service, pod: &Pod) -> bool {
    selects_labels(service, &pod.metadata.labels) && service.metadata.namespace == pod.metadata.namespace
}

/// Whether these are labels that the service selects.
pub fn selects_labels(service: &Service, labels: &BTreeMap<String, String>) -> bool {
    meta::selects(&service.spec.selector, labels)
}

/// For how long a client stays with one pod, in seconds; none if each connection may go anywhere.
pub fn affinity_seconds(service: &Service) -> Option<u32> {
    if service.spec.session_affinity != "ClientIP" {
        return None;
    }
    let config = service.spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    let seconds = config.and_then(|client| client.timeout_seconds).unwrap_or(defaults::AFFINITY_SECONDS);
    u32::try_from(seconds).ok()
}

#[cfg(test)]
mod tests;
