//! The downward API: what a pod knows of itself, by field path.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keelson_base_model::quantity::Quantity;
use keelson_proto::core::{Container, Pod, ResourceFieldSelector};
use keelson_proto::resource;

use super::{Context, EnvError};

/// The value at `path`.
pub(super) fn value(variable: &str, path: &str, context: &Context<'_>) -> Result<String, EnvError> {
    let (metadata, spec) = (&context.pod.metadata, &context.pod.spec);
    let first = |ips: &[IpAddr]| ips.first().map(ToString::to_string).unwrap_or_default();
    let all = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let text = match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "spec.nodeName" => spec.node_name.clone(),
        "spec.serviceAccountName" => spec.service_account_name.clone(),
        "status.podIP" => first(context.pod_ips),
        "status.podIPs" => all(context.pod_ips),
        "status.hostIP" => first(context.host_ips),
        "status.hostIPs" => all(context.host_ips),
        _ => match (subscript(path, "metadata.labels"), subscript(path, "metadata.annotations")) {
            (Some(key), _) => metadata.labels.get(key).cloned().unwrap_or_default(),
            (_, Some(key)) => metadata.annotations.get(key).cloned().unwrap_or_default(),
            _ => return Err(EnvError::Field { variable: variable.to_owned(), path: path.to_owned() }),
        },
    };
    Ok(text)
}

/// The `key` of `map['key']`.
fn subscript<'a>(path: &'a str, map: &str) -> Option<&'a str> {
    path.strip_prefix(map)?.strip_prefix("['")?.strip_suffix("']")
}

/// A container's request or limit, in units of the divisor.
pub(super) fn resource(
    variable: &str,
    selector: &ResourceFieldSelector,
    own: &Container,
    context: &Context<'_>,
) -> Result<String, EnvError> {
    let own = Some(own).filter(|_| selector.container_name.is_empty());
    amount(selector, own, context.pod, context.allocatable).ok_or_else(|| EnvError::Resource {
        variable: variable.to_owned(),
        resource: selector.resource.clone(),
        container: selector.container_name.clone(),
    })
}

/// A container's request or limit, in units of the divisor, rounded up; none if there is no such container or resource.
/// `own` is the container that is meant, unless the selector names one. The limit of a container without one is what the
/// node can give.
pub(crate) fn amount(
    selector: &ResourceFieldSelector,
    own: Option<&Container>,
    pod: &Pod,
    allocatable: &BTreeMap<String, resource::Quantity>,
) -> Option<String> {
    let mut all = pod.spec.containers.iter().chain(&pod.spec.init_containers);
    let container = own.or_else(|| all.find(|container| container.name == selector.container_name))?;
    let (kind, name) = selector.resource.split_once('.')?;
    let amounts: &BTreeMap<_, _> = match kind {
        "limits" => &container.resources.limits,
        "requests" => &container.resources.requests,
        _ => return None,
    };
    let amount = match amounts.get(name) {
        Some(amount) => Quantity::from(amount),
        None if kind == "limits" => Quantity::of(allocatable, name),
        None => Quantity::ZERO,
    };
    let divisor = Quantity::parse(&selector.divisor.string).unwrap_or_default().nanos();
    let divisor = if divisor <= 0 { Quantity::from_milli(1000).nanos() } else { divisor };
    Some(((amount.nanos().max(0) + divisor - 1) / divisor).to_string())
}
