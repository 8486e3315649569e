//! `NodeRestriction`: a kubelet keeps to its own node and the pods bound to it.

use keelson_api_store::Compare;
use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::{Node, Pod, Taint};
use keelson_proto::meta::ObjectMeta;

use super::{Ask, Plugin, Subject};

/// Where kubelets keep their heartbeats.
pub(crate) const NODE_LEASES: &str = "kube-node-lease";

/// The label domain by which pods can be kept off nodes, which therefore no node may label itself with.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// What marks a pod that shows a node's static pod.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";

/// Refuses what is not a kubelet's to write.
pub(super) struct NodeRestriction;

// === impl NodeRestriction ===

impl Plugin for NodeRestriction {
    fn admit(&self, ask: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        let Some(node) = ask.caller.node() else { return Ok(()) };
        own_node(node, new)?;
        new_of_node(node, new)
    }

    fn update(&self, ask: Ask<'_>, new: &dyn Subject, old: &dyn Subject) -> Result<(), ApiError> {
        let Some(node) = ask.caller.node() else { return Ok(()) };
        own_node(node, old)?;
        own_node(node, new)?;
        // Which pods a node gets is not the node's to say; nor, by their labels, which services its pods answer for.
        let (after, before) = (new.meta(), old.meta());
        let why = if restricted(after) != restricted(before) {
            format!("node {node:?} is not allowed to modify labels of {RESTRICTED}")
        } else if taints(new) != taints(old) {
            format!("node {node:?} is not allowed to modify taints")
        } else if new.kind() == Pod::KIND && after.labels != before.labels {
            format!("node {node:?} cannot update labels through pod status")
        } else {
            return Ok(());
        };
        Err(ApiError::forbidden(new.kind(), &before.name, why))
    }

    fn delete(&self, ask: Ask<'_>, old: &dyn Subject) -> Result<(), ApiError> {
        ask.caller.node().map_or(Ok(()), |node| own_node(node, old))
    }
}

fn restricted(meta: &ObjectMeta) -> Vec<(&String, &String)> {
    meta.labels
        .iter()
        .filter(|(key, _)| key.split('/').next().is_some_and(|domain| domain.ends_with(RESTRICTED)))
        .collect()
}

fn taints(subject: &dyn Subject) -> &[Taint] {
    subject.of::<Node>().map_or(&[], |node| node.spec.taints.as_slice())
}

/// What a node may make: itself, without labels that are not its to give, and mirrors of its static pods.
fn new_of_node(node: &str, new: &dyn Subject) -> Result<(), ApiError> {
    let meta = new.meta();
    let pod = new.of::<Pod>();
    let why = if pod.is_some() && !meta.annotations.contains_key(MIRROR) {
        format!("pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods")
    } else if let Some(what) = pod.and_then(referred) {
        format!("node {node:?} can not create pods that reference {what}")
    } else if new.kind() == Node::KIND && !restricted(meta).is_empty() {
        format!("node {node:?} is not allowed to set labels of {RESTRICTED}")
    } else {
        return Ok(());
    };
    Err(ApiError::forbidden(new.kind(), &meta.name, why))
}

/// What a mirror pod must not refer to: its kubelet could read it then, and it is not the kubelet's to say what that is.
fn referred(pod: &Pod) -> Option<&'static str> {
    let found = pod::references(pod);
    [
        (pod.spec.service_account_name.is_empty(), "a service account"),
        (found.secrets.is_empty(), "secrets"),
        (found.config_maps.is_empty(), "configmaps"),
        (found.claims.is_empty(), "persistentvolumeclaims"),
    ]
    .into_iter()
    .find_map(|(none, what)| (!none).then_some(what))
}

/// That an object belongs to a node, as far as nodes write it.
fn own_node(node: &str, subject: &dyn Subject) -> Result<(), ApiError> {
    let meta = subject.meta();
    let own = if let Some(pod) = subject.of::<Pod>() {
        pod.spec.node_name == node
    } else if subject.of::<Node>().is_some() {
        meta.name == node
    } else {
        match subject.kind().kind {
            "Lease" => meta.namespace == NODE_LEASES && meta.name == node,
            "Event" => true,
            _ => false,
        }
    };
    if own {
        return Ok(());
    }
    let why = format!("node \"{node}\" may only write what is its own");
    Err(ApiError::forbidden(subject.kind(), &meta.name, why))
}
