//! The rules for metadata of a single object.

use std::collections::BTreeMap;

use keelson_proto::meta::{ObjectMeta, OwnerReference};

use super::{MAX_ANNOTATIONS_BYTES, NameRule};
use crate::field::{ErrorList, FieldError, Path};
use crate::names;

/// The finalizers that may be written without a domain.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Checks the metadata at `path` of an object that lives in a namespace (or does not), its name against `rule`.
pub fn validate(metadata: &ObjectMeta, namespaced: bool, rule: NameRule, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    validate_name(metadata, rule, path, &mut errors);
    let namespace = path.child("namespace");
    match (namespaced, metadata.namespace.as_str()) {
        (true, "") => errors.push(FieldError::required(&namespace, "")),
        (true, name) => errors.push_invalid(&namespace, name, names::dns_label(name)),
        (false, "") => {}
        (false, _) => errors.push(FieldError::forbidden(&namespace, "not allowed on this type")),
    }
    if metadata.generation < 0 {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(&path.child("generation"), metadata.generation, why));
    }
    errors.extend(validate_labels(&metadata.labels, &path.child("labels")));
    errors.extend(validate_annotations(&metadata.annotations, &path.child("annotations")));
    errors.extend(validate_owners(&metadata.owner_references, &path.child("ownerReferences")));
    errors.extend(validate_finalizers(&metadata.finalizers, &path.child("finalizers")));
    errors
}

/// Checks the parts of metadata that matter in a template: labels, annotations and finalizers.
pub fn validate_metadata_of_template(metadata: &ObjectMeta, path: &Path) -> ErrorList {
    let mut errors = validate_labels(&metadata.labels, &path.child("labels"));
    errors.extend(validate_annotations(&metadata.annotations, &path.child("annotations")));
    errors.extend(validate_finalizers(&metadata.finalizers, &path.child("finalizers")));
    errors
}

/// Checks label keys and values, of an object or of a selector.
pub fn validate_labels(labels: &BTreeMap<String, String>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (key, value) in labels {
        errors.push_invalid(path, key, names::qualified_name(key));
        errors.push_invalid(path, value, names::label_value(value));
    }
    errors
}

/// Checks one finalizer's name: qualified, and with a domain unless it is one of Kubernetes' own.
pub fn validate_finalizer(name: &str, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    errors.push_invalid(path, name, names::qualified_name(name));
    if errors.is_empty() && !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(FieldError::invalid(path, name, why));
    }
    errors
}

/// A name that the server is yet to make up may be missing.
fn validate_name(metadata: &ObjectMeta, rule: NameRule, path: &Path, errors: &mut ErrorList) {
    let (name, prefix) = (metadata.name.as_str(), metadata.generate_name.as_str());
    if !prefix.is_empty() {
        let wrong = rule(&names::mask_trailing_dash(prefix));
        errors.push_invalid(&path.child("generateName"), prefix, wrong);
    }
    if !name.is_empty() {
        errors.push_invalid(&path.child("name"), name, rule(name));
    } else if prefix.is_empty() {
        let why = "name or generateName is required";
        errors.push(FieldError::required(&path.child("name"), why));
    }
}

fn validate_annotations(annotations: &BTreeMap<String, String>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for key in annotations.keys() {
        errors.push_invalid(path, key, names::qualified_name(&key.to_lowercase()));
    }
    let bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_ANNOTATIONS_BYTES {
        errors.push(FieldError::too_long(path, MAX_ANNOTATIONS_BYTES));
    }
    errors
}

fn validate_owners(owners: &[OwnerReference], path: &Path) -> ErrorList {
    let mut errors: ErrorList = owners.iter().flat_map(|owner| validate_owner(owner, path)).collect();
    let mut controllers =
        owners.iter().filter(|owner| owner.controller == Some(true)).map(|owner| &owner.name);
    if let (Some(first), Some(second)) = (controllers.next(), controllers.next()) {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        errors.push(FieldError::invalid(path, owners.len(), why));
    }
    errors
}

fn validate_owner(owner: &OwnerReference, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let version = owner.api_version.rsplit('/').next().unwrap_or_default();
    let parts = [
        ("apiVersion", version, "version must not be empty"),
        ("kind", &owner.kind, "must not be empty"),
        ("name", &owner.name, "must not be empty"),
        ("uid", &owner.uid, "must not be empty"),
    ];
    for (part, value, why) in parts {
        if value.is_empty() {
            errors.push(FieldError::invalid(&path.child(part), value, why));
        }
    }
    if owner.api_version == "v1" && owner.kind == "Event" {
        let why = "/v1, Kind=Event is disallowed from being an owner";
        errors.push(FieldError::invalid(path, owner.name.as_str(), why));
    }
    errors
}

fn validate_finalizers(finalizers: &[String], path: &Path) -> ErrorList {
    let mut errors: ErrorList = finalizers.iter().flat_map(|name| validate_finalizer(name, path)).collect();
    let has = |name: &str| finalizers.iter().any(|one| one == name);
    if has("orphan") && has("foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(path, finalizers.to_vec(), why));
    }
    errors
}
