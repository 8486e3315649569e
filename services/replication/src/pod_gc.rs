//! The pod garbage loop: pods go whose node does not exist any more, since no kubelet would ever end them.
//!
//! A node that is missing is given some time to come back. Then api is asked, not the cache.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Api, ApiError, Client, Delta, WorkQueue};
use keelson_proto::core::{Node, Pod};

use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue};
use crate::delete;

/// How long a node may be missing: a kubelet may be about to register again.
const QUARANTINE: Duration = Duration::from_secs(40);

/// The pod garbage loop. Its keys are names of nodes that are missing.
pub(crate) struct PodGcLoop {
    queue: WorkQueue<String>,
    caches: Caches,
    nodes: Api<Node>,
    pods: Api<Pod>,
}

// === impl PodGcLoop ===

impl PodGcLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches) -> Self {
        Self { queue: queue(), caches, nodes: client.api(), pods: client.api() }
    }

    /// A pod has changed, perhaps by being given to a node that is not there.
    pub(crate) fn on_pod(&self, delta: &Delta<Pod>) {
        let Delta::Applied { new, .. } = delta else {
            return;
        };
        let node = &new.spec.node_name;
        if !node.is_empty() && self.caches.node(node).is_none() {
            self.queue.add_after(node.clone(), QUARANTINE);
        }
    }

    /// A node has changed, perhaps by going.
    pub(crate) fn on_node(&self, delta: &Delta<Node>) {
        if let Delta::Deleted { old, .. } = delta {
            self.queue.add_after(old.metadata.name.clone(), QUARANTINE);
        }
    }

    async fn delete(&self, pod: &Arc<Pod>) -> Result<(), ApiError> {
        let pods = self.pods.namespaced(&pod.metadata.namespace);
        match pods.delete(&pod.metadata.name, delete::now(&pod.metadata)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Reconcile for PodGcLoop {
    const NAME: &'static str = "podgc";
    type Key = String;

    fn queue(&self) -> &WorkQueue<String> {
        &self.queue
    }

    async fn reconcile(&self, node: &String) -> Result<Next, ApiError> {
        let pods = self.caches.pods_on(node);
        if pods.is_empty() || self.caches.node(node).is_some() || self.nodes.contains(node).await? {
            return Ok(Next::Event);
        }
        tracing::info!(%node, pods = pods.len(), "deleting the pods of a node that does not exist");
        for pod in &pods {
            self.delete(pod).await?;
        }
        Ok(Next::Event)
    }
}
