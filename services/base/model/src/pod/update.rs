//! The rules for a pod that changes: almost nothing of its spec may.

use std::collections::BTreeSet;

use keelson_proto::core::{Container, Pod, PodSpec, Toleration};
use serde_json::Value;

use super::validate::validate_whole;
use crate::field::{ErrorList, FieldError, Path};
use crate::meta;

const ONLY: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
`spec.tolerations` (only additions to existing tolerations),\
`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Carries over what an ordinary update does not touch: the status and the server's metadata.
pub fn prepare_update(new: &mut Pod, old: &Pod) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
}

/// Checks that only images, the deadline, tolerations and scheduling gates have changed, each as it may.
pub fn validate_update(new: &Pod, old: &Pod) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate_whole(new));
    let path = Path::new("spec");
    let lists = [
        ("containers", new.spec.containers.len(), old.spec.containers.len()),
        ("initContainers", new.spec.init_containers.len(), old.spec.init_containers.len()),
    ];
    for (name, new, old) in lists {
        if new != old {
            let why = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(&path.child(name), why));
            return errors;
        }
    }
    validate_deadline(&new.spec, &old.spec, &path.child("activeDeadlineSeconds"), &mut errors);
    let tolerations = path.child("tolerations");
    validate_tolerations(&new.spec.tolerations, &old.spec.tolerations, &tolerations, &mut errors);
    validate_gates(&new.spec, &old.spec, &path.child("schedulingGates"), &mut errors);
    let reverted = revert(&new.spec, &old.spec);
    if reverted != old.spec {
        let why = format!("{ONLY}\nchanged: {}", changed(&reverted, &old.spec).join(", "));
        errors.push(FieldError::forbidden(&path, why));
    }
    errors
}

fn validate_deadline(new: &PodSpec, old: &PodSpec, path: &Path, errors: &mut ErrorList) {
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (None, Some(_)) => {
            errors.push(FieldError::invalid(
                path,
                Value::Null,
                "must not update from a positive integer to nil value",
            ));
        }
        (Some(new), Some(old)) if new > old => {
            errors.push(FieldError::invalid(path, new, "must be less than or equal to previous value"));
        }
        _ => {}
    }
}

fn validate_tolerations(new: &[Toleration], old: &[Toleration], path: &Path, errors: &mut ErrorList) {
    let kept = |old: &Toleration| {
        new.iter().any(|new| Toleration { toleration_seconds: old.toleration_seconds, ..new.clone() } == *old)
    };
    if !old.iter().all(kept) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden(path, why));
    }
}

fn validate_gates(new: &PodSpec, old: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let old: BTreeSet<&str> = old.scheduling_gates.iter().map(|gate| gate.name.as_str()).collect();
    for gate in new.scheduling_gates.iter().filter(|gate| !old.contains(gate.name.as_str())) {
        let why = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
        errors.push(FieldError::forbidden(path, why));
    }
}

/// The new spec with each change that is allowed (or reported elsewhere) undone.
fn revert(new: &PodSpec, old: &PodSpec) -> PodSpec {
    let mut spec = new.clone();
    revert_images(&mut spec.containers, &old.containers);
    revert_images(&mut spec.init_containers, &old.init_containers);
    spec.active_deadline_seconds = old.active_deadline_seconds;
    spec.tolerations.clone_from(&old.tolerations);
    if old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0)
        && spec.termination_grace_period_seconds == Some(1)
    {
        spec.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    spec.scheduling_gates.clone_from(&old.scheduling_gates);
    // While a pod may not be scheduled yet, the choice of its nodes may become narrower.
    let narrower = old.node_selector.iter().all(|(key, value)| spec.node_selector.get(key) == Some(value));
    if !old.scheduling_gates.is_empty() && narrower {
        spec.node_selector.clone_from(&old.node_selector);
    }
    spec
}

fn revert_images(new: &mut [Container], old: &[Container]) {
    for (new, old) in new.iter_mut().zip(old) {
        new.image.clone_from(&old.image);
    }
}

/// The fields of the spec that differ.
fn changed(new: &PodSpec, old: &PodSpec) -> Vec<String> {
    let (Ok(Value::Object(new)), Ok(Value::Object(old))) =
        (serde_json::to_value(new), serde_json::to_value(old))
    else {
        return Vec::new();
    };
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    names
        .into_iter()
        .filter(|name| new.get(*name) != old.get(*name))
        .map(|name| format!("spec.{name}"))
        .collect()
}
