//! The rules for claims of storage.

use keelson_proto::core::{PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus};

use super::phase;
use crate::field::{ErrorList, FieldError, Path};
use crate::meta::IMMUTABLE;
use crate::persistentvolume::{VOLUME_MODES, validate_access_modes, validate_class};
use crate::resources::{self, STORAGE};
use crate::{checks, meta, names, pod};

/// The annotation by which claims named their class before there was a field for it.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// How far a change of size may have come.
const RESIZES: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

/// Checks a claim. Call [`super::set_defaults`] first.
pub fn validate(claim: &PersistentVolumeClaim) -> ErrorList {
    let mut errors = meta::validate(&claim.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    let (spec, path) = (&claim.spec, Path::new("spec"));
    if spec.access_modes.is_empty() {
        let why = "at least 1 access mode is required";
        errors.push(FieldError::required(&path.child("accessModes"), why));
    }
    pod::validate_label_selector(spec.selector.as_ref(), &path.child("selector"), &mut errors);
    validate_access_modes(&spec.access_modes, &path.child("accessModes"), &mut errors);
    let storage = path.child("resources").key(STORAGE);
    match spec.resources.requests.get(STORAGE) {
        None => errors.push(FieldError::required(&storage, "")),
        Some(amount) => resources::validate_positive(amount, &storage, &mut errors),
    }
    let class = spec.storage_class_name.as_deref();
    validate_class(class, &path.child("storageClassName"), &mut errors);
    let mode = spec.volume_mode.as_deref();
    checks::none_or_one_of(mode, VOLUME_MODES, &path.child("volumeMode"), &mut errors);
    validate_sources(spec, &path, &mut errors);
    let attributes = spec.volume_attributes_class_name.as_deref();
    validate_class(attributes, &path.child("volumeAttributesClassName"), &mut errors);
    errors
}

/// Checks a changed claim: only a bound claim may ask for more, any may get its volume, and a class if it has none.
pub fn validate_update(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    let path = Path::new("spec");
    validate_beta_class(new, old, &mut errors);
    if but_for_changes(new, old) != old.spec {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden(&path, why));
    }
    let size = |list: &resources::ResourceList| list.get(STORAGE).and_then(resources::quantity);
    let wanted = size(&new.spec.resources.requests);
    if wanted < size(&old.spec.resources.requests) && wanted <= size(&old.status.capacity) {
        let path = path.child("resources").child("requests").child(STORAGE);
        errors.push(FieldError::forbidden(&path, "field can not be less than status.capacity"));
    }
    if new.spec.volume_mode != old.spec.volume_mode {
        let mode = new.spec.volume_mode.as_deref().unwrap_or_default();
        // Kubernetes names it without the spec.
        errors.push(FieldError::invalid(&Path::new("volumeMode"), mode, IMMUTABLE));
    }
    let attributes = path.child("volumeAttributesClassName");
    match (&old.spec.volume_attributes_class_name, new.spec.volume_attributes_class_name.as_deref()) {
        (Some(_), None) => {
            let why = "update from non-nil value to nil is forbidden";
            errors.push(FieldError::forbidden(&attributes, why));
        }
        (Some(class), Some("")) if !class.is_empty() => {
            let why = "update from non-nil value to an empty string is forbidden";
            errors.push(FieldError::forbidden(&attributes, why));
        }
        _ => {}
    }
    errors
}

/// Checks a status write.
pub fn validate_status_update(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    validate_status(&new.status, &Path::new("status"), &mut errors);
    errors
}

fn validate_status(status: &PersistentVolumeClaimStatus, path: &Path, errors: &mut ErrorList) {
    for (resource, amount) in &status.capacity {
        resources::validate_amount(resource, amount, &path.child("capacity").key(resource), errors);
    }
    let at = path.child("allocatedResourceStatuses");
    for (resource, state) in &status.allocated_resource_statuses {
        validate_key(resource, &at, errors);
        checks::none_or_one_of(Some(state.as_str()), RESIZES, &at.key(resource), errors);
    }
    let at = path.child("allocatedResources");
    for (resource, amount) in &status.allocated_resources {
        validate_key(resource, &at, errors);
        resources::validate_amount(resource, amount, &at.key(resource), errors);
    }
}

