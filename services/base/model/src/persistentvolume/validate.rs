//! The rules for persistent volumes.

use keelson_proto::core::{PersistentVolume, PersistentVolumeSource, PersistentVolumeSpec};
use serde_json::Value;

use super::sources;
use crate::field::{ErrorList, FieldError, Path};
use crate::meta::IMMUTABLE;
use crate::resources::{self, STORAGE};
use crate::{checks, meta, names, pod};

/// The ways in which a volume can be mounted, sorted.
const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// How a volume reaches a container.
pub(crate) const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
const RECLAIM_POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];

/// Checks a persistent volume. Call [`super::set_defaults`] first.
pub fn validate(volume: &PersistentVolume) -> ErrorList {
    let mut errors = meta::validate(&volume.metadata, false, names::dns_subdomain, &Path::new("metadata"));
    let (spec, path) = (&volume.spec, Path::new("spec"));
    if spec.access_modes.is_empty() {
        errors.push(FieldError::required(&path.child("accessModes"), ""));
    }
    validate_access_modes(&spec.access_modes, &path.child("accessModes"), &mut errors);
    validate_capacity(spec, &path.child("capacity"), &mut errors);
    let policy = path.child("persistentVolumeReclaimPolicy");
    checks::none_or_one_of(
        Some(spec.persistent_volume_reclaim_policy.as_str()),
        RECLAIM_POLICIES,
        &policy,
        &mut errors,
    );
    validate_nodes(spec, &path, &mut errors);
    sources::validate(&spec.persistent_volume_source, &path, &mut errors);
    let root = |host: &str| !host.is_empty() && host.split('/').all(|step| matches!(step, "" | "."));
    let host = spec.persistent_volume_source.host_path.as_ref();
    if host.is_some_and(|host| root(&host.path)) && spec.persistent_volume_reclaim_policy == "Recycle" {
        errors.push(FieldError::forbidden(&policy, "may not be 'recycle' for a hostPath mount of '/'"));
    }
    validate_class(Some(&spec.storage_class_name), &path.child("storageClassName"), &mut errors);
    checks::none_or_one_of(spec.volume_mode.as_deref(), VOLUME_MODES, &path.child("volumeMode"), &mut errors);
    validate_attributes(spec, &path, &mut errors);
    errors
}

/// Checks a changed volume: what it consists of stays, and where it can be reached from, once that is said.
pub fn validate_update(new: &PersistentVolume, old: &PersistentVolume) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    let (spec, was) = (&new.spec, &old.spec);
    if but_for_expansion(&spec.persistent_volume_source, &was.persistent_volume_source)
        != was.persistent_volume_source
    {
        let why = "spec.persistentvolumesource is immutable after creation";
        errors.push(FieldError::forbidden(&Path::new("spec").child("persistentvolumesource"), why));
    }
    // Kubernetes names these two without the spec.
    if spec.volume_mode != was.volume_mode {
        let mode = spec.volume_mode.as_deref().unwrap_or_default();
        errors.push(FieldError::invalid(&Path::new("volumeMode"), mode, IMMUTABLE));
    }
    if was.node_affinity.is_some() && spec.node_affinity != was.node_affinity {
        let value = serde_json::to_value(&spec.node_affinity).unwrap_or(Value::Null);
        errors.push(FieldError::invalid(&Path::new("nodeAffinity"), value, IMMUTABLE));
    }
    if was.volume_attributes_class_name.is_some() && spec.volume_attributes_class_name.is_none() {
        let path = Path::new("spec").child("volumeAttributesClassName");
        errors.push(FieldError::forbidden(&path, "update from non-nil value to nil is forbidden"));
    }
    errors
}

/// Checks a status write.
pub fn validate_status_update(new: &PersistentVolume, old: &PersistentVolume) -> ErrorList {
    meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"))
}

/// Checks ways to mount a volume, of which one goes with no other.
pub(crate) fn validate_access_modes(modes: &[String], path: &Path, errors: &mut ErrorList) {
    for mode in modes {
        checks::none_or_one_of(Some(mode.as_str()), ACCESS_MODES, path, errors);
    }
    let is_alone = |mode: &String| mode == "ReadWriteOncePod";
    let others = modes.iter().any(|mode| !is_alone(mode) && ACCESS_MODES.contains(&mode.as_str()));
    if modes.iter().any(is_alone) && others {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(path, why));
    }
}

/// Checks the name of a class; "" is none.
pub(crate) fn validate_class(name: Option<&str>, path: &Path, errors: &mut ErrorList) {
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        errors.push_invalid(path, name, names::dns_subdomain(name));
    }
}

fn validate_capacity(spec: &PersistentVolumeSpec, path: &Path, errors: &mut ErrorList) {
    if spec.capacity.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    if !spec.capacity.contains_key(STORAGE) || spec.capacity.len() > 1 {
        let value = serde_json::to_value(&spec.capacity).unwrap_or_default();
        errors.push(FieldError::not_supported(path, value, &[STORAGE]));
    }
    for (resource, amount) in &spec.capacity {
        resources::validate_positive(amount, &path.key(resource), errors);
    }
}

/// What is local to nodes must say to which.
fn validate_nodes(spec: &PersistentVolumeSpec, path: &Path, errors: &mut ErrorList) {
    let at = path.child("nodeAffinity");
    match spec.node_affinity.as_ref().map(|affinity| affinity.required.as_ref()) {
        Some(Some(selector)) => pod::validate_node_selector(selector, &at.child("required"), errors),
        Some(None) => {
            let why = "must specify required node constraints";
            errors.push(FieldError::required(&at.child("required"), why));
        }
        None if spec.persistent_volume_source.local.is_some() => {
            errors.push(FieldError::required(&at, "Local volume requires node affinity"));
        }
        None => {}
    }
}

fn validate_attributes(spec: &PersistentVolumeSpec, path: &Path, errors: &mut ErrorList) {
    let Some(class) = spec.volume_attributes_class_name.as_deref() else { return };
    let at = path.child("volumeAttributesClassName");
    if class.is_empty() {
        errors.push(FieldError::required(&at, "an empty string is disallowed"));
    }
    validate_class(Some(class), &at, errors);
    if spec.persistent_volume_source.csi.is_none() {
        let why = "has to be specified when using volumeAttributesClassName";
        errors.push(FieldError::required(&path.child("csi"), why));
    }
}

/// The new source, but for the secret by which it is expanded, if the old one had none: that may be added.
fn but_for_expansion(new: &PersistentVolumeSource, old: &PersistentVolumeSource) -> PersistentVolumeSource {
    let mut new = new.clone();
    if old.csi.as_ref().is_some_and(|csi| csi.controller_expand_secret_ref.is_none())
        && let Some(csi) = &mut new.csi
    {
        csi.controller_expand_secret_ref = None;
    }
    new
}
