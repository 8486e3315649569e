//! What a service's author may leave out.

use keelson_proto::core::{Service, ServiceSpec};

use super::kind;

/// Three hours: for how long a client stays with one pod, if it is to stay.
pub(super) const AFFINITY_SECONDS: i32 = 10_800;

/// Fills in what may be left out. The address family is that of the given address, IPv4 without one.
pub fn set_defaults(service: &mut Service) {
    let spec = &mut service.spec;
    fill(&mut spec.session_affinity, "None");
    fill(&mut spec.r#type, kind::CLUSTER_IP);
    set_affinity(spec);
    set_ports(spec);
    set_addresses(spec);
    let outside = matches!(spec.r#type.as_str(), kind::NODE_PORT | kind::LOAD_BALANCER);
    if outside || (spec.r#type == kind::CLUSTER_IP && !spec.external_ips.is_empty()) {
        fill(&mut spec.external_traffic_policy, "Cluster");
    }
    if outside || spec.r#type == kind::CLUSTER_IP {
        spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".to_owned());
    }
    if spec.r#type == kind::LOAD_BALANCER {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
        for ingress in &mut service.status.load_balancer.ingress {
            if !ingress.ip.is_empty() {
                ingress.ip_mode.get_or_insert_with(|| "VIP".to_owned());
            }
        }
    }
}

fn set_affinity(spec: &mut ServiceSpec) {
    match spec.session_affinity.as_str() {
        "None" => spec.session_affinity_config = None,
        "ClientIP" => {
            let config = spec.session_affinity_config.get_or_insert_default();
            config.client_ip.get_or_insert_default().timeout_seconds.get_or_insert(AFFINITY_SECONDS);
        }
        _ => {}
    }
}

fn set_ports(spec: &mut ServiceSpec) {
    for port in &mut spec.ports {
        fill(&mut port.protocol, "TCP");
        let unset = match port.target_port.as_str() {
            Some(name) => name.is_empty(),
            None => port.target_port.int_val == 0,
        };
        if unset {
            port.target_port = port.port.into();
        }
    }
}

/// The single address and the list of them say the same; the single one wins. Families follow the addresses.
fn set_addresses(spec: &mut ServiceSpec) {
    if spec.r#type == kind::EXTERNAL_NAME {
        return;
    }
    if spec.cluster_ip.is_empty() {
        spec.cluster_ip = spec.cluster_ips.first().cloned().unwrap_or_default();
    } else if spec.cluster_ips.is_empty() {
        spec.cluster_ips = vec![spec.cluster_ip.clone()];
    }
    spec.ip_family_policy.get_or_insert_with(|| "SingleStack".to_owned());
    if spec.ip_families.is_empty() {
        let family = if spec.cluster_ip.contains(':') { "IPv6" } else { "IPv4" };
        spec.ip_families.push(family.to_owned());
    }
}

fn fill(field: &mut String, default: &str) {
    if field.is_empty() {
        field.push_str(default);
    }
}
