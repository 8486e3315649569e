//! Replication controllers: their defaults and rules, and the pods that they make.

mod validate;

use std::borrow::Cow;

use keelson_proto::Object;
use keelson_proto::core::{Pod, ReplicationController, ReplicationControllerStatus};
use keelson_proto::meta::ObjectMeta;

pub use self::validate::{validate, validate_status_update, validate_update};
use crate::labels::Selector;
use crate::{meta, owner, pod};

/// The fields that replication controllers can be selected by.
pub const FIELDS: &[&str] = &["metadata.name", "metadata.namespace", "status.replicas"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(rc: &'a ReplicationController, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "status.replicas" => Some(Cow::Owned(rc.status.replicas.to_string())),
        _ => meta::fields(&rc.metadata, field),
    }
}

/// Fills in what may be left out: one replica; selector and labels are those of the template.
pub fn set_defaults(rc: &mut ReplicationController) {
    if let Some(template) = &mut rc.spec.template {
        let labels = &template.metadata.labels;
        if rc.spec.selector.is_empty() {
            rc.spec.selector.clone_from(labels);
        }
        if rc.metadata.labels.is_empty() {
            rc.metadata.labels.clone_from(labels);
        }
        pod::set_spec_defaults(&mut template.spec);
    }
    rc.spec.replicas.get_or_insert(1);
}

/// What the server writes into a controller that begins to exist: the first generation, an empty status.
pub fn prepare_create(rc: &mut ReplicationController) {
    rc.metadata.generation = 1;
    rc.status = ReplicationControllerStatus::default();
}

/// Carries over what an ordinary update does not touch, and counts a changed spec as a new generation.
pub fn prepare_update(new: &mut ReplicationController, old: &ReplicationController) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
    if new.spec != old.spec {
        new.metadata.generation = old.metadata.generation + 1;
    }
}

/// Leaves of a status write only the status.
pub fn prepare_status_update(new: &mut ReplicationController, old: &ReplicationController) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// How many pods are wanted.
pub fn replicas(rc: &ReplicationController) -> i32 {
    rc.spec.replicas.unwrap_or(1)
}

/// The selector of the controller's pods. One without a selector, which validation refuses, would select all.
pub fn selector(rc: &ReplicationController) -> Selector {
    Selector::from_set(&rc.spec.selector)
}

/// Whether the pod has the labels that the controller selects, in its namespace.
pub fn selects(rc: &ReplicationController, pod: &Pod) -> bool {
    rc.metadata.namespace == pod.metadata.namespace && meta::selects(&rc.spec.selector, &pod.metadata.labels)
}

/// A new pod as the template says, to be named by the server, with the controller as its owner; none if the
/// controller has no template.
pub fn pod_from_template(rc: &ReplicationController) -> Option<Pod> {
    let template = rc.spec.template.as_ref()?;
    let metadata = ObjectMeta {
        namespace: rc.metadata.namespace.clone(),
        generate_name: name_prefix(&rc.metadata.name),
        labels: template.metadata.labels.clone(),
        annotations: template.metadata.annotations.clone(),
        finalizers: template.metadata.finalizers.clone(),
        owner_references: vec![owner::controller_reference(rc)],
        ..ObjectMeta::default()
    };
    Some(Pod { metadata, spec: template.spec.clone(), ..Pod::default() })
}

/// The controller's name and a dash, if names that begin so can be pod names; else the name alone.
fn name_prefix(name: &str) -> String {
    let prefix = format!("{name}-");
    let fits = crate::names::dns_subdomain(&crate::names::mask_trailing_dash(&prefix)).is_empty();
    if fits { prefix } else { name.to_owned() }
}

/// The controller that the pod's owner reference names, if it is one of this kind.
pub fn owner_of(pod: &Pod) -> Option<&keelson_proto::meta::OwnerReference> {
    let kind = ReplicationController::KIND;
    owner::controller_of(&pod.metadata)
        .filter(|owner| owner.kind == kind.kind && owner.api_version == kind.api_version())
}

#[cfg(test)]
mod tests;
