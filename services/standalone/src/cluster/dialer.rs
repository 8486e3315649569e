//! api's way to the kubelets of its own process.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use keelson_api::KubeletDialer;
use keelson_base_client::{ApiError, Channel};
use keelson_proto::core::Node;

/// The kubelets of this process, by node.
#[derive(Default)]
pub(super) struct LocalKubelets {
    channels: RwLock<HashMap<String, Channel>>,
}

// === impl LocalKubelets ===

impl LocalKubelets {
    /// A kubelet can be reached.
    pub(super) fn add(&self, node: &str, channel: Channel) {
        self.channels.write().unwrap_or_else(PoisonError::into_inner).insert(node.to_owned(), channel);
    }
}

impl KubeletDialer for LocalKubelets {
    fn dial(&self, node: &Node) -> Result<Channel, ApiError> {
        let name = &node.metadata.name;
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.get(name).cloned().ok_or_else(|| {
            ApiError::service_unavailable(format!("the kubelet of node {name} does not run in this process"))
        })
    }
}
