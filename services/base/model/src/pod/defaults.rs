//! What a pod's author may leave out.

use keelson_proto::core::{Container, Pod, PodSpec, PodStatus};
use keelson_proto::core::{HostIp, PodIp};

use crate::{container, resources, volume};

/// Fills in what may be left out of a pod.
pub fn set_defaults(pod: &mut Pod) {
    set_spec_defaults(&mut pod.spec);
    pod.spec.enable_service_links.get_or_insert(true);
    if pod.spec.host_network {
        for container in pod.spec.containers.iter_mut().chain(&mut pod.spec.init_containers) {
            set_host_ports(container);
        }
    }
    set_addresses(&mut pod.status);
}

/// Fills in what may be left out of a pod's spec, in a pod as in a template.
pub fn set_spec_defaults(spec: &mut PodSpec) {
    fill(&mut spec.restart_policy, "Always");
    fill(&mut spec.dns_policy, "ClusterFirst");
    fill(&mut spec.scheduler_name, "default-scheduler");
    spec.termination_grace_period_seconds.get_or_insert(30);
    spec.security_context.get_or_insert_default();
    // serviceAccount is the old name of serviceAccountName; both are kept for readers of either.
    if spec.service_account_name.is_empty() {
        spec.service_account_name.clone_from(&spec.service_account);
    }
    spec.service_account.clone_from(&spec.service_account_name);
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        container::set_defaults(container);
    }
    spec.volumes.iter_mut().for_each(volume::set_defaults);
    resources::canonicalize(&mut spec.overhead);
}

/// A container on the node's network takes the node's ports.
fn set_host_ports(container: &mut Container) {
    for port in &mut container.ports {
        if port.host_port == 0 {
            port.host_port = port.container_port;
        }
    }
}

/// The single address and the list of them say the same; the single one wins.
fn set_addresses(status: &mut PodStatus) {
    if status.pod_ip.is_empty() {
        status.pod_ip = status.pod_ips.first().map(|first| first.ip.clone()).unwrap_or_default();
    } else if status.pod_ips.first().is_none_or(|first| first.ip != status.pod_ip) {
        status.pod_ips = vec![PodIp { ip: status.pod_ip.clone() }];
    }
    if status.host_ip.is_empty() {
        status.host_ip = status.host_ips.first().map(|first| first.ip.clone()).unwrap_or_default();
    } else if status.host_ips.first().is_none_or(|first| first.ip != status.host_ip) {
        status.host_ips = vec![HostIp { ip: status.host_ip.clone() }];
    }
}

fn fill(field: &mut String, default: &str) {
    if field.is_empty() {
        field.push_str(default);
    }
}
