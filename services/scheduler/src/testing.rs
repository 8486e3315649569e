//! What tests are made of: pods and nodes in few words.

use std::sync::Arc;

use keelson_proto::core::{
    Container, ContainerPort, Node, NodeCondition, Pod, ReplicationController, Service, Taint, Toleration,
};
use keelson_proto::meta::Time;
use keelson_proto::resource;

use crate::pod::PodInfo;
use crate::snapshot::Snapshot;

pub(crate) struct MkPod(Pod);

pub(crate) struct MkNode(Node);

/// A pod in `default` with no container yet.
pub(crate) fn mk_pod(name: &str) -> MkPod {
    let mut pod = Pod::default();
    pod.metadata.name = name.to_owned();
    pod.metadata.namespace = "default".to_owned();
    pod.metadata.uid = format!("uid-{name}");
    pod.metadata.creation_timestamp = Some(Time { seconds: 1, nanos: 0 });
    MkPod(pod)
}

/// A ready node for 110 pods with 4 cores and 8 GiB.
pub(crate) fn mk_node(name: &str) -> MkNode {
    let mut node = Node::default();
    node.metadata.name = name.to_owned();
    let ready =
        NodeCondition { r#type: "Ready".to_owned(), status: "True".to_owned(), ..NodeCondition::default() };
    node.status.conditions.push(ready);
    MkNode(node).has("cpu", "4").has("memory", "8Gi").has("pods", "110")
}

pub(crate) fn mk_service(name: &str, key: &str, value: &str) -> Service {
    let mut service = Service::default();
    service.metadata.name = name.to_owned();
    service.metadata.namespace = "default".to_owned();
    service.spec.selector.insert(key.to_owned(), value.to_owned());
    service
}

pub(crate) fn mk_controller(name: &str, key: &str, value: &str) -> ReplicationController {
    let mut controller = ReplicationController::default();
    controller.metadata.name = name.to_owned();
    controller.metadata.namespace = "default".to_owned();
    controller.spec.selector.insert(key.to_owned(), value.to_owned());
    controller
}

/// These nodes with these pods on them.
pub(crate) fn mk_snapshot(
    nodes: impl IntoIterator<Item = MkNode>,
    pods: impl IntoIterator<Item = MkPod>,
) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for node in nodes {
        snapshot.apply_node(node.node());
    }
    for pod in pods {
        snapshot.observe(pod.info());
    }
    snapshot
}

fn quantity(text: &str) -> resource::Quantity {
    resource::Quantity { string: text.to_owned() }
}

// === impl MkPod ===

impl MkPod {
    pub(crate) fn container(self, requests: &[(&str, &str)]) -> Self {
        self.edit(|pod| {
            let name = format!("c{}", pod.spec.containers.len());
            let mut container = Container { name, ..Container::default() };
            let requests = requests.iter().map(|(name, amount)| ((*name).to_owned(), quantity(amount)));
            container.resources.requests = requests.collect();
            pod.spec.containers.push(container);
        })
    }

    pub(crate) fn port(self, port: i32, protocol: &str, ip: &str) -> Self {
        self.container(&[]).edit(|pod| {
            let port = ContainerPort {
                container_port: port,
                host_port: port,
                protocol: protocol.to_owned(),
                host_ip: ip.to_owned(),
                ..ContainerPort::default()
            };
            pod.spec.containers.last_mut().unwrap().ports.push(port);
        })
    }

    pub(crate) fn label(self, key: &str, value: &str) -> Self {
        self.edit(|pod| drop(pod.metadata.labels.insert(key.to_owned(), value.to_owned())))
    }

    pub(crate) fn selector(self, key: &str, value: &str) -> Self {
        self.edit(|pod| drop(pod.spec.node_selector.insert(key.to_owned(), value.to_owned())))
    }

    pub(crate) fn tolerating(self, key: &str) -> Self {
        self.edit(|pod| {
            pod.spec.tolerations.push(Toleration {
                key: key.to_owned(),
                operator: "Exists".to_owned(),
                ..Toleration::default()
            });
        })
    }

    pub(crate) fn priority(self, priority: i32) -> Self {
        self.edit(|pod| pod.spec.priority = Some(priority))
    }

    pub(crate) fn on(self, node: &str) -> Self {
        self.edit(|pod| pod.spec.node_name = node.to_owned())
    }

    pub(crate) fn edit(mut self, edit: impl FnOnce(&mut Pod)) -> Self {
        edit(&mut self.0);
        self
    }

    pub(crate) fn pod(self) -> Arc<Pod> {
        Arc::new(self.0)
    }

    pub(crate) fn info(self) -> Arc<PodInfo> {
        Arc::new(PodInfo::new(self.pod()))
    }
}

// === impl MkNode ===

impl MkNode {
    pub(crate) fn has(self, resource: &str, amount: &str) -> Self {
        self.edit(|node| drop(node.status.allocatable.insert(resource.to_owned(), quantity(amount))))
    }

    pub(crate) fn label(self, key: &str, value: &str) -> Self {
        self.edit(|node| drop(node.metadata.labels.insert(key.to_owned(), value.to_owned())))
    }

    pub(crate) fn taint(self, key: &str, value: &str, effect: &str) -> Self {
        self.edit(|node| {
            node.spec.taints.push(Taint {
                key: key.to_owned(),
                value: value.to_owned(),
                effect: effect.to_owned(),
                ..Taint::default()
            });
        })
    }

    pub(crate) fn closed(self) -> Self {
        self.edit(|node| node.spec.unschedulable = true)
    }

    pub(crate) fn not_ready(self) -> Self {
        self.edit(|node| node.status.conditions[0].status = "False".to_owned())
    }

    pub(crate) fn edit(mut self, edit: impl FnOnce(&mut Node)) -> Self {
        edit(&mut self.0);
        self
    }

    pub(crate) fn node(self) -> Arc<Node> {
        Arc::new(self.0)
    }
}
