//! The rules for data of the cluster that a volume shows as files.

use std::collections::HashSet;

use keelson_proto::core::{
    DownwardApiVolumeFile, KeyToPath, ProjectedVolumeSource, ServiceAccountTokenProjection, VolumeProjection,
};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, container, names};

/// Fields of the pod that a file can show.
const FILE_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks permissions of files.
pub(super) fn validate_mode(mode: Option<i32>, path: &Path, errors: &mut ErrorList) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(FieldError::invalid(path, mode, MODE));
    }
}

/// Checks the choice of entries of a secret or config map.
pub(super) fn validate_items(items: &[KeyToPath], path: &Path, errors: &mut ErrorList) {
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        checks::given(&item.key, &path.child("key"), errors);
        validate_file_path(&item.path, &path.child("path"), errors);
        validate_mode(item.mode, &path.child("mode"), errors);
    }
}

/// Checks files with facts about the pod.
pub(super) fn validate_facts(files: &[DownwardApiVolumeFile], path: &Path, errors: &mut ErrorList) {
    for file in files {
        // Kubernetes names the list here, not the item.
        validate_file_path(&file.path, &path.child("path"), errors);
        match (&file.field_ref, &file.resource_field_ref) {
            (Some(reference), None) => {
                container::validate_field_ref(reference, FILE_FIELDS, &path.child("fieldRef"), errors);
            }
            (None, Some(reference)) => {
                container::validate_resource_ref(reference, true, &path.child("resourceFieldRef"), errors);
            }
            (Some(_), Some(_)) => {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(FieldError::invalid(path, "resource", why));
            }
            (None, None) => {
                errors.push(FieldError::required(path, "one of fieldRef and resourceFieldRef is required"));
            }
        }
        validate_mode(file.mode, &path.child("mode"), errors);
    }
}

/// Checks several sources of files in one directory.
pub(super) fn validate_projected(projected: &ProjectedVolumeSource, path: &Path, errors: &mut ErrorList) {
    validate_mode(projected.default_mode, &path.child("defaultMode"), errors);
    let mut places = HashSet::new();
    for (index, source) in projected.sources.iter().enumerate() {
        let path = path.child("sources").index(index);
        validate_projection(source, &path, errors);
        for place in places_of(source) {
            if !place.is_empty() && !places.insert(place) {
                errors.push(FieldError::invalid(&path, place, "conflicting duplicate paths"));
            }
        }
    }
}

fn validate_projection(source: &VolumeProjection, path: &Path, errors: &mut ErrorList) {
    if let Some(secret) = &source.secret {
        let path = path.child("secret");
        checks::given(&secret.local_object_reference.name, &path.child("name"), errors);
        validate_items(&secret.items, &path.child("items"), errors);
    }
    if let Some(map) = &source.config_map {
        let path = path.child("configMap");
        checks::given(&map.local_object_reference.name, &path.child("name"), errors);
        validate_items(&map.items, &path.child("items"), errors);
    }
    if let Some(facts) = &source.downward_api {
        validate_facts(&facts.items, &path.child("downwardAPI").child("items"), errors);
    }
    if let Some(token) = &source.service_account_token {
        validate_token(token, &path.child("serviceAccountToken"), errors);
    }
    let given = [
        source.secret.is_some(),
        source.config_map.is_some(),
        source.downward_api.is_some(),
        source.service_account_token.is_some(),
        source.cluster_trust_bundle.is_some(),
        source.pod_certificate.is_some(),
    ];
    match given.into_iter().filter(|given| *given).count() {
        0 => errors.push(FieldError::required(path, "must specify a projection type")),
        1 => {}
        _ => errors.push(FieldError::forbidden(path, "may not specify more than 1 volume type per source")),
    }
}

fn validate_token(token: &ServiceAccountTokenProjection, path: &Path, errors: &mut ErrorList) {
    let expiration = path.child("expirationSeconds");
    match token.expiration_seconds {
        Some(seconds) if seconds < 600 => {
            let why = "may not specify a duration less than 10 minutes";
            errors.push(FieldError::invalid(&expiration, seconds, why));
        }
        Some(seconds) if seconds > 1 << 32 => {
            let why = "may not specify a duration larger than 2^32 seconds";
            errors.push(FieldError::invalid(&expiration, seconds, why));
        }
        _ => {}
    }
    validate_file_path(&token.path, &path.child("path"), errors);
}

fn places_of(source: &VolumeProjection) -> Vec<&str> {
    let items = source.secret.iter().flat_map(|secret| &secret.items);
    let items = items.chain(source.config_map.iter().flat_map(|map| &map.items)).map(|item| &item.path);
    let facts = source.downward_api.iter().flat_map(|facts| &facts.items).map(|file| &file.path);
    let tokens = source.service_account_token.iter().map(|token| &token.path);
    items.chain(facts).chain(tokens).map(String::as_str).collect()
}

fn validate_file_path(value: &str, path: &Path, errors: &mut ErrorList) {
    checks::given(value, path, errors);
    checks::descending_path(value, path, errors);
    if value.starts_with("..") && !value.starts_with("../") && value != ".." {
        errors.push(FieldError::invalid(path, value, "must not start with '..'"));
    }
}

/// Checks the name of something else in the pod's namespace.
pub(super) fn validate_reference(name: &str, path: &Path, errors: &mut ErrorList) {
    match name {
        "" => errors.push(FieldError::required(path, "")),
        name => errors.push_invalid(path, name, names::dns_subdomain(name)),
    }
}
