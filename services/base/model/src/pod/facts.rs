//! Facts about a pod, by the paths that environment variables and downward-API files name.

use std::collections::BTreeMap;

use keelson_proto::core::Pod;

/// The value of the field at `path`, such as `metadata.labels['app']`; none if the path is not one that pods
/// can read of themselves. A whole map is written as sorted lines `key="value"`.
pub fn field_value(pod: &Pod, path: &str) -> Option<String> {
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return map_of(pod, map).map(|map| map.get(key).cloned().unwrap_or_default());
    }
    if let Some(map) = map_of(pod, path) {
        let lines: Vec<_> = map.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        return Some(lines.join("\n"));
    }
    let text = match path {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "metadata.uid" => pod.metadata.uid.clone(),
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "status.hostIP" => pod.status.host_ip.clone(),
        "status.hostIPs" => joined(pod.status.host_ips.iter().map(|one| &one.ip), &pod.status.host_ip),
        "status.podIP" => pod.status.pod_ip.clone(),
        "status.podIPs" => joined(pod.status.pod_ips.iter().map(|one| &one.ip), &pod.status.pod_ip),
        _ => return None,
    };
    Some(text)
}

fn map_of<'a>(pod: &'a Pod, path: &str) -> Option<&'a BTreeMap<String, String>> {
    match path {
        "metadata.labels" => Some(&pod.metadata.labels),
        "metadata.annotations" => Some(&pod.metadata.annotations),
        _ => None,
    }
}

fn joined<'a>(all: impl Iterator<Item = &'a String>, single: &str) -> String {
    let all: Vec<_> = all.map(String::as_str).collect();
    if all.is_empty() { single.to_owned() } else { all.join(",") }
}
