//! The rules for a service that changes: what was allocated to it stays, as long as its type needs it.

use keelson_proto::core::{Service, ServiceSpec};

use super::{has_cluster_ip, kind, needs_node_ports, validate};
use crate::field::{ErrorList, FieldError, Path};
use crate::meta;

/// Carries over what an ordinary update does not touch (status, the server's metadata), and what was allocated
/// before and the new version needs but leaves out: address, node ports, the port of health checks. What the
/// new type cannot have, and the client did not change, is dropped. [`super::set_defaults`] comes first.
pub fn prepare_update(new: &mut Service, old: &Service) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
    if new.spec.r#type != kind::LOAD_BALANCER {
        new.status.load_balancer = Default::default();
    }
    drop_needless(new, old);
    let inside = |spec: &ServiceSpec| spec.r#type != kind::EXTERNAL_NAME;
    if new.spec.cluster_ip.is_empty() && inside(&new.spec) && inside(&old.spec) {
        new.spec.cluster_ip.clone_from(&old.spec.cluster_ip);
    }
    let listed = new.spec.cluster_ips.first();
    if !new.spec.cluster_ip.is_empty() && (listed.is_none() || new.spec.cluster_ips == old.spec.cluster_ips) {
        new.spec.cluster_ips = vec![new.spec.cluster_ip.clone()];
    }
    if needs_node_ports(new) && needs_node_ports(old) {
        keep_node_ports(&mut new.spec, &old.spec);
    }
    if is_local_balancer(&new.spec) && is_local_balancer(&old.spec) && new.spec.health_check_node_port == 0 {
        new.spec.health_check_node_port = old.spec.health_check_node_port;
    }
}

fn is_local_balancer(spec: &ServiceSpec) -> bool {
    spec.r#type == kind::LOAD_BALANCER && spec.external_traffic_policy == "Local"
}

/// A client that only changes the type sends back what the old type had.
fn drop_needless(new: &mut Service, old: &Service) {
    let spec = &mut new.spec;
    let leaves = old.spec.r#type != kind::EXTERNAL_NAME && spec.r#type == kind::EXTERNAL_NAME;
    if leaves && spec.cluster_ip == old.spec.cluster_ip {
        spec.cluster_ip.clear();
        spec.cluster_ips.clear();
        spec.ip_families.clear();
        spec.ip_family_policy = None;
        spec.internal_traffic_policy = None;
    }
    let outside = |kind: &str| matches!(kind, kind::NODE_PORT | kind::LOAD_BALANCER);
    if outside(&old.spec.r#type) && !outside(&spec.r#type) {
        for port in &mut spec.ports {
            let same = old.spec.ports.iter().any(|old| old.node_port == port.node_port);
            if same {
                port.node_port = 0;
            }
        }
        if spec.external_ips.is_empty() && spec.external_traffic_policy == old.spec.external_traffic_policy {
            spec.external_traffic_policy.clear();
        }
    }
    if old.spec.r#type == kind::LOAD_BALANCER && spec.r#type != kind::LOAD_BALANCER {
        if spec.allocate_load_balancer_node_ports == old.spec.allocate_load_balancer_node_ports {
            spec.allocate_load_balancer_node_ports = None;
        }
        if spec.load_balancer_class == old.spec.load_balancer_class {
            spec.load_balancer_class = None;
        }
        if spec.health_check_node_port == old.spec.health_check_node_port {
            spec.health_check_node_port = 0;
        }
    }
}

fn keep_node_ports(new: &mut ServiceSpec, old: &ServiceSpec) {
    let taken: Vec<i32> = new.ports.iter().map(|port| port.node_port).filter(|port| *port != 0).collect();
    for port in new.ports.iter_mut().filter(|port| port.node_port == 0) {
        let same = old.ports.iter().find(|old| old.port == port.port && old.protocol == port.protocol);
        if let Some(old) = same.filter(|old| !taken.contains(&old.node_port)) {
            port.node_port = old.node_port;
        }
    }
}

/// Leaves of a status write only the status.
pub fn prepare_status_update(new: &mut Service, old: &Service) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks that an address, once given, stays while the type needs one, and all that holds for a new service.
pub fn validate_update(new: &Service, old: &Service) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    let path = Path::new("spec");
    let had = has_cluster_ip(old) || super::is_headless(old);
    let stays = old.spec.r#type != kind::EXTERNAL_NAME && new.spec.r#type != kind::EXTERNAL_NAME;
    if had && stays && new.spec.cluster_ip != old.spec.cluster_ip {
        let why = "may not change once set";
        errors.push(FieldError::invalid(
            &path.child("clusterIPs").index(0),
            new.spec.cluster_ips.clone(),
            why,
        ));
    }
    let balances = |service: &Service| service.spec.r#type == kind::LOAD_BALANCER;
    if balances(new) && balances(old) && new.spec.load_balancer_class != old.spec.load_balancer_class {
        let why = "may not change once set";
        let class = new.spec.load_balancer_class.clone();
        errors.push(FieldError::invalid(&path.child("loadBalancerClass"), class, why));
    }
    errors
}

/// Checks a status write: the addresses of a load balancer.
pub fn validate_status_update(new: &Service, old: &Service) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    let path = Path::new("status").child("loadBalancer").child("ingress");
    for (index, ingress) in new.status.load_balancer.ingress.iter().enumerate() {
        let path = path.index(index);
        if !ingress.ip.is_empty() {
            crate::checks::ip(&ingress.ip, &path.child("ip"), &mut errors);
        }
        if !ingress.hostname.is_empty() {
            let wrong = crate::names::dns_subdomain(&ingress.hostname);
            errors.push_invalid(&path.child("hostname"), &ingress.hostname, wrong);
            if ingress.hostname.parse::<std::net::IpAddr>().is_ok() {
                let why = "must be a DNS name, not an IP address";
                errors.push(FieldError::invalid(&path.child("hostname"), ingress.hostname.as_str(), why));
            }
        }
    }
    if !new.status.load_balancer.ingress.is_empty() && new.spec.r#type != kind::LOAD_BALANCER {
        errors.push(FieldError::forbidden(&path, "may only be used when `spec.type` is \"LoadBalancer\""));
    }
    errors
}
