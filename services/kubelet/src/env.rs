//! The environment of a container: services, literal values, what the pod knows of itself, config maps and secrets. Pure.

mod expand;
mod field;
mod service;

pub use self::expand::expand;
pub(crate) use self::field::amount;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use keelson_base_model::names;
use keelson_proto::core::{
    ConfigMapKeySelector, Container, EnvFromSource, EnvVar, Pod, SecretKeySelector, Service,
};
use keelson_proto::resource::Quantity;

use crate::objects::{NotFound, Objects};

/// What environments are made from, beside the container itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// All services of the pod's namespace, and `default/kubernetes`.
    pub services: &'a [Arc<Service>],
    /// What the pod refers to.
    pub objects: &'a Objects,
    /// The pod's addresses.
    pub pod_ips: &'a [IpAddr],
    /// The node's addresses.
    pub host_ips: &'a [IpAddr],
    /// What the node can give: the limit of a container that has none.
    pub allocatable: &'a BTreeMap<String, Quantity>,
}

/// A container's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Names and values, each name once.
    pub variables: Vec<(String, String)>,
    /// Entries of config maps and secrets that cannot be variables, to be told of.
    pub skipped: Vec<Skipped>,
}

/// Entries of one object whose names cannot be those of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// `configMap` or `secret`.
    pub kind: &'static str,
    /// The object's name.
    pub name: String,
    /// The names, with their prefix.
    pub keys: Vec<String>,
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
    /// A config map or secret is missing.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// An entry of a config map or secret is missing.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    Key {
        /// The entry.
        key: String,
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
    },
    /// A source that this kubelet cannot read.
    #[error("environment variable {variable:?}: values from {source_kind} are not supported by this kubelet")]
    Unsupported {
        /// The variable.
        variable: String,
        /// `fileKeyRef` and such.
        source_kind: &'static str,
    },
}

/// The variables of `container`: services first, then whole config maps and secrets, so that the container's own come out
/// on top.
pub fn build(container: &Container, context: &Context<'_>) -> Result<Environment, EnvError> {
    let links = context.pod.spec.enable_service_links.unwrap_or(true);
    let mut variables = service::variables(context.services, &context.pod.metadata.namespace, links);
    let mut skipped = Vec::new();
    for from in &container.env_from {
        skipped.extend(include(&mut variables, from, context.objects)?);
    }
    for variable in &container.env {
        if let Some(value) = value(variable, container, context, &variables)? {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(Environment { variables: in_order(variables, &container.env), skipped })
}

/// Takes in a whole config map or secret; tells of the entries that were left out.
fn include(
    variables: &mut BTreeMap<String, String>,
    from: &EnvFromSource,
    objects: &Objects,
) -> Result<Option<Skipped>, NotFound> {
    let (kind, name, entries): (_, _, Vec<(&String, String)>) = match (&from.config_map_ref, &from.secret_ref)
    {
        (Some(source), _) => {
            let name = &source.local_object_reference.name;
            let found = objects.config_map(name, source.optional)?;
            let data = found.into_iter().flat_map(|map| &map.data);
            ("configMap", name, data.map(|(key, value)| (key, value.clone())).collect())
        }
        (_, Some(source)) => {
            let name = &source.local_object_reference.name;
            let found = objects.secret(name, source.optional)?;
            let data = found.into_iter().flat_map(|secret| &secret.data);
            ("secret", name, data.map(|(key, value)| (key, text(value))).collect())
        }
        _ => return Ok(None),
    };
    let mut keys = Vec::new();
    for (key, value) in entries {
        let key = format!("{}{key}", from.prefix);
        if names::env_name(&key).is_empty() {
            variables.insert(key, value);
        } else {
            keys.push(key);
        }
    }
    let skipped = Skipped { kind, name: name.clone(), keys };
    Ok(Some(skipped).filter(|skipped| !skipped.keys.is_empty()))
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
    if let Some(key) = &source.config_map_key_ref {
        return of_config_map(key, context);
    }
    if let Some(key) = &source.secret_key_ref {
        return of_secret(key, context);
    }
    let source_kind = if source.file_key_ref.is_some() { "fileKeyRef" } else { "this source" };
    Err(EnvError::Unsupported { variable: variable.name.clone(), source_kind })
}

fn of_config_map(selector: &ConfigMapKeySelector, context: &Context<'_>) -> Result<Option<String>, EnvError> {
    let ConfigMapKeySelector { local_object_reference: object, key, optional } = selector;
    let found = context.objects.config_map(&object.name, *optional)?;
    let value = found.and_then(|map| map.data.get(key)).cloned();
    required(value, "ConfigMap", &object.name, key, *optional, context)
}

fn of_secret(selector: &SecretKeySelector, context: &Context<'_>) -> Result<Option<String>, EnvError> {
    let SecretKeySelector { local_object_reference: object, key, optional } = selector;
    let found = context.objects.secret(&object.name, *optional)?;
    let value = found.and_then(|secret| secret.data.get(key)).map(|value| text(value));
    required(value, "Secret", &object.name, key, *optional, context)
}

fn required(
    value: Option<String>,
    kind: &'static str,
    name: &str,
    key: &str,
    optional: Option<bool>,
    context: &Context<'_>,
) -> Result<Option<String>, EnvError> {
    if value.is_some() || optional == Some(true) {
        return Ok(value);
    }
    let namespace = context.pod.metadata.namespace.clone();
    Err(EnvError::Key { key: key.to_owned(), kind, namespace, name: name.to_owned() })
}

/// Variables are text, whatever a secret holds.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
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