/// Checks the name of a resource of a claim: storage, or somebody else's.
fn validate_key(name: &str, path: &Path, errors: &mut ErrorList) {
    let faults = names::qualified_name(name);
    if !faults.is_empty() {
        errors.push_invalid(path, name, faults);
    } else if (!name.contains('/') || name.contains("kubernetes.io/")) && name != STORAGE {
        errors.push(FieldError::not_supported(path, name, &[STORAGE]));
    }
}

/// What a volume begins with: something of a kind that can be known, and the same by both names for it.
fn validate_sources(spec: &PersistentVolumeClaimSpec, path: &Path, errors: &mut ErrorList) {
    if let Some(source) = &spec.data_source {
        let at = path.child("dataSource");
        validate_source(&source.name, &source.kind, source.api_group.as_deref(), &at, errors);
    }
    let Some(source) = &spec.data_source_ref else { return };
    let at = path.child("dataSourceRef");
    validate_source(&source.name, &source.kind, source.api_group.as_deref(), &at, errors);
    let elsewhere = source.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    if let Some(namespace) = elsewhere {
        errors.push_invalid(&at.child("namespace"), namespace, names::dns_label(namespace));
    }
    let Some(older) = &spec.data_source else { return };
    let named = path.child("dataSource").to_string();
    if elsewhere.is_some() {
        let why = "may not be specified when dataSourceRef.namespace is specified";
        errors.push(FieldError::invalid(path, named, why));
    } else if (&older.api_group, &older.kind, &older.name) != (&source.api_group, &source.kind, &source.name)
    {
        errors.push(FieldError::invalid(path, named, "must match dataSourceRef"));
    }
}

fn validate_source(name: &str, kind: &str, group: Option<&str>, path: &Path, errors: &mut ErrorList) {
    checks::given(name, &path.child("name"), errors);
    checks::given(kind, &path.child("kind"), errors);
    match group.unwrap_or_default() {
        "" if kind != "PersistentVolumeClaim" => {
            let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            errors.push(FieldError::invalid(path, kind, why));
        }
        "" => {}
        group => errors.push_invalid(&path.child("apiGroup"), group, names::dns_subdomain(group)),
    }
}

/// The class in the annotation stays, unless the field takes its place.
fn validate_beta_class(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim, errors: &mut ErrorList) {
    let of = |claim: &PersistentVolumeClaim| claim.metadata.annotations.get(BETA_CLASS).cloned();
    if of(new).unwrap_or_default() != of(old).unwrap_or_default() && !moves_class(new, old) {
        let path = Path::new("metadata").child("annotations").key(BETA_CLASS);
        errors.push(FieldError::invalid(&path, of(new).unwrap_or_default(), IMMUTABLE));
    }
}

/// Whether the class goes from the annotation into the field.
fn moves_class(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> bool {
    let Some(class) = old.metadata.annotations.get(BETA_CLASS) else { return false };
    old.spec.storage_class_name.is_none()
        && new.spec.storage_class_name.as_ref() == Some(class)
        && new.metadata.annotations.get(BETA_CLASS).is_none_or(|kept| kept == class)
}

/// The new spec with all that may change put back.
fn but_for_changes(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> PersistentVolumeClaimSpec {
    let (mut spec, was) = (new.spec.clone(), &old.spec);
    if was.volume_name.is_empty() {
        spec.volume_name.clear();
    }
    let annotated = old.metadata.annotations.get(BETA_CLASS);
    let may_get_class =
        annotated.is_none() || annotated == spec.storage_class_name.as_ref() || moves_class(new, old);
    if was.storage_class_name.is_none() && may_get_class {
        spec.storage_class_name = None;
    }
    if old.status.phase == phase::BOUND
        && let Some(size) = was.resources.requests.get(STORAGE)
        && !spec.resources.requests.is_empty()
    {
        spec.resources.requests.insert(STORAGE.to_owned(), size.clone());
    }
    spec.volume_attributes_class_name.clone_from(&was.volume_attributes_class_name);
    spec
}
