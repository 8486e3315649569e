//! Nodes: their defaults and rules, and the questions that schedulers and controllers ask of them.

mod taints;
mod validate;

use std::borrow::Cow;

use keelson_proto::core::{Node, NodeCondition};

pub use self::taints::{tolerates, untolerated};
pub use self::validate::{validate, validate_status_update, validate_update};
use crate::resources::{PODS, Resources};
use crate::{conditions, meta, resources};

/// The type of the condition that says whether the kubelet can run pods.
pub const READY: &str = "Ready";

/// The fields that nodes can be selected by.
pub const FIELDS: &[&str] = &["metadata.name", "spec.unschedulable"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(node: &'a Node, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "metadata.name" => Some(Cow::Borrowed(&node.metadata.name)),
        "spec.unschedulable" => Some(Cow::Borrowed(if node.spec.unschedulable { "true" } else { "false" })),
        _ => None,
    }
}

/// Fills in what may be left out: what pods may use is all that there is; the pods' address range and the list
/// of them say the same. Quantities become canonical.
pub fn set_defaults(node: &mut Node) {
    resources::canonicalize(&mut node.status.capacity);
    resources::canonicalize(&mut node.status.allocatable);
    if node.status.allocatable.is_empty() {
        node.status.allocatable.clone_from(&node.status.capacity);
    }
    let spec = &mut node.spec;
    if spec.pod_cidr.is_empty() {
        spec.pod_cidr = spec.pod_cidrs.first().cloned().unwrap_or_default();
    } else if spec.pod_cidrs.first() != Some(&spec.pod_cidr) {
        spec.pod_cidrs = vec![spec.pod_cidr.clone()];
    }
}

/// Carries over what an ordinary update does not touch.
pub fn prepare_update(new: &mut Node, old: &Node) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
}

/// Leaves of a status write only the status (and labels and annotations).
pub fn prepare_status_update(new: &mut Node, old: &Node) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// The condition that says whether the kubelet can run pods.
pub fn ready_condition(node: &Node) -> Option<&NodeCondition> {
    conditions::find(&node.status.conditions, READY)
}

/// Whether the kubelet can run pods, as far as is known.
pub fn is_ready(node: &Node) -> bool {
    conditions::is_true(&node.status.conditions, READY)
}

/// Whether new pods may go to the node: it is ready, and nobody has closed it.
pub fn is_schedulable(node: &Node) -> bool {
    is_ready(node) && !node.spec.unschedulable && node.metadata.deletion_timestamp.is_none()
}

/// What the node's pods may use together.
pub fn allocatable(node: &Node) -> Resources {
    let status = &node.status;
    Resources::of(if status.allocatable.is_empty() { &status.capacity } else { &status.allocatable })
}

/// How many pods the node may run; 0 if it does not say.
pub fn max_pods(node: &Node) -> i64 {
    let status = &node.status;
    resources::value(if status.allocatable.is_empty() { &status.capacity } else { &status.allocatable }, PODS)
}

/// The first address of this type: InternalIP, ExternalIP, Hostname and so on.
pub fn address<'a>(node: &'a Node, kind: &str) -> Option<&'a str> {
    let found = node.status.addresses.iter().find(|address| address.r#type == kind);
    found.map(|address| address.address.as_str())
}

/// The address at which other machines of the cluster reach the node; `LegacyHostIP` is its name from before 1.0.
pub fn internal_ip(node: &Node) -> Option<&str> {
    ["InternalIP", "LegacyHostIP", "ExternalIP"].into_iter().find_map(|kind| address(node, kind))
}

#[cfg(test)]
mod tests;
