//! The way to kubelets: api is the only one they talk to.

use std::sync::Arc;

use keelson_base_client::Channel;
use keelson_base_model::status::ApiError;
use keelson_proto::Message as _;
use keelson_proto::core::Node;
use keelson_proto::v1::GetRequest;

use crate::registry::{NodeStrategy, Registry};

/// Finds the kubelet of a node.
pub trait KubeletDialer: Send + Sync + 'static {
    /// A channel to the node's kubelet. It connects when it is used.
    ///
    /// # Errors
    /// If the node does not say where its kubelet listens.
    fn dial(&self, node: &Node) -> Result<Channel, ApiError>;
}

/// The kubelets of all nodes.
pub(crate) struct Kubelets {
    /// The registry of nodes, where kubelets' addresses stand.
    nodes: Arc<Registry<NodeStrategy>>,
    dialer: Arc<dyn KubeletDialer>,
}

// === impl Kubelets ===

impl Kubelets {
    /// The kubelets that these nodes have.
    pub(crate) fn new(nodes: Arc<Registry<NodeStrategy>>, dialer: Arc<dyn KubeletDialer>) -> Self {
        Self { nodes, dialer }
    }

    /// A node as it is now.
    ///
    /// # Errors
    /// NotFound.
    pub(crate) async fn node(&self, name: &str) -> Result<Node, ApiError> {
        let request = GetRequest { name: name.to_owned(), ..GetRequest::default() };
        let node = self.nodes.get(&request).await?;
        Node::decode(node).map_err(|error| ApiError::internal(format!("cannot read a stored Node: {error}")))
    }

    /// A channel to the kubelet of a node.
    ///
    /// # Errors
    /// If there is no such node, or it does not say where its kubelet listens.
    pub(crate) async fn of_node(&self, name: &str) -> Result<Channel, ApiError> {
        self.dial(&self.node(name).await?)
    }

    /// The same of a node that is known.
    ///
    /// # Errors
    /// If it does not say where its kubelet listens.
    pub(crate) fn dial(&self, node: &Node) -> Result<Channel, ApiError> {
        self.dialer.dial(node)
    }
}
