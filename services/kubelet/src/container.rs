//! From a pod's definition to what the runtime is asked to make. Pure.

mod dns;
mod names;
mod resources;
mod security;

pub use self::dns::DnsConfig;
pub use self::names::{NameTooLong, names};
pub use self::security::{RootRefused, SeccompWish, seccomp};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use keelson_proto::core::{Container, ContainerPort, Pod};
use sha2::{Digest as _, Sha256};

use crate::env::expand;
use crate::plan::INFRA;
use crate::runtime::{
    ContainerSpec, Identity, Infra, LogLimits, Mount, PodNetwork, PodRef, PortMapping, Process, Role,
    Seccomp, Security,
};

/// Bytes of the hash that are kept: enough to tell two images of one container apart.
const HASH_BYTES: usize = 8;

/// An app or init container, as far as the pod's definition does not say it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Its attempt number.
    pub attempt: u32,
    /// Id of the infra container to join.
    pub infra: String,
    /// Its environment, complete.
    pub env: Vec<(String, String)>,
    /// Its mounts, complete.
    pub mounts: Vec<Mount>,
    /// The user that its image says.
    pub image_user: String,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// Bytes of memory that the node has, for the order in which the kernel kills.
    pub node_memory: i64,
    /// Processes and threads that it may have; 0 is any number.
    pub pids: u64,
}

/// Changes if the container must be made anew: with its name or image, the only parts of a running pod that api lets
/// change. (A hash over the whole definition would restart everything when a newer kubelet knows a new default.)
pub fn hash(container: &Container) -> String {
    let digest = Sha256::new().chain_update(&container.name).chain_update([0]).chain_update(&container.image);
    digest.finalize().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// The pod's reference.
pub fn pod_ref(pod: &Pod) -> PodRef {
    let metadata = &pod.metadata;
    PodRef { uid: metadata.uid.clone(), namespace: metadata.namespace.clone(), name: metadata.name.clone() }
}

/// The infra container of `pod`; `image` "" is the runtime's own. Fails if the pod's name is too long for a host's.
pub fn infra(pod: &Pod, attempt: u32, image: &str, dns: &DnsConfig) -> Result<ContainerSpec, NameTooLong> {
    let spec = &pod.spec;
    let network = (!spec.host_network).then(|| PodNetwork { ports: ports(pod), hosts: hosts(pod) });
    let context = spec.security_context.as_ref();
    let sysctls = context.map(|context| &context.sysctls).into_iter().flatten();
    let infra = Infra {
        hostname: names::own(pod, dns)?,
        network,
        host_ipc: spec.host_ipc,
        dns: dns::resolve(pod, dns),
        sysctls: sysctls.map(|sysctl| (sysctl.name.clone(), sysctl.value.clone())).collect(),
    };
    Ok(ContainerSpec {
        identity: identity(pod, INFRA, Role::Infra, attempt, String::new()),
        image: image.to_owned(),
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        working_dir: String::new(),
        mounts: Vec::new(),
        resources: resources::infra(),
        security: Security::default(),
        stdin: false,
        stdin_once: false,
        tty: false,
        log: LogLimits::default(),
        process: Process::Infra(infra),
    })
}

/// An app or init container of `pod`. Fails if it must not run as root and would.
pub fn app(
    pod: &Pod,
    container: &Container,
    role: Role,
    surroundings: Surroundings,
) -> Result<ContainerSpec, RootRefused> {
    let mut security = security::security(pod, container, &surroundings.image_user)?;
    security.seccomp = surroundings.seccomp;
    let variables: BTreeMap<&str, &str> =
        surroundings.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expanded = |words: &[String]| -> Vec<String> {
        words.iter().map(|word| expand(word, |name| variables.get(name).copied())).collect()
    };
    Ok(ContainerSpec {
        identity: identity(pod, &container.name, role, surroundings.attempt, hash(container)),
        image: container.image.clone(),
        command: expanded(&container.command),
        args: expanded(&container.args),
        resources: resources::app(pod, container, surroundings.node_memory, surroundings.pids),
        working_dir: container.working_dir.clone(),
        security,
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        tty: container.tty,
        log: LogLimits::default(),
        process: Process::Join {
            infra: surroundings.infra,
            host_pid: pod.spec.host_pid,
            share_pid: pod.spec.share_process_namespace.unwrap_or(false),
            host_ipc: pod.spec.host_ipc,
        },
        env: surroundings.env,
        mounts: surroundings.mounts,
    })
}

fn identity(pod: &Pod, name: &str, role: Role, attempt: u32, hash: String) -> Identity {
    let grace = pod.spec.termination_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Identity {
        pod: pod_ref(pod),
        container: name.to_owned(),
        role,
        attempt,
        hash,
        grace: Duration::from_secs(grace.unwrap_or(30)),
    }
}

fn ports(pod: &Pod) -> Vec<PortMapping> {
    let mapping = |port: &ContainerPort| {
        Some(PortMapping {
            host_ip: port.host_ip.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified()),
            host_port: u16::try_from(port.host_port).ok().filter(|port| *port > 0)?,
            container_port: u16::try_from(port.container_port).ok()?,
            protocol: if port.protocol.is_empty() { "TCP".to_owned() } else { port.protocol.clone() },
        })
    };
    pod.spec.containers.iter().flat_map(|container| &container.ports).filter_map(mapping).collect()
}

fn hosts(pod: &Pod) -> Vec<(IpAddr, Vec<String>)> {
    let aliases = pod.spec.host_aliases.iter();
    aliases.filter_map(|alias| Some((alias.ip.parse().ok()?, alias.hostnames.clone()))).collect()
}

#[cfg(test)]
mod tests;
