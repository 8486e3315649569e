//! The provider of a cluster on one machine: the machine itself is the cloud.

use std::net::IpAddr;

use keelson_proto::core::NodeAddress;

use crate::{Answer, CloudProvider, Instance};

/// The provider's name.
const NAME: &str = "local";

/// This machine. It exists as long as anybody can ask; nodes elsewhere are none of its own.
#[derive(Clone, Debug)]
pub struct Local {
    instance: Instance,
}

// === impl Local ===

impl Local {
    /// The machine whose node is called `node_name` and is reached at `ip` by the others of the cluster.
    pub fn new(node_name: &str, ip: IpAddr) -> Self {
        let address = |kind: &str, address: String| NodeAddress { r#type: kind.to_owned(), address };
        let addresses =
            vec![address("InternalIP", ip.to_string()), address("Hostname", node_name.to_owned())];
        let provider_id = format!("{NAME}://{node_name}");
        Self { instance: Instance { node_name: node_name.to_owned(), provider_id, addresses } }
    }
}

impl CloudProvider for Local {
    fn name(&self) -> &str {
        NAME
    }

    fn instances(&self) -> Answer<'_, Vec<Instance>> {
        Box::pin(std::future::ready(Ok(vec![self.instance.clone()])))
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Node;

    use super::*;
    use crate::is_gone;

    #[tokio::test]
    async fn this_machine_is_the_only_instance_and_never_gone() {
        let local = Local::new("n1", IpAddr::from([10, 0, 0, 7]));
        let instances = local.instances().await.unwrap();
        let addresses: Vec<_> = instances[0].addresses.iter().map(|a| (&*a.r#type, &*a.address)).collect();
        assert_eq!(addresses, [("InternalIP", "10.0.0.7"), ("Hostname", "n1")]);
        let mut node = Node::default();
        node.spec.provider_id = instances[0].provider_id.clone();
        assert!(!is_gone(&node, local.name(), &instances));
        node.spec.provider_id = "local://n2".into();
        assert!(is_gone(&node, local.name(), &instances));
    }
}
