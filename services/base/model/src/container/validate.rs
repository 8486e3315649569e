//! The rules for a pod's containers.

use std::collections::{HashMap, HashSet};

use keelson_proto::core::{Container, ContainerPort, Volume, VolumeDevice, VolumeMount};

use super::env::{validate_env, validate_env_from};
use super::{PULL_POLICIES, validate_security};
use crate::field::{ErrorList, FieldError, Path};
use crate::probe::{self, Purpose};
use crate::{checks, names, resources, volume};

/// What a container's rules need to know of its pod.
pub(crate) struct Surroundings<'a> {
    /// The pod's volumes by name.
    volumes: HashMap<&'a str, &'a Volume>,
    /// How each port must be a port of the node, if the containers use the node's network.
    host_ports: HostPorts,
}

/// Whether a container's ports must be ports of the node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostPorts {
    /// They may.
    Free,
    /// They must, but in a template it is enough that they do not contradict: the pod's defaults do the rest.
    SameOrNone,
    /// They must.
    Same,
}

impl<'a> Surroundings<'a> {
    pub(crate) fn new(volumes: &'a [Volume], host_ports: HostPorts) -> Self {
        Self { volumes: volumes.iter().map(|volume| (volume.name.as_str(), volume)).collect(), host_ports }
    }
}

/// Checks the containers that run side by side.
pub(crate) fn validate_containers(
    containers: &[Container],
    pod: &Surroundings<'_>,
    path: &Path,
) -> ErrorList {
    let mut errors = ErrorList::new();
    if containers.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    let mut seen = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        validate_name(container, &mut seen, &path, &mut errors);
        validate_one(container, pod, &path, &mut errors);
        validate_probes(container, &path, &mut errors);
        if container.restart_policy.is_some() {
            let why = "may not be set for non-init containers";
            errors.push(FieldError::forbidden(&path.child("restartPolicy"), why));
        }
    }
    validate_host_ports(containers, path, &mut errors);
    errors
}

/// Checks the containers that run before `regular` ones, whose names they may not take.
pub(crate) fn validate_init_containers(
    containers: &[Container],
    regular: &[Container],
    pod: &Surroundings<'_>,
    path: &Path,
) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut seen: HashSet<&str> = regular.iter().map(|container| container.name.as_str()).collect();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        validate_name(container, &mut seen, &path, &mut errors);
        validate_one(container, pod, &path, &mut errors);
        let policy = container.restart_policy.as_deref();
        checks::none_or_one_of(policy, &["Always"], &path.child("restartPolicy"), &mut errors);
        if super::is_sidecar(container) {
            validate_probes(container, &path, &mut errors);
        } else {
            forbid_probes(container, &path, &mut errors);
        }
        validate_host_ports(std::slice::from_ref(container), &path, &mut errors);
    }
    errors
}

fn validate_name<'a>(
    container: &'a Container,
    seen: &mut HashSet<&'a str>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let path = path.child("name");
    match container.name.as_str() {
        "" => errors.push(FieldError::required(&path, "")),
        name => {
            errors.push_invalid(&path, name, names::dns_label(name));
            if !seen.insert(name) {
                errors.push(FieldError::duplicate(&path, name));
            }
        }
    }
}

fn validate_one(container: &Container, pod: &Surroundings<'_>, path: &Path, errors: &mut ErrorList) {
    let image = path.child("image");
    match container.image.as_str() {
        "" => errors.push(FieldError::required(&image, "")),
        name if name.trim() != name => {
            errors.push(FieldError::invalid(&image, name, "must not have leading or trailing whitespace"));
        }
        _ => {}
    }
    if let Some(lifecycle) = &container.lifecycle {
        errors.extend(probe::validate_lifecycle(lifecycle, &path.child("lifecycle")));
    }
    let policies = &["FallbackToLogsOnError", "File"];
    let policy = path.child("terminationMessagePolicy");
    checks::one_of(&container.termination_message_policy, policies, &policy, errors);
    validate_ports(&container.ports, pod.host_ports, &path.child("ports"), errors);
    validate_env(&container.env, &path.child("env"), errors);
    validate_env_from(&container.env_from, &path.child("envFrom"), errors);
    validate_mounts(container, pod, path, errors);
    checks::one_of(&container.image_pull_policy, PULL_POLICIES, &path.child("imagePullPolicy"), errors);
    errors.extend(resources::validate_requirements(&container.resources, &path.child("resources")));
    if let Some(context) = &container.security_context {
        validate_security(context, &path.child("securityContext"), errors);
    }
}

fn validate_probes(container: &Container, path: &Path, errors: &mut ErrorList) {
    let probes = [
        ("livenessProbe", &container.liveness_probe, Purpose::Liveness),
        ("readinessProbe", &container.readiness_probe, Purpose::Readiness),
        ("startupProbe", &container.startup_probe, Purpose::Startup),
    ];
    for (name, probe, purpose) in probes {
        if let Some(probe) = probe {
            errors.extend(probe::validate(probe, purpose, &path.child(name)));
        }
    }
}

