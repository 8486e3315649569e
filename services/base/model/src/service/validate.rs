//! The rules for a service.

use keelson_proto::core::{Service, ServiceSpec};

use super::{HEADLESS, kind, ports};
use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names};

const KINDS: &[&str] = &[kind::CLUSTER_IP, kind::EXTERNAL_NAME, kind::LOAD_BALANCER, kind::NODE_PORT];
const AFFINITIES: &[&str] = &["ClientIP", "None"];
const TRAFFIC_POLICIES: &[&str] = &["Cluster", "Local"];
/// A day: the longest that a client may stay with one pod.
const MAX_AFFINITY_SECONDS: i32 = 86_400;

/// Checks a service. Call [`super::set_defaults`] first.
pub fn validate(service: &Service) -> ErrorList {
    let mut errors = meta::validate(&service.metadata, true, names::dns1035_label, &Path::new("metadata"));
    let (spec, path) = (&service.spec, Path::new("spec"));
    checks::one_of(&spec.r#type, KINDS, &path.child("type"), &mut errors);
    ports::validate(spec, &path.child("ports"), &mut errors);
    errors.extend(meta::validate_labels(&spec.selector, &path.child("selector")));
    validate_affinity(spec, &path, &mut errors);
    validate_addresses(spec, &path, &mut errors);
    validate_external_name(spec, &path, &mut errors);
    validate_traffic(spec, &path, &mut errors);
    validate_load_balancer(spec, &path, &mut errors);
    errors
}

fn validate_affinity(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    checks::one_of(&spec.session_affinity, AFFINITIES, &path.child("sessionAffinity"), errors);
    let path = path.child("sessionAffinityConfig");
    let client = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    match (spec.session_affinity.as_str(), client) {
        ("None", Some(_)) => {
            let why = "must not be set when session affinity is None";
            errors.push(FieldError::forbidden(&path, why));
        }
        ("ClientIP", Some(client)) => {
            let seconds = client.timeout_seconds.unwrap_or_default();
            if !(1..=MAX_AFFINITY_SECONDS).contains(&seconds) {
                let why = format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
                let path = path.child("clientIP").child("timeoutSeconds");
                errors.push(FieldError::invalid(&path, seconds, why));
            }
        }
        ("ClientIP", None) => {
            errors.push(FieldError::required(&path, "when session affinity type is ClientIP"))
        }
        _ => {}
    }
}

fn validate_addresses(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let list = path.child("clusterIPs");
    if spec.r#type == kind::EXTERNAL_NAME {
        if !spec.cluster_ips.is_empty() || !spec.cluster_ip.is_empty() {
            errors.push(FieldError::forbidden(&list, "may not be set for ExternalName services"));
        }
        return;
    }
    let first = spec.cluster_ips.first().map_or("", String::as_str);
    if spec.cluster_ip != first {
        let why = "must match `clusterIP`";
        errors.push(FieldError::invalid(&list, spec.cluster_ips.clone(), why));
    }
    if first == HEADLESS && matches!(spec.r#type.as_str(), kind::NODE_PORT | kind::LOAD_BALANCER) {
        let why = format!("may not be set to 'None' for {} services", spec.r#type);
        errors.push(FieldError::invalid(&list.index(0), first, why));
    }
    if spec.cluster_ips.len() > 1 {
        let why = "may only hold one address: services are of one address family";
        errors.push(FieldError::invalid(&list, spec.cluster_ips.clone(), why));
    }
    if !matches!(first, "" | HEADLESS) {
        checks::ip(first, &list.index(0), errors);
    }
    let families = path.child("ipFamilies");
    for (index, family) in spec.ip_families.iter().enumerate() {
        checks::one_of(family, &["IPv4", "IPv6"], &families.index(index), errors);
    }
    let policies = &["PreferDualStack", "RequireDualStack", "SingleStack"];
    checks::none_or_one_of(spec.ip_family_policy.as_deref(), policies, &path.child("ipFamilyPolicy"), errors);
    for (index, address) in spec.external_ips.iter().enumerate() {
        checks::reachable_ip(address, &path.child("externalIPs").index(index), errors);
    }
}

fn validate_external_name(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    if spec.r#type != kind::EXTERNAL_NAME {
        return;
    }
    let path = path.child("externalName");
    match spec.external_name.trim_end_matches('.') {
        "" => errors.push(FieldError::required(&path, "")),
        name => errors.push_invalid(&path, &spec.external_name, names::dns_subdomain(name)),
    }
}

fn validate_traffic(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let internal = path.child("internalTrafficPolicy");
    checks::none_or_one_of(spec.internal_traffic_policy.as_deref(), TRAFFIC_POLICIES, &internal, errors);
    let external = path.child("externalTrafficPolicy");
    let policy = spec.external_traffic_policy.as_str();
    let outside = matches!(spec.r#type.as_str(), kind::NODE_PORT | kind::LOAD_BALANCER)
        || !spec.external_ips.is_empty();
    if policy.is_empty() {
        if outside && spec.r#type != kind::EXTERNAL_NAME {
            errors.push(FieldError::required(&external, "for externally-accessible services"));
        }
    } else if !outside {
        errors.push(FieldError::invalid(
            &external,
            policy,
            "may only be set for externally-accessible services",
        ));
    } else {
        checks::one_of(policy, TRAFFIC_POLICIES, &external, errors);
    }
    let health = path.child("healthCheckNodePort");
    match spec.health_check_node_port {
        0 => {}
        port if spec.r#type != kind::LOAD_BALANCER || policy != "Local" => {
            let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid(&health, port, why));
        }
        port => checks::port(port, &health, errors),
    }
}

fn validate_load_balancer(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let is_load_balancer = spec.r#type == kind::LOAD_BALANCER;
    let ranges = path.child("loadBalancerSourceRanges");
    for (index, range) in spec.load_balancer_source_ranges.iter().enumerate() {
        checks::cidr(range.trim(), &ranges.index(index), errors);
    }
    let only = "may only be used when `type` is 'LoadBalancer'";
    let given = [
        ("loadBalancerSourceRanges", !spec.load_balancer_source_ranges.is_empty()),
        ("loadBalancerClass", spec.load_balancer_class.is_some()),
        ("allocateLoadBalancerNodePorts", spec.allocate_load_balancer_node_ports.is_some()),
    ];
    for (name, _) in given.into_iter().filter(|(_, given)| *given && !is_load_balancer) {
        errors.push(FieldError::forbidden(&path.child(name), only));
    }
    if is_load_balancer && spec.allocate_load_balancer_node_ports.is_none() {
        let path = path.child("allocateLoadBalancerNodePorts");
        errors.push(FieldError::required(&path, ""));
    }
    if let Some(class) = &spec.load_balancer_class {
        errors.push_invalid(&path.child("loadBalancerClass"), class, names::qualified_name(class));
    }
}
