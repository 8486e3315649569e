//! The status of a pod, which its node writes: what such a write may touch.

use keelson_proto::core::{ContainerStatus, Pod};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names};

/// Leaves of a status write only the status (and labels and annotations): the spec, the owners and the server's
/// metadata come from the stored pod. The class of service stays as it was computed.
pub fn prepare_status_update(new: &mut Pod, old: &Pod) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.metadata.owner_references.clone_from(&old.metadata.owner_references);
    if !old.status.qos_class.is_empty() {
        new.status.qos_class.clone_from(&old.status.qos_class);
    }
}

/// Checks a status write: containers that have ended for good stay so, addresses are addresses.
pub fn validate_status_update(new: &Pod, old: &Pod) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    let path = Path::new("status");
    if new.spec.node_name != old.spec.node_name {
        errors.push(FieldError::forbidden(&path.child("nodeName"), "may not be changed directly"));
    }
    let nominated = new.status.nominated_node_name.as_str();
    if !nominated.is_empty() {
        errors.push_invalid(&path.child("nominatedNodeName"), nominated, names::dns_subdomain(nominated));
    }
    let class = old.status.qos_class.as_str();
    if !class.is_empty() && new.status.qos_class != class {
        let why = meta::IMMUTABLE;
        errors.push(FieldError::invalid(&path.child("qosClass"), new.status.qos_class.as_str(), why));
    }
    validate_conditions(new, &path.child("conditions"), &mut errors);
    validate_addresses(new, &path, &mut errors);
    let restarts = new.spec.restart_policy.as_str();
    let (statuses, before) = (&new.status.container_statuses, &old.status.container_statuses);
    validate_transitions(statuses, before, restarts, &path.child("containerStatuses"), &mut errors);
    errors
}

fn validate_conditions(pod: &Pod, path: &Path, errors: &mut ErrorList) {
    for (index, condition) in pod.status.conditions.iter().enumerate() {
        let path = path.index(index).child("type");
        errors.push_invalid(&path, &condition.r#type, names::qualified_name(&condition.r#type));
    }
}

fn validate_addresses(pod: &Pod, path: &Path, errors: &mut ErrorList) {
    for (index, address) in pod.status.pod_ips.iter().enumerate() {
        checks::ip(&address.ip, &path.child("podIPs").index(index), errors);
    }
    for (index, address) in pod.status.host_ips.iter().enumerate() {
        checks::ip(&address.ip, &path.child("hostIPs").index(index), errors);
    }
}

/// A container that nobody restarts does not run again.
fn validate_transitions(
    new: &[ContainerStatus],
    old: &[ContainerStatus],
    restarts: &str,
    path: &Path,
    errors: &mut ErrorList,
) {
    if restarts == "Always" {
        return;
    }
    for old in old {
        let Some(ended) = &old.state.terminated else {
            continue;
        };
        if restarts == "OnFailure" && ended.exit_code != 0 {
            continue;
        }
        let found = new.iter().enumerate().find(|(_, new)| new.name == old.name);
        if let Some((index, _)) = found.filter(|(_, new)| new.state.terminated.is_none()) {
            let why = "may not be transitioned to non-terminated state";
            errors.push(FieldError::forbidden(&path.index(index).child("state"), why));
        }
    }
}
