//! The fields that pods can be selected by.

use std::borrow::Cow;

use keelson_proto::core::Pod;

use crate::meta;

/// The fields that pods can be selected by; `spec.host` is the old name of `spec.nodeName`.
pub const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "spec.host",
    "spec.hostNetwork",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.nominatedNodeName",
    "status.phase",
    "status.podIP",
    "status.podIPs",
];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(pod: &'a Pod, field: &str) -> Option<Cow<'a, str>> {
    let value: &str = match field {
        "spec.nodeName" | "spec.host" => &pod.spec.node_name,
        "spec.restartPolicy" => &pod.spec.restart_policy,
        "spec.schedulerName" => &pod.spec.scheduler_name,
        "spec.serviceAccountName" => &pod.spec.service_account_name,
        "spec.hostNetwork" => {
            if pod.spec.host_network {
                "true"
            } else {
                "false"
            }
        }
        "status.phase" => &pod.status.phase,
        "status.podIP" | "status.podIPs" => {
            pod.status.pod_ips.first().map_or(&pod.status.pod_ip, |first| &first.ip)
        }
        "status.nominatedNodeName" => &pod.status.nominated_node_name,
        _ => return meta::fields(&pod.metadata, field),
    };
    Some(Cow::Borrowed(value))
}
