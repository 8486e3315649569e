//! The seam to what a cloud offers (nodes, routes, load balancers, disks) and the local provider.
//!
//! A provider answers what only the cloud can know. [`CloudProvider`] has exactly what a control loop asks today: which
//! machines there are. Routes between nodes, load balancers of services and disks of volumes come here together with
//! the loops that drive them, each as a trait of its own that a provider may or may not have, so that no provider
//! ever needs a method that only says "not supported".

mod disks;
mod local;

pub use self::disks::{Attached, Disks, LocalDisks};
pub use self::local::Local;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use keelson_proto::core::{Node, NodeAddress};

/// What a provider answers with: it may have to ask over the network.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, CloudError>> + Send + 'a>>;

/// What a cloud knows of a cluster's machines.
pub trait CloudProvider: Send + Sync + 'static {
    /// The provider's name: the scheme of its nodes' `spec.providerID`, for instance `local` in `local://n1`.
    fn name(&self) -> &str;

    /// All machines of the cluster that this provider runs.
    fn instances(&self) -> Answer<'_, Vec<Instance>>;
}

/// A machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// What its node is called.
    pub node_name: String,
    /// What its node's `spec.providerID` is, `<provider>://<id>`.
    pub provider_id: String,
    /// Where it can be reached.
    pub addresses: Vec<NodeAddress>,
}

/// A question that a cloud did not answer. Says nothing about what was asked for: ask again later.
#[derive(Debug, thiserror::Error)]
#[error("cloud provider {provider:?} cannot {operation}")]
pub struct CloudError {
    /// The provider's name.
    pub provider: String,
    /// What was asked of it, as a verb: `list instances`.
    pub operation: &'static str,
    /// Why it failed.
    pub source: Box<dyn Error + Send + Sync>,
}

/// Whether the machine of `node` is known to exist no more: it was one of `provider`'s, and is not among the
/// `instances` it has now. Nodes of other providers, or of none, are not for this one to judge.
pub fn is_gone(node: &Node, provider: &str, instances: &[Instance]) -> bool {
    let id = &node.spec.provider_id;
    let is_ours = id.strip_prefix(provider).is_some_and(|rest| rest.starts_with("://"));
    is_ours && !instances.iter().any(|instance| instance.provider_id == *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_providers_own_node_can_be_gone() {
        let instance =
            Instance { node_name: "n1".into(), provider_id: "local://n1".into(), addresses: Vec::new() };
        let table = [
            ("local://n1", false, "it is there"),
            ("local://n2", true, "ours, and not there"),
            ("locally://n2", false, "another's, with a similar name"),
            ("gce://p/z/n2", false, "another's"),
            ("", false, "nobody's"),
            ("local", false, "not an id"),
        ];
        for (id, gone, why) in table {
            let mut node = Node::default();
            node.spec.provider_id = id.into();
            assert_eq!(is_gone(&node, "local", std::slice::from_ref(&instance)), gone, "{id:?}: {why}");
        }
    }
}
