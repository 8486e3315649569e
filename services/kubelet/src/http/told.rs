//! The node's things in the forms of old: cAdvisor's, and pods as the runtime has them. Pure.

use keelson_proto::core::{Container, Pod};
use keelson_proto::v1::{InterfaceUsage, RootInfoResponse, Usage};
use serde_json::{Value, json};

use crate::runtime::{ContainerState, ObservedContainer, Role};
use crate::worker::View;

/// A pod as its running containers tell of it; none if there are none.
pub(super) fn running(view: &View) -> Option<Pod> {
    let runs = |c: &&ObservedContainer| matches!(c.state, ContainerState::Running { .. });
    let running: Vec<&ObservedContainer> = view.containers.iter().filter(runs).collect();
    let identity = &running.first()?.identity.pod;
    let mut pod = Pod::default();
    pod.metadata.name.clone_from(&identity.name);
    pod.metadata.namespace.clone_from(&identity.namespace);
    pod.metadata.uid.clone_from(&identity.uid);
    let apps = running.iter().filter(|container| container.identity.role != Role::Infra);
    let containers = apps.map(|container| Container {
        name: container.identity.container.clone(),
        image: container.image.clone(),
        ..Container::default()
    });
    pod.spec.containers = containers.collect();
    Some(pod)
}

/// cAdvisor's MachineInfo.
pub(super) fn machine(root: &RootInfoResponse) -> Value {
    let system = root.system.clone().unwrap_or_default();
    let filesystem = root.usage.as_ref().and_then(|usage| usage.filesystem.as_ref());
    let filesystems: Vec<Value> =
        filesystem.iter().map(|fs| json!({ "capacity": fs.capacity_bytes, "inodes": fs.inodes })).collect();
    json!({
        "num_cores": root.cores,
        "memory_capacity": root.memory_bytes,
        "machine_id": system.machine_id,
        "system_uuid": system.system_uuid,
        "boot_id": system.boot_id,
        "filesystems": filesystems,
    })
}

/// cAdvisor's ContainerInfo, with the present as its only statistics.
pub(super) fn container(name: &str, usage: Option<&Usage>) -> Value {
    json!({ "name": name, "stats": usage.map(statistics).into_iter().collect::<Vec<_>>() })
}

fn statistics(usage: &Usage) -> Value {
    json!({
        "timestamp": usage.time,
        "cpu": { "usage": { "total": usage.cpu_nanoseconds.unwrap_or(0) } },
        "memory": {
            "usage": usage.memory_usage_bytes.unwrap_or(0),
            "working_set": usage.memory_working_set_bytes.unwrap_or(0),
            "rss": usage.memory_rss_bytes.unwrap_or(0),
        },
        "network": { "interfaces": usage.interfaces.iter().map(interface).collect::<Vec<_>>() },
    })
}

fn interface(is: &InterfaceUsage) -> Value {
    json!({
        "name": is.name,
        "rx_bytes": is.received_bytes,
        "rx_errors": is.receive_errors,
        "tx_bytes": is.sent_bytes,
        "tx_errors": is.send_errors,
    })
}
