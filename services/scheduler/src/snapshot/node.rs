//! One node: what it offers and what runs on it.

use std::sync::Arc;

use keelson_base_model::node;
use keelson_base_model::resources::{PODS, Resources};
use keelson_proto::core::Node;

use super::Load;

/// One node: what it offers and what runs on it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// The object.
    pub node: Arc<Node>,
    /// Whether its kubelet can run pods.
    pub is_ready: bool,
    /// What its pods may use together.
    pub allocatable: Resources,
    /// How many pods it may run; `None` if it does not say.
    pub max_pods: Option<i64>,
    /// What its pods use.
    pub load: Load,
}

// === impl NodeInfo ===

impl NodeInfo {
    pub(super) fn new(node: Arc<Node>, load: Load) -> Self {
        let status = &node.status;
        let says_pods = status.allocatable.contains_key(PODS) || status.capacity.contains_key(PODS);
        Self {
            is_ready: node::is_ready(&node),
            allocatable: node::allocatable(&node),
            max_pods: says_pods.then(|| node::max_pods(&node)),
            load,
            node,
        }
    }

    /// A machine that a caller named.
    pub(super) fn given(node: Arc<Node>, load: Load) -> Self {
        let is_silent = node::ready_condition(&node).is_none();
        let mut info = Self::new(node, load);
        info.is_ready |= is_silent;
        info
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.node.metadata.name
    }

    /// Whether both offer the same to pods, apart from what runs there: a heartbeat changes nothing.
    pub(super) fn offers_as(&self, other: &Self) -> bool {
        let (one, two) = (&self.node, &other.node);
        self.is_ready == other.is_ready
            && self.allocatable == other.allocatable
            && self.max_pods == other.max_pods
            && one.metadata.labels == two.metadata.labels
            && one.spec.unschedulable == two.spec.unschedulable
            && one.spec.taints == two.spec.taints
    }
}