/// An init container that ends has nobody to probe it.
fn forbid_probes(container: &Container, path: &Path, errors: &mut ErrorList) {
    let given = [
        ("lifecycle", container.lifecycle.is_some()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ];
    for (name, _) in given.into_iter().filter(|(_, given)| *given) {
        let why = "may not be set for init containers without restartPolicy=Always";
        errors.push(FieldError::forbidden(&path.child(name), why));
    }
}

fn validate_ports(ports: &[ContainerPort], host_ports: HostPorts, path: &Path, errors: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = path.child("name");
        if !port.name.is_empty() {
            errors.push_invalid(&name, &port.name, names::port_name(&port.name));
            if !seen.insert(port.name.as_str()) {
                errors.push(FieldError::duplicate(&name, port.name.as_str()));
            }
        }
        match port.container_port {
            0 => errors.push(FieldError::required(&path.child("containerPort"), "")),
            number => checks::port(number, &path.child("containerPort"), errors),
        }
        if port.host_port != 0 {
            checks::port(port.host_port, &path.child("hostPort"), errors);
        }
        let bound =
            host_ports == HostPorts::Same || (host_ports == HostPorts::SameOrNone && port.host_port != 0);
        if bound && port.host_port != port.container_port {
            let why = "must match `containerPort` when `hostNetwork` is true";
            errors.push(FieldError::invalid(&path.child("hostPort"), port.host_port, why));
        }
        checks::one_of(&port.protocol, checks::PROTOCOLS, &path.child("protocol"), errors);
    }
}

/// No two containers can have the same port of the node.
fn validate_host_ports(containers: &[Container], path: &Path, errors: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (port_index, port) in container.ports.iter().enumerate().filter(|(_, port)| port.host_port != 0) {
            let taken = format!("{}/{}/{}", port.protocol, port.host_ip, port.host_port);
            let path = path.index(index).child("ports").index(port_index).child("hostPort");
            if seen.contains(&taken) {
                errors.push(FieldError::duplicate(&path, taken));
            } else {
                seen.insert(taken);
            }
        }
    }
}

fn validate_mounts(container: &Container, pod: &Surroundings<'_>, path: &Path, errors: &mut ErrorList) {
    let mut places = HashSet::new();
    for (index, mount) in container.volume_mounts.iter().enumerate() {
        let path = path.child("volumeMounts").index(index);
        validate_mount(mount, container, pod, &path, errors);
        if !mount.mount_path.is_empty() && !places.insert(mount.mount_path.as_str()) {
            let path = path.child("mountPath");
            errors.push(FieldError::invalid(&path, mount.mount_path.as_str(), "must be unique"));
        }
    }
    for (index, device) in container.volume_devices.iter().enumerate() {
        let path = path.child("volumeDevices").index(index);
        validate_device(device, pod, &path, errors);
        if !places.insert(device.device_path.as_str()) {
            let path = path.child("devicePath");
            errors.push(FieldError::invalid(&path, device.device_path.as_str(), "must be unique"));
        }
    }
}

fn validate_mount(
    mount: &VolumeMount,
    container: &Container,
    pod: &Surroundings<'_>,
    path: &Path,
    errors: &mut ErrorList,
) {
    checks::given(&mount.name, &path.child("name"), errors);
    if !pod.volumes.contains_key(mount.name.as_str()) {
        errors.push(FieldError::not_found(&path.child("name"), mount.name.as_str()));
    }
    checks::given(&mount.mount_path, &path.child("mountPath"), errors);
    checks::descending_path(&mount.sub_path, &path.child("subPath"), errors);
    checks::descending_path(&mount.sub_path_expr, &path.child("subPathExpr"), errors);
    if !mount.sub_path.is_empty() && !mount.sub_path_expr.is_empty() {
        let why = "subPathExpr and subPath are mutually exclusive";
        errors.push(FieldError::invalid(&path.child("subPathExpr"), mount.sub_path_expr.as_str(), why));
    }
    let modes = &["Bidirectional", "HostToContainer", "None"];
    let propagation = path.child("mountPropagation");
    checks::none_or_one_of(mount.mount_propagation.as_deref(), modes, &propagation, errors);
    if mount.mount_propagation.as_deref() == Some("Bidirectional") && !super::is_privileged(container) {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(FieldError::forbidden(&propagation, why));
    }
}

fn validate_device(device: &VolumeDevice, pod: &Surroundings<'_>, path: &Path, errors: &mut ErrorList) {
    checks::given(&device.name, &path.child("name"), errors);
    checks::given(&device.device_path, &path.child("devicePath"), errors);
    checks::no_backsteps(&device.device_path, &path.child("devicePath"), errors);
    match pod.volumes.get(device.name.as_str()) {
        None => errors.push(FieldError::not_found(&path.child("name"), device.name.as_str())),
        Some(source) if !volume::can_be_block_device(source) => {
            let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            errors.push(FieldError::invalid(&path.child("name"), device.name.as_str(), why));
        }
        Some(_) => {}
    }
}
