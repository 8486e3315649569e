//! Environment variables of a container: the rules for their names and sources.

use keelson_proto::core::{EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector};

use crate::checks;
use crate::field::{ErrorList, FieldError, Path};
use crate::names;

/// Fields of the pod that a variable can take its value from.
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Amounts of a container that a variable can take its value from.
const ENV_RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks single variables.
pub(super) fn validate_env(vars: &[EnvVar], path: &Path, errors: &mut ErrorList) {
    for (index, var) in vars.iter().enumerate() {
        let path = path.index(index);
        let name = path.child("name");
        match var.name.as_str() {
            "" => errors.push(FieldError::required(&name, "")),
            given => errors.push_invalid(&name, given, names::env_name(given)),
        }
        if let Some(source) = &var.value_from {
            validate_source(source, !var.value.is_empty(), &path.child("valueFrom"), errors);
        }
    }
}

/// Checks sources of many variables.
pub(super) fn validate_env_from(sources: &[EnvFromSource], path: &Path, errors: &mut ErrorList) {
    for (index, source) in sources.iter().enumerate() {
        let path = path.index(index);
        let prefix = source.prefix.as_str();
        if !prefix.is_empty() {
            errors.push_invalid(&path.child("prefix"), prefix, names::env_name(prefix));
        }
        let map = source.config_map_ref.as_ref().map(|from| &from.local_object_reference);
        let secret = source.secret_ref.as_ref().map(|from| &from.local_object_reference);
        for (field, reference) in [("configMapRef", map), ("secretRef", secret)] {
            if let Some(reference) = reference {
                reference_name(&reference.name, &path.child(field).child("name"), errors);
            }
        }
        let count = usize::from(map.is_some()) + usize::from(secret.is_some());
        exactly_one(count, "`configMapRef` or `secretRef`", &path, errors);
    }
}

fn validate_source(source: &EnvVarSource, has_value: bool, path: &Path, errors: &mut ErrorList) {
    if let Some(reference) = &source.field_ref {
        validate_field_ref(reference, ENV_FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(reference) = &source.resource_field_ref {
        validate_resource_ref(reference, false, &path.child("resourceFieldRef"), errors);
    }
    if let Some(from) = &source.config_map_key_ref {
        let name = &from.local_object_reference.name;
        validate_key(name, &from.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(from) = &source.secret_key_ref {
        let name = &from.local_object_reference.name;
        validate_key(name, &from.key, &path.child("secretKeyRef"), errors);
    }
    let given = [
        source.field_ref.is_some(),
        source.resource_field_ref.is_some(),
        source.config_map_key_ref.is_some(),
        source.secret_key_ref.is_some(),
    ];
    let count = given.into_iter().filter(|given| *given).count();
    if count > 0 && has_value {
        let why = "may not be specified when `value` is not empty";
        errors.push(FieldError::invalid(path, "", why));
    } else {
        let all = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
        exactly_one(count, all, path, errors);
    }
}

fn exactly_one(count: usize, all: &str, path: &Path, errors: &mut ErrorList) {
    let why = match count {
        0 => format!("must specify one of: {all}"),
        1 => return,
        _ => "may not have more than one field specified at a time".to_owned(),
    };
    errors.push(FieldError::invalid(path, "", why));
}

/// Checks a reference to one entry of a config map or secret.
fn validate_key(name: &str, key: &str, path: &Path, errors: &mut ErrorList) {
    reference_name(name, &path.child("name"), errors);
    match key {
        "" => errors.push(FieldError::required(&path.child("key"), "")),
        key => errors.push_invalid(&path.child("key"), key, names::config_key(key)),
    }
}

fn reference_name(name: &str, path: &Path, errors: &mut ErrorList) {
    match name {
        "" => errors.push(FieldError::required(path, "")),
        name => errors.push_invalid(path, name, names::dns_subdomain(name)),
    }
}

/// Checks a reference to a field of the pod: one of `supported`, or a single label or annotation.
pub(crate) fn validate_field_ref(
    reference: &ObjectFieldSelector,
    supported: &[&str],
    path: &Path,
    errors: &mut ErrorList,
) {
    checks::given(&reference.api_version, &path.child("apiVersion"), errors);
    let field = path.child("fieldPath");
    let value = reference.field_path.as_str();
    if value.is_empty() {
        errors.push(FieldError::required(&field, ""));
        return;
    }
    if let Some((map, key)) = value.strip_suffix("']").and_then(|value| value.split_once("['")) {
        match map {
            "metadata.labels" => errors.push_invalid(&field, key, names::qualified_name(key)),
            "metadata.annotations" => {
                errors.push_invalid(&field, key, names::qualified_name(&key.to_lowercase()))
            }
            _ => errors.push(FieldError::invalid(&field, value, "does not support subscript")),
        }
    } else if !supported.contains(&value) {
        errors.push(FieldError::not_supported(&field, value, supported));
    }
}

/// Checks a reference to a request or limit of a container, which must be named if asked from outside one.
pub(crate) fn validate_resource_ref(
    reference: &ResourceFieldSelector,
    needs_container: bool,
    path: &Path,
    errors: &mut ErrorList,
) {
    if needs_container {
        checks::given(&reference.container_name, &path.child("containerName"), errors);
    }
    let (name, field) = (reference.resource.as_str(), path.child("resource"));
    let huge = name.starts_with("limits.hugepages-") || name.starts_with("requests.hugepages-");
    if name.is_empty() || !huge {
        checks::one_of(name, ENV_RESOURCES, &field, errors);
    }
    let allowed: &[&str] = match name.split_once('.').map(|(_, resource)| resource) {
        Some("cpu") => &["0", "1", "1m"],
        _ => &["0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
    };
    let divisor = reference.divisor.string.as_str();
    if !divisor.is_empty() && !allowed.contains(&divisor) {
        let why = format!("only divisor's values {} are supported", allowed.join(", "));
        errors.push(FieldError::invalid(&path.child("divisor"), divisor, why));
    }
}
