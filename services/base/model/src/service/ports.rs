//! The rules for the ports of a service.

use std::collections::HashSet;

use keelson_proto::core::{ServicePort, ServiceSpec};

use super::kind;
use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, names};

/// The kubelet's port, which may not be shown to the world.
const KUBELET_PORT: i32 = 10250;

/// Checks all ports: each by itself, and that none is there twice.
pub(super) fn validate(spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let needless = spec.cluster_ip == super::HEADLESS || spec.r#type == kind::EXTERNAL_NAME;
    if spec.ports.is_empty() && !needless {
        errors.push(FieldError::required(path, ""));
    }
    let (mut named, mut numbered, mut on_nodes) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, port) in spec.ports.iter().enumerate() {
        let path = path.index(index);
        validate_port(port, spec, &path, errors);
        if !port.name.is_empty() && !named.insert(port.name.as_str()) {
            errors.push(FieldError::duplicate(&path.child("name"), port.name.as_str()));
        }
        if !numbered.insert((port.protocol.as_str(), port.port)) {
            errors.push(FieldError::duplicate(&path, format!("{}/{}", port.port, port.protocol)));
        }
        if port.node_port != 0 && !on_nodes.insert((port.protocol.as_str(), port.node_port)) {
            errors.push(FieldError::duplicate(&path.child("nodePort"), port.node_port));
        }
    }
}

fn validate_port(port: &ServicePort, spec: &ServiceSpec, path: &Path, errors: &mut ErrorList) {
    let name = path.child("name");
    match port.name.as_str() {
        "" if spec.ports.len() > 1 => errors.push(FieldError::required(&name, "")),
        "" => {}
        given => errors.push_invalid(&name, given, names::dns_label(given)),
    }
    checks::port(port.port, &path.child("port"), errors);
    checks::one_of(&port.protocol, checks::PROTOCOLS, &path.child("protocol"), errors);
    checks::port_or_name(&port.target_port, &path.child("targetPort"), errors);
    if let Some(protocol) = &port.app_protocol {
        errors.push_invalid(&path.child("appProtocol"), protocol, names::qualified_name(protocol));
    }
    let is_kind = |kind: &str| spec.r#type == kind;
    if is_kind(kind::LOAD_BALANCER) && port.port == KUBELET_PORT {
        let why = "may not expose port 10250 externally since it is used by kubelet";
        errors.push(FieldError::invalid(&path.child("port"), port.port, why));
    }
    if port.node_port != 0 {
        let node_port = path.child("nodePort");
        if is_kind(kind::CLUSTER_IP) {
            errors.push(FieldError::forbidden(&node_port, "may not be used when `type` is 'ClusterIP'"));
        } else if is_kind(kind::EXTERNAL_NAME) {
            errors.push(FieldError::forbidden(&node_port, "may not be used when `type` is 'ExternalName'"));
        } else {
            checks::port(port.node_port, &node_port, errors);
        }
    }
}
