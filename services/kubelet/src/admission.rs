//! Whether this node takes a pod that was bound to it. The scheduler has asked the same; but others bind too, and nodes
//! change. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_base_model::node;
use keelson_base_model::quantity::Quantity;
use keelson_proto::core::{ContainerPort, Pod, Taint};
use keelson_proto::resource;

use crate::plan::Rejection;

/// The effect of taints that drive pods away.
const NO_EXECUTE: &str = "NoExecute";

/// Another pod has the host port.
const PORT_CONFLICT: &str = "HostPortConflict";

/// What counts about a node.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// The node's labels.
    pub labels: BTreeMap<String, String>,
    /// What pods can get of it in all.
    pub allocatable: BTreeMap<String, resource::Quantity>,
    /// The node's taints; only those count here that would drive the pod away again (NoExecute).
    pub taints: Vec<Taint>,
}

/// Fails with the reason for which the node will not run `pod` beside `others`, the pods it already took and that have
/// not ended. Required node affinity is left to the scheduler.
pub fn admit(pod: &Pod, others: &[Arc<Pod>], node: &NodeView) -> Result<(), Rejection> {
    let capacity = Quantity::of(&node.allocatable, "pods").value();
    let used = i64::try_from(others.len()).unwrap_or(i64::MAX);
    if used >= capacity {
        return Err(out_of("pods", 1, used, capacity));
    }
    let selector = &pod.spec.node_selector;
    if selector.iter().any(|(key, value)| node.labels.get(key) != Some(value)) {
        let message = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
        return Err(Rejection { reason: "NodeAffinity".to_owned(), message: message.to_owned() });
    }
    if node::untolerated(&node.taints, &pod.spec.tolerations, &[NO_EXECUTE]).is_some() {
        let message = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate";
        return Err(Rejection { reason: "TaintToleration".to_owned(), message: message.to_owned() });
    }
    for other in others {
        if let Some(port) = conflict(pod, other) {
            let owner = &other.metadata;
            let message = format!("host port {port} is in use by pod {}/{}", owner.namespace, owner.name);
            return Err(Rejection { reason: PORT_CONFLICT.to_owned(), message });
        }
    }
    for (name, measure) in [("cpu", Quantity::milli as fn(&Quantity) -> i64), ("memory", Quantity::value)] {
        let used: i64 = others.iter().map(|other| request(other, name, measure)).sum();
        let (wanted, capacity) =
            (request(pod, name, measure), measure(&Quantity::of(&node.allocatable, name)));
        if wanted > 0 && used.saturating_add(wanted) > capacity {
            return Err(out_of(name, wanted, used, capacity));
        }
    }
    Ok(())
}

/// Whether a rejection depends on what the node is like, which may have changed meanwhile.
pub(crate) fn is_about_node(rejection: &Rejection) -> bool {
    rejection.reason != PORT_CONFLICT
}

fn out_of(resource: &str, wanted: i64, used: i64, capacity: i64) -> Rejection {
    let message = format!(
        "Node didn't have enough resource: {resource}, requested: {wanted}, used: {used}, capacity: {capacity}"
    );
    Rejection { reason: format!("OutOf{resource}"), message }
}

/// What the pod asks for: the sum of its containers, or its largest init container if that is more.
fn request(pod: &Pod, name: &str, measure: fn(&Quantity) -> i64) -> i64 {
    let of = |container: &keelson_proto::core::Container| {
        measure(&Quantity::of(&container.resources.requests, name))
    };
    let apps: i64 = pod.spec.containers.iter().map(of).sum();
    pod.spec.init_containers.iter().map(of).fold(apps, i64::max)
}

/// A host port that both want.
fn conflict(a: &Pod, b: &Pod) -> Option<i32> {
    let clash = |a: &ContainerPort, b: &ContainerPort| {
        let wild = |ip: &str| matches!(ip, "" | "0.0.0.0" | "::");
        let same_ip = a.host_ip == b.host_ip || wild(&a.host_ip) || wild(&b.host_ip);
        a.host_port == b.host_port && protocol(a) == protocol(b) && same_ip
    };
    host_ports(a).find(|port| host_ports(b).any(|other| clash(port, other))).map(|port| port.host_port)
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    pod.spec.containers.iter().flat_map(|container| &container.ports).filter(|port| port.host_port > 0)
}

fn protocol(port: &ContainerPort) -> &str {
    if port.protocol.is_empty() { "TCP" } else { &port.protocol }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Container;

    use super::*;

    fn quantity(text: &str) -> resource::Quantity {
        resource::Quantity { string: text.to_owned() }
    }

    fn mk_pod(cpu: &str, ports: &[(i32, &str, &str)]) -> Pod {
        let mut container = Container::default();
        container.resources.requests.insert("cpu".to_owned(), quantity(cpu));
        let port = |&(host_port, protocol, ip): &(i32, &str, &str)| ContainerPort {
            host_port,
            protocol: protocol.to_owned(),
            host_ip: ip.to_owned(),
            ..ContainerPort::default()
        };
        container.ports = ports.iter().map(port).collect();
        let mut pod = Pod::default();
        pod.spec.containers.push(container);
        pod
    }

    fn reason(pod: &Pod, others: &[Pod]) -> String {
        let others: Vec<_> = others.iter().cloned().map(Arc::new).collect();
        let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
        let amounts = [("pods", "2"), ("cpu", "1"), ("memory", "1Gi")];
        let allocatable = amounts.map(|(name, text)| (name.to_owned(), quantity(text))).into();
        let node = NodeView { labels, allocatable, taints: Vec::new() };
        admit(pod, &others, &node).map_or_else(|rejection| rejection.reason, |()| String::new())
    }

    #[test]
    fn admission_table() {
        let with_selector = |zone: &str| {
            let mut pod = mk_pod("1m", &[]);
            pod.spec.node_selector.insert("zone".to_owned(), zone.to_owned());
            pod
        };
        let small = || mk_pod("400m", &[]);
        let table = [
            ("fits", small(), vec![small()], ""),
            ("no cpu left", mk_pod("601m", &[]), vec![small()], "OutOfcpu"),
            ("no place left", small(), vec![Pod::default(), Pod::default()], "OutOfpods"),
            ("asks for nothing", Pod::default(), vec![mk_pod("1", &[])], ""),
            ("selector matches", with_selector("a"), vec![], ""),
            ("selector does not match", with_selector("b"), vec![], "NodeAffinity"),
            (
                "port taken",
                mk_pod("0", &[(80, "TCP", "")]),
                vec![mk_pod("0", &[(80, "", "")])],
                "HostPortConflict",
            ),
            ("other protocol", mk_pod("0", &[(80, "UDP", "")]), vec![mk_pod("0", &[(80, "TCP", "")])], ""),
            (
                "other address",
                mk_pod("0", &[(80, "TCP", "127.0.0.1")]),
                vec![mk_pod("0", &[(80, "TCP", "127.0.0.2")])],
                "",
            ),
            (
                "all addresses",
                mk_pod("0", &[(80, "TCP", "0.0.0.0")]),
                vec![mk_pod("0", &[(80, "TCP", "127.0.0.2")])],
                "HostPortConflict",
            ),
            ("no host port", mk_pod("0", &[(0, "TCP", "")]), vec![mk_pod("0", &[(0, "TCP", "")])], ""),
        ];
        for (name, pod, others, expected) in table {
            assert_eq!(reason(&pod, &others), expected, "{name}");
        }
    }
}
