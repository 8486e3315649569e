//! The priorities that keep the pods of a service apart: on different nodes, or on nodes with different labels.

use std::collections::BTreeMap;

use super::BEST;
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// The tenths by which a node has fewer of the pod's peers than the node that has most. Peers are the pods of its
/// service; of its replication controller if no service selects it (1.0 knew services only).
pub(super) fn by_node(pod: &PodInfo, nodes: &[&NodeInfo], snapshot: &Snapshot) -> Vec<i64> {
    let peers = snapshot.service_peers(pod).or_else(|| snapshot.controller_peers(pod)).unwrap_or_default();
    let most = peers.values().copied().max().unwrap_or(0);
    nodes.iter().map(|node| part_below(peers.get(node.name()).copied().unwrap_or(0), most)).collect()
}

/// The tenths of the service's pods that are not on nodes with the node's value of the label; 0 without the label.
pub(super) fn by_label(label: &str, pod: &PodInfo, nodes: &[&NodeInfo], snapshot: &Snapshot) -> Vec<i64> {
    let peers = snapshot.service_peers(pod).unwrap_or_default();
    let mut by_value: BTreeMap<&String, usize> = BTreeMap::new();
    for (name, count) in &peers {
        let value = snapshot.node(name).and_then(|node| node.node.metadata.labels.get(label));
        if let Some(value) = value {
            *by_value.entry(value).or_default() += count;
        }
    }
    let all = peers.values().sum();
    let score = |node: &&NodeInfo| match node.node.metadata.labels.get(label) {
        Some(value) => part_below(by_value.get(value).copied().unwrap_or(0), all),
        None => 0,
    };
    nodes.iter().map(score).collect()
}

/// 10·(most − count)/most, rounded down; 10 if there is nothing to be apart from.
fn part_below(count: usize, most: usize) -> i64 {
    if most == 0 {
        return BEST;
    }
    let tenths = most.saturating_sub(count).saturating_mul(10) / most;
    i64::try_from(tenths).unwrap_or(BEST)
}
