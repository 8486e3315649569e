//! Pods: their defaults and rules, and the questions that schedulers, kubelets and controllers ask of them.

mod binding;
mod defaults;
mod facts;
mod references;
mod resources;
mod scheduling;
mod selectable;
mod status;
mod update;
mod validate;

use keelson_proto::core::{Container, ContainerStatus, Pod, PodCondition};
use keelson_proto::meta::Time;

pub use self::binding::validate_binding;
pub use self::defaults::{set_defaults, set_spec_defaults};
pub use self::facts::field_value;
pub use self::references::{References, references};
pub use self::resources::{limited, limits, qos_class, requested, requests};
pub(crate) use self::scheduling::{validate_label_selector, validate_node_selector};
pub use self::selectable::{FIELDS, fields};
pub use self::status::{prepare_status_update, validate_status_update};
pub use self::update::{prepare_update, validate_update};
pub use self::validate::{validate, validate_template};
use crate::conditions;
use crate::key::ObjectKey;

/// The phases of a pod's life.
pub mod phase {
    /// Not all containers have started yet.
    pub const PENDING: &str = "Pending";
    /// At least one container runs, or will run again.
    pub const RUNNING: &str = "Running";
    /// All containers have ended well and none will run again.
    pub const SUCCEEDED: &str = "Succeeded";
    /// All containers have ended, at least one badly.
    pub const FAILED: &str = "Failed";
    /// The node has not been heard of.
    pub const UNKNOWN: &str = "Unknown";
}

/// The types of a pod's conditions.
pub mod condition_type {
    /// The pod has a node.
    pub const SCHEDULED: &str = "PodScheduled";
    /// All init containers have ended well.
    pub const INITIALIZED: &str = "Initialized";
    /// All containers are ready.
    pub const CONTAINERS_READY: &str = "ContainersReady";
    /// The pod may get traffic.
    pub const READY: &str = "Ready";
}

/// A port of the node that a pod occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostPort<'a> {
    /// TCP, UDP or SCTP.
    pub protocol: &'a str,
    /// Address of the node on which the port is taken; all if empty or `0.0.0.0`.
    pub ip: &'a str,
    /// The port.
    pub port: i32,
}

/// What the server writes into a pod that begins to exist: the phase, and the class of its resource needs.
/// Call [`set_defaults`] first, which the class depends on.
pub fn prepare_create(pod: &mut Pod) {
    pod.status = keelson_proto::core::PodStatus {
        phase: phase::PENDING.to_owned(),
        qos_class: qos_class(pod).to_owned(),
        ..Default::default()
    };
}

/// The pod's namespace and name.
pub fn key(pod: &Pod) -> ObjectKey {
    ObjectKey::of(&pod.metadata)
}

/// The condition that says whether the pod may get traffic.
pub fn ready_condition(pod: &Pod) -> Option<&PodCondition> {
    conditions::find(&pod.status.conditions, condition_type::READY)
}

/// Whether the pod may get traffic.
pub fn is_ready(pod: &Pod) -> bool {
    conditions::is_true(&pod.status.conditions, condition_type::READY)
}

/// Whether the pod has been ready for `min_ready_seconds` at the time `now`.
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Time) -> bool {
    let Some(ready) = ready_condition(pod).filter(|condition| condition.status == conditions::TRUE) else {
        return false;
    };
    let since = ready.last_transition_time.map(|since| since.seconds);
    min_ready_seconds <= 0 || since.is_some_and(|since| since + i64::from(min_ready_seconds) <= now.seconds)
}

/// Whether all containers have ended and none will run again.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), phase::SUCCEEDED | phase::FAILED)
}

/// Whether the pod counts as one that runs or will: neither ended nor being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether the pod has a node.
pub fn is_assigned(pod: &Pod) -> bool {
    !pod.spec.node_name.is_empty()
}

/// The pod's priority; 0 if nobody gave it one.
pub fn priority(pod: &Pod) -> i32 {
    pod.spec.priority.unwrap_or(0)
}

/// The containers of the pod, those that run first included.
pub fn all_containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.init_containers.iter().chain(&pod.spec.containers)
}

/// What is known of the container with this name, whether it is an init container or not.
pub fn container_status<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = &pod.status;
    status.container_statuses.iter().chain(&status.init_container_statuses).find(|one| one.name == name)
}

/// The ports of the node that the pod occupies while it runs: of its containers and sidecars.
pub fn host_ports(pod: &Pod) -> impl Iterator<Item = HostPort<'_>> {
    let sidecars =
        pod.spec.init_containers.iter().filter(|container| crate::container::is_sidecar(container));
    let ports = sidecars.chain(&pod.spec.containers).flat_map(|container| &container.ports);
    ports.filter(|port| port.host_port != 0).map(|port| HostPort {
        protocol: if port.protocol.is_empty() { "TCP" } else { &port.protocol },
        ip: &port.host_ip,
        port: port.host_port,
    })
}

// === impl HostPort ===

impl HostPort<'_> {
    /// Whether two pods cannot have both ports on one node.
    pub fn conflicts_with(&self, other: &HostPort<'_>) -> bool {
        let every = |ip: &str| matches!(ip, "" | "0.0.0.0");
        let meets = every(self.ip) || every(other.ip) || self.ip == other.ip;
        self.port == other.port && self.protocol == other.protocol && meets
    }
}

#[cfg(test)]
mod tests;
