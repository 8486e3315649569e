//! One container of a pod: its defaults and rules, and questions about it.

mod defaults;
mod env;
mod security;
mod validate;

use keelson_proto::core::Container;

pub use self::defaults::{default_pull_policy, set_defaults};
pub(crate) use self::env::{validate_field_ref, validate_resource_ref};
pub use self::security::forbids_privilege;
pub(crate) use self::security::{validate_pod_security, validate_security};
pub(crate) use self::validate::{HostPorts, Surroundings, validate_containers, validate_init_containers};

/// The values of `imagePullPolicy` (and of `pullPolicy` of an image volume).
pub const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

/// Whether the container may write to the whole machine.
pub fn is_privileged(container: &Container) -> bool {
    container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true))
}

/// Whether an init container keeps running beside the others (a sidecar).
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// The number of the port that `port` (a number, or the name of one of the container's ports) means.
pub fn port_number(container: &Container, port: &keelson_proto::intstr::IntOrString) -> Option<u16> {
    let number = match port.as_str() {
        None => port.int_val,
        Some(name) => container.ports.iter().find(|port| port.name == name)?.container_port,
    };
    u16::try_from(number).ok().filter(|number| *number != 0)
}

#[cfg(test)]
mod tests;
