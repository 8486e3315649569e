//! The environment of a container: services, literal values, what the pod knows of itself. Pure.

mod expand;
mod field;
mod service;

pub use self::expand::expand;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use keelson_proto::core::{Container, EnvVar, EnvVarSource, Pod, Service};
use keelson_proto::resource::Quantity;

/// What environments are made from, beside the container itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// All services of the pod's namespace, and `default/kubernetes`.
    pub services: &'a [Arc<Service>],
    /// The pod's addresses.
    pub pod_ips: &'a [IpAddr],
    /// The node's addresses.
    pub host_ips: &'a [IpAddr],
    /// What the node can give: the limit of a container that has none.
    pub allocatable: &'a BTreeMap<String, Quantity>,
}

/// An environment that cannot be made; the pod waits with reason `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// A field path that nobody knows.
    #[error("environment variable {variable:?}: unsupported field path {path:?}")]
    Field {
        /// The variable.
        variable: String,
        /// The path.
        path: String,
    },
    /// A resource, or a container, that nobody knows.
    #[error("environment variable {variable:?}: no resource {resource:?} of container {container:?}")]
    Resource {
        /// The variable.
        variable: String,
        /// The resource.
        resource: String,
        /// The container that was named.
        container: String,
    },
    /// A source that this kubelet cannot read.
    #[error("environment variable {variable:?}: values from {source_kind} are not supported by this kubelet")]
    Unsupported {
        /// The variable, or the prefix of several.
        variable: String,
        /// `configMapKeyRef` and such.
        source_kind: &'static str,
    },
}

/// The variables of `container`, each name once: services first, so that the container's own come out on top.
pub fn build(container: &Container, context: &Context<'_>) -> Result<Vec<(String, String)>, EnvError> {
    let links = context.pod.spec.enable_service_links.unwrap_or(true);
    let mut variables = service::variables(context.services, &context.pod.metadata.namespace, links);
    for from in &container.env_from {
        let config_map = from.config_map_ref.as_ref().map(|from| from.optional);
        let secret = from.secret_ref.as_ref().map(|from| from.optional);
        let source_kind = if secret.is_some() { "secretRef" } else { "configMapRef" };
        if secret.or(config_map).flatten() != Some(true) {
            return Err(EnvError::Unsupported { variable: from.prefix.clone(), source_kind });
        }
    }
    for variable in &container.env {
        if let Some(value) = value(variable, container, context, &variables)? {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(in_order(variables, &container.env))
}

/// The value of one variable; none if its source is missing and optional.
fn value(
    variable: &EnvVar,
    container: &Container,
    context: &Context<'_>,
    before: &BTreeMap<String, String>,
) -> Result<Option<String>, EnvError> {
    let Some(source) = &variable.value_from else {
        return Ok(Some(expand(&variable.value, |name| before.get(name).map(String::as_str))));
    };
    if let Some(field) = &source.field_ref {
        return field::value(&variable.name, &field.field_path, context).map(Some);
    }
    if let Some(resource) = &source.resource_field_ref {
        return field::resource(&variable.name, resource, container, context).map(Some);
    }
    // ConfigMaps and Secrets are the matter of a later issue; a missing optional one is no error in any case.
    let (source_kind, optional) = reference(source);
    match optional {
        Some(true) => Ok(None),
        _ => Err(EnvError::Unsupported { variable: variable.name.clone(), source_kind }),
    }
}

fn reference(source: &EnvVarSource) -> (&'static str, Option<bool>) {
    match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(key), _) => ("configMapKeyRef", key.optional),
        (_, Some(key)) => ("secretKeyRef", key.optional),
        _ => ("this source", None),
    }
}

/// The container's own variables in their order, after the rest.
fn in_order(mut variables: BTreeMap<String, String>, own: &[EnvVar]) -> Vec<(String, String)> {
    let mut last: Vec<(String, String)> = Vec::with_capacity(own.len());
    for variable in own {
        if let Some(value) = variables.remove(&variable.name) {
            last.push((variable.name.clone(), value));
        }
    }
    variables.into_iter().chain(last).collect()
}

#[cfg(test)]
mod tests;
