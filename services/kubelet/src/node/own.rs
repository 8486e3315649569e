//! This node as api has it now: what others have said of it counts, not only what it registered with.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::Cache;
use keelson_base_model::key::ObjectKey;
use keelson_proto::core::Node;

use super::Facts;
use crate::admission::NodeView;

/// How long api may take to say what the node is like now.
const PATIENCE: Duration = Duration::from_secs(5);

/// The kubelet's own Node. Clones are the same.
#[derive(Clone)]
pub(crate) struct OwnNode {
    cache: Cache<Node>,
    facts: Arc<Facts>,
}

// === impl OwnNode ===

impl OwnNode {
    pub(super) fn new(cache: Cache<Node>, facts: Arc<Facts>) -> Self {
        Self { cache, facts }
    }

    /// Labels, taints and what pods can get; what the node registers with, until api has it.
    pub(crate) fn view(&self) -> NodeView {
        let Some(node) = self.cache.get(&ObjectKey::new("", self.facts.name.as_str())) else {
            let (labels, allocatable) = (self.facts.labels.clone(), self.facts.capacity.clone());
            return NodeView { labels, allocatable, taints: Vec::new() };
        };
        let mut allocatable = self.facts.capacity.clone();
        allocatable.extend(node.status.allocatable.clone());
        NodeView { labels: node.metadata.labels.clone(), allocatable, taints: node.spec.taints.clone() }
    }

    /// Ends when nothing that was written before this call is missing in the view, or when api does not answer.
    pub(crate) async fn refresh(&self) {
        if tokio::time::timeout(PATIENCE, self.cache.refresh()).await.is_err() {
            tracing::warn!(node = %self.facts.name, "api does not say what the node is like now");
        }
    }
}
