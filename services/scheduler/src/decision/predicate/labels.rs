//! The two predicates of 1.0 that policies make of labels: presence, and service affinity.

use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// Whether the node has all of the labels, or none of them if they must be absent.
pub(super) fn are_as_wanted(labels: &[String], presence: bool, node: &NodeInfo) -> bool {
    labels.iter().all(|label| node.node.metadata.labels.contains_key(label) == presence)
}

/// Whether the node has the values of the labels that the pod's node selector asks for, or else that the node of the
/// service's first pod has. A label without such a value is free.
pub(super) fn are_of_service(labels: &[String], pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot) -> bool {
    let asked = &pod.pod.spec.node_selector;
    let first = if labels.iter().all(|label| asked.contains_key(label)) {
        None
    } else {
        let peers = snapshot.service_peers(pod).unwrap_or_default();
        peers.keys().find_map(|name| snapshot.node(name))
    };
    labels.iter().all(|label| {
        let of_first = first.and_then(|first| first.node.metadata.labels.get(label));
        let wanted = asked.get(label).or(of_first);
        wanted.is_none_or(|wanted| node.node.metadata.labels.get(label) == Some(wanted))
    })
}
