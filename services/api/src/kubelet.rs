//! The way to kubelets: api is the only one they talk to.

use keelson_base_client::Channel;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Node;

/// Finds the kubelet of a node.
pub trait KubeletDialer: Send + Sync + 'static {
    /// A channel to the node's kubelet. It connects when it is used.
    ///
    /// # Errors
    /// If the node does not say where its kubelet listens.
    fn dial(&self, node: &Node) -> Result<Channel, ApiError>;
}
