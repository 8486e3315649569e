//! The rules for nodes.

use std::collections::HashSet;

use keelson_proto::core::{Node, NodeSpec, Taint};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names, resources};

const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];

/// Checks a node. Call [`super::set_defaults`] first.
pub fn validate(node: &Node) -> ErrorList {
    let mut errors = meta::validate(&node.metadata, false, names::dns_subdomain, &Path::new("metadata"));
    let path = Path::new("spec");
    validate_taints(&node.spec.taints, &path.child("taints"), &mut errors);
    for (index, range) in node.spec.pod_cidrs.iter().enumerate() {
        checks::cidr(range, &path.child("podCIDRs").index(index), &mut errors);
    }
    if node.spec.pod_cidrs.len() > 1 {
        let why = "may only hold one range: pods are of one address family";
        errors.push(FieldError::invalid(&path.child("podCIDRs"), node.spec.pod_cidrs.clone(), why));
    }
    errors.extend(validate_status(node));
    errors
}

/// Checks a changed node: the pods' range and the provider's id can be given once, and only taints and
/// `unschedulable` change otherwise.
pub fn validate_update(new: &Node, old: &Node) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    let path = Path::new("spec");
    if !old.spec.pod_cidrs.is_empty() && new.spec.pod_cidrs != old.spec.pod_cidrs {
        let why = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(FieldError::forbidden(&path.child("podCIDRs"), why));
    }
    if !old.spec.provider_id.is_empty() && new.spec.provider_id != old.spec.provider_id {
        let why = "node updates may not change providerID except from \"\" to valid";
        errors.push(FieldError::forbidden(&path.child("providerID"), why));
    }
    let reverted = NodeSpec {
        taints: old.spec.taints.clone(),
        unschedulable: old.spec.unschedulable,
        pod_cidr: old.spec.pod_cidr.clone(),
        pod_cidrs: old.spec.pod_cidrs.clone(),
        provider_id: old.spec.provider_id.clone(),
        ..new.spec.clone()
    };
    if reverted != old.spec {
        let why = "node updates may only change labels, taints, or capacity";
        errors.push(FieldError::forbidden(&path, why));
    }
    errors
}

/// Checks a status write.
pub fn validate_status_update(new: &Node, old: &Node) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate_status(new));
    errors
}

fn validate_status(node: &Node) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("status");
    for (list, name) in [(&node.status.capacity, "capacity"), (&node.status.allocatable, "allocatable")] {
        for (resource, amount) in list {
            let path = path.child(name).key(resource);
            errors.push_invalid(&path, resource, names::qualified_name(resource));
            resources::validate_amount(resource, amount, &path, &mut errors);
        }
    }
    let mut seen = HashSet::new();
    for (index, address) in node.status.addresses.iter().enumerate() {
        if !seen.insert((&address.r#type, &address.address)) {
            let value = serde_json::to_value(address).unwrap_or_default();
            errors.push(FieldError::duplicate(&path.child("addresses").index(index), value));
        }
    }
    errors
}

fn validate_taints(taints: &[Taint], path: &Path, errors: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        errors.push_invalid(&path.child("key"), &taint.key, names::qualified_name(&taint.key));
        errors.push_invalid(&path.child("value"), &taint.value, names::label_value(&taint.value));
        checks::one_of(&taint.effect, EFFECTS, &path.child("effect"), errors);
        if !seen.insert((&taint.key, &taint.effect)) {
            let value = serde_json::to_value(taint).unwrap_or_default();
            errors.push(FieldError::duplicate(&path, value));
        }
    }
}
