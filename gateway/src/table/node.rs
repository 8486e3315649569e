//! The row of a node.

use jiff::Timestamp;
use keelson_proto::core::Node;

use super::{AGE, Cell, Column, NAME, Tabled, or_none, or_unknown, since, text, wide};

/// Labels that give a node a role: the key's rest is the role.
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";

/// The older label: its value is the role.
const ROLE: &str = "kubernetes.io/role";

impl Tabled for Node {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Status", "Whether the node is ready, and whether it takes new pods."),
        text("Roles", "Roles that the node's labels give it."),
        AGE,
        text("Version", "Version of the node's kubelet."),
        wide(text("Internal-IP", "Address of the node inside the cluster.")),
        wide(text("External-IP", "Address of the node outside the cluster.")),
        wide(text("OS-Image", "Operating system of the node.")),
        wide(text("Kernel-Version", "Kernel of the node.")),
        wide(text("Container-Runtime", "Container runtime of the node.")),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let info = &self.status.node_info;
        vec![
            self.metadata.name.as_str().into(),
            status(self).into(),
            roles(self).into(),
            since(self.metadata.creation_timestamp, now).into(),
            info.kubelet_version.as_str().into(),
            address(self, "InternalIP").into(),
            address(self, "ExternalIP").into(),
            or_unknown(&info.os_image).into(),
            or_unknown(&info.kernel_version).into(),
            or_unknown(&info.container_runtime_version).into(),
        ]
    }
}

fn status(node: &Node) -> String {
    let ready = node.status.conditions.iter().find(|condition| condition.r#type == "Ready");
    let ready = ready.map_or("Unknown", |ready| if ready.status == "True" { "Ready" } else { "NotReady" });
    if node.spec.unschedulable { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn roles(node: &Node) -> String {
    let roles = node.metadata.labels.iter().filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
        Some(role) => Some(role),
        None if key == ROLE => Some(value.as_str()),
        None => None,
    });
    let mut roles: Vec<&str> = roles.filter(|role| !role.is_empty()).collect();
    roles.sort_unstable();
    roles.dedup();
    or_none(&roles.join(",")).to_owned()
}

fn address<'a>(node: &'a Node, kind: &str) -> &'a str {
    let found = node.status.addresses.iter().find(|address| address.r#type == kind);
    or_none(found.map(|address| address.address.as_str()).unwrap_or_default())
}
