//! The rules for a replication controller.

use keelson_proto::core::{PodTemplateSpec, ReplicationController, ReplicationControllerSpec};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names, pod};

/// Checks a controller. Call [`super::set_defaults`] first.
pub fn validate(rc: &ReplicationController) -> ErrorList {
    let mut errors = meta::validate(&rc.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    errors.extend(validate_spec(&rc.spec, &Path::new("spec")));
    errors
}

/// Checks a changed controller; all of its spec may change, by the rules of a new one.
pub fn validate_update(new: &ReplicationController, old: &ReplicationController) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

/// Checks a status write: counts that are not negative and do not contradict each other.
pub fn validate_status_update(new: &ReplicationController, old: &ReplicationController) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    let (status, path) = (&new.status, Path::new("status"));
    let counts = [
        ("replicas", i64::from(status.replicas)),
        ("fullyLabeledReplicas", i64::from(status.fully_labeled_replicas)),
        ("readyReplicas", i64::from(status.ready_replicas)),
        ("availableReplicas", i64::from(status.available_replicas)),
        ("observedGeneration", status.observed_generation),
    ];
    for (name, count) in counts {
        checks::not_negative(count, &path.child(name), &mut errors);
    }
    let (all, ready) = (status.replicas, status.ready_replicas);
    let bounds = [
        ("fullyLabeledReplicas", status.fully_labeled_replicas, "status.replicas", all),
        ("readyReplicas", ready, "status.replicas", all),
        ("availableReplicas", status.available_replicas, "status.replicas", all),
        ("availableReplicas", status.available_replicas, "readyReplicas", ready),
    ];
    for (name, count, other, most) in bounds {
        if count > most {
            let why = format!("cannot be greater than {other}");
            errors.push(FieldError::invalid(&path.child(name), count, why));
        }
    }
    errors
}

fn validate_spec(spec: &ReplicationControllerSpec, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    checks::not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), &mut errors);
    let selector = path.child("selector");
    if spec.selector.is_empty() {
        errors.push(FieldError::required(&selector, ""));
    } else {
        errors.extend(meta::validate_labels(&spec.selector, &selector));
    }
    match spec.replicas {
        None => errors.push(FieldError::required(&path.child("replicas"), "")),
        Some(replicas) => checks::not_negative(replicas, &path.child("replicas"), &mut errors),
    }
    let template = path.child("template");
    match &spec.template {
        None => errors.push(FieldError::required(&template, "")),
        Some(pods) => validate_template(pods, spec, &template, &mut errors),
    }
    errors
}

fn validate_template(
    template: &PodTemplateSpec,
    controller: &ReplicationControllerSpec,
    path: &Path,
    errors: &mut ErrorList,
) {
    let labels = &template.metadata.labels;
    if !controller.selector.is_empty() && !meta::selects(&controller.selector, labels) {
        let value = serde_json::to_value(labels).unwrap_or_default();
        let why = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(&path.child("metadata").child("labels"), value, why));
    }
    errors.extend(pod::validate_template(template, path));
    let path = path.child("spec");
    if controller.replicas.unwrap_or(1) > 1 {
        validate_disks(template, &path.child("volumes"), errors);
    }
    let policy = template.spec.restart_policy.as_str();
    if !matches!(policy, "" | "Always") {
        errors.push(FieldError::not_supported(&path.child("restartPolicy"), policy, &["Always"]));
    }
    if template.spec.active_deadline_seconds.is_some() {
        let why = "activeDeadlineSeconds in ReplicationController is not Supported";
        errors.push(FieldError::forbidden(&path.child("activeDeadlineSeconds"), why));
    }
}

/// Pods on several nodes can share a GCE disk only for reading.
fn validate_disks(template: &PodTemplateSpec, path: &Path, errors: &mut ErrorList) {
    for (index, volume) in template.spec.volumes.iter().enumerate() {
        if volume.volume_source.gce_persistent_disk.as_ref().is_some_and(|disk| !disk.read_only) {
            let path = path.index(index).child("gcePersistentDisk").child("readOnly");
            let why = "must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only";
            errors.push(FieldError::invalid(&path, false, why));
        }
    }
}
