//! The cluster as the decision sees it, kept current change by change.
//!
//! After any history it equals the snapshot built afresh from the objects that are left. A pod that was given a node
//! is *assumed* there until the watch shows it ([`Snapshot::observe`]) or its binding failed ([`Snapshot::forget`]).

mod families;
mod load;
mod node;
mod selectors;

pub use self::load::Load;
pub use self::node::NodeInfo;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keelson_base_model::key::ObjectKey;
use keelson_proto::core::{Node, ReplicationController, Service};

use self::families::Families;
use self::selectors::Selectors;
use crate::pod::PodInfo;

/// Nodes with what runs on them, and who selects pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    nodes: BTreeMap<String, NodeInfo>,
    /// What runs on nodes that are not known, or not any more.
    strays: HashMap<String, Load>,
    placed: HashMap<ObjectKey, Placed>,
    families: Families,
    services: Selectors,
    controllers: Selectors,
}

/// Where a pod is.
#[derive(Clone, Debug, PartialEq)]
struct Placed {
    node: String,
    pod: Arc<PodInfo>,
    /// Not yet seen there.
    assumed: bool,
}

// === impl Snapshot ===

impl Snapshot {
    /// An empty cluster.
    pub fn new() -> Self {
        Self::default()
    }

    /// The nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name)
    }

    /// Takes in a node's state. Answers whether it now offers something else than before, or is new.
    pub fn apply_node(&mut self, node: Arc<Node>) -> bool {
        let name = node.metadata.name.clone();
        let mut old = self.nodes.remove(&name);
        let load = match &mut old {
            Some(old) => std::mem::take(&mut old.load),
            None => self.strays.remove(&name).unwrap_or_default(),
        };
        let new = NodeInfo::new(node, load);
        let offers_other = old.is_none_or(|old| !old.offers_as(&new));
        self.nodes.insert(name, new);
        offers_other
    }

    /// A node is gone. Its pods stay until they are deleted.
    pub fn delete_node(&mut self, name: &str) {
        let load = self.nodes.remove(name).map(|node| node.load);
        if let Some(load) = load.filter(|load| !load.is_empty()) {
            self.strays.insert(name.to_owned(), load);
        }
    }

    /// Takes in the state of a pod that is assigned to a node. Answers with the node where this makes room, if any.
    pub fn observe(&mut self, pod: Arc<PodInfo>) -> Option<String> {
        let node = pod.node_name().to_owned();
        let freed = match self.placed.get(&pod.key) {
            Some(placed) if placed.node == node && placed.pod.requests == pod.requests => None,
            Some(placed) => Some(placed.node.clone()),
            None => None,
        };
        self.place(pod, node, false);
        freed
    }

    /// Counts a pod on a node before the cluster shows it there.
    pub fn assume(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.place(pod, node.to_owned(), true);
    }

    /// Takes back an assumption that did not come true. Answers with the node that it freed.
    pub fn forget(&mut self, key: &ObjectKey, uid: &str) -> Option<String> {
        if self.is_assumed(key, uid) { self.remove(key) } else { None }
    }

    /// Takes back all assumptions.
    pub fn forget_assumed(&mut self) {
        let assumed = self.placed.iter().filter(|(_, placed)| placed.assumed);
        let assumed: Vec<ObjectKey> = assumed.map(|(key, _)| key.clone()).collect();
        for key in assumed {
            self.remove(&key);
        }
    }

    /// How many nodes there are, how many pods on nodes, and how many of these are only assumed there.
    pub fn sizes(&self) -> [usize; 3] {
        let assumed = self.placed.values().filter(|placed| placed.assumed);
        [self.nodes.len(), self.placed.len(), assumed.count()]
    }

    /// Whether this pod is on a node only because it was assumed there.
    pub fn is_assumed(&self, key: &ObjectKey, uid: &str) -> bool {
        self.placed.get(key).is_some_and(|placed| placed.assumed && placed.pod.uid() == uid)
    }

    /// A pod is gone or has ended. Answers with the node that it freed.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<String> {
        let placed = self.placed.remove(key)?;
        self.families.remove(&placed.pod, &placed.node);
        if let Some(node) = self.nodes.get_mut(&placed.node) {
            node.load.remove(&placed.pod);
        } else if let Some(load) = self.strays.get_mut(&placed.node) {
            load.remove(&placed.pod);
            if load.is_empty() {
                self.strays.remove(&placed.node);
            }
        }
        Some(placed.node)
    }

    /// Takes in a service.
    pub fn apply_service(&mut self, service: &Service) {
        self.services.set(ObjectKey::of(&service.metadata), &service.spec.selector);
    }

    /// A service is gone.
    pub fn delete_service(&mut self, key: &ObjectKey) {
        self.services.remove(key);
    }

    /// Takes in a replication controller.
    pub fn apply_controller(&mut self, controller: &ReplicationController) {
        self.controllers.set(ObjectKey::of(&controller.metadata), &controller.spec.selector);
    }

    /// A replication controller is gone.
    pub fn delete_controller(&mut self, key: &ObjectKey) {
        self.controllers.remove(key);
    }

    /// How many pods of the pod's service each node has: of the first service, by name, that selects the pod, as in
    /// 1.0. `None` if no service does.
    pub fn service_peers(&self, pod: &PodInfo) -> Option<BTreeMap<&str, usize>> {
        let selector = self.services.first(pod)?;
        Some(self.families.by_node(pod.namespace(), selector))
    }

    /// The same for the first replication controller that selects the pod.
    pub fn controller_peers(&self, pod: &PodInfo) -> Option<BTreeMap<&str, usize>> {
        let selector = self.controllers.first(pod)?;
        Some(self.families.by_node(pod.namespace(), selector))
    }

    /// The same cluster with these machines only; those whose names the cluster knows carry its pods. A machine of
    /// whose readiness nothing is said counts as ready: whoever names machines means them.
    #[must_use]
    pub fn with_machines(&self, machines: Vec<Node>) -> Self {
        let mut given = self.clone();
        let names: Vec<String> = given.nodes.keys().cloned().collect();
        for name in names {
            given.delete_node(&name);
        }
        for machine in machines {
            let name = machine.metadata.name.clone();
            let load = given.strays.get(&name).cloned().unwrap_or_default();
            given.nodes.insert(name, NodeInfo::given(Arc::new(machine), load));
        }
        given
    }

    /// The same cluster without this pod, for the question where else it could be. `None` if it is on no node.
    #[must_use]
    pub fn without(&self, key: &ObjectKey) -> Option<Self> {
        self.placed.contains_key(key).then(|| {
            let mut other = self.clone();
            other.remove(key);
            other
        })
    }

    fn place(&mut self, pod: Arc<PodInfo>, node: String, assumed: bool) {
        self.remove(&pod.key);
        self.families.add(&pod, &node);
        match self.nodes.get_mut(&node) {
            Some(node) => node.load.add(pod.clone()),
            None => self.strays.entry(node.clone()).or_default().add(pod.clone()),
        }
        self.placed.insert(pod.key.clone(), Placed { node, pod, assumed });
    }
}

#[cfg(test)]
mod tests;
