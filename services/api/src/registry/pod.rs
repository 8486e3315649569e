//! Pods.

use keelson_base_model::conditions;
use keelson_base_model::field::ErrorList;
use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::core::{Binding, Pod, PodCondition};
use keelson_proto::meta::{DeleteOptions, Time};

use crate::registry::delete::with_grace;
use crate::registry::mutate::Change;
use crate::registry::{Deletion, Registry, Strategy};

/// The longest grace in seconds, some 68 years: what ends later may be no moment of the calendar.
const LONGEST_GRACE: i64 = i32::MAX as i64;

/// What is particular to pods: graceful deletion, binding, and that little of a spec may change.
pub(crate) struct PodStrategy;

// === impl PodStrategy ===

impl Strategy for PodStrategy {
    type Object = Pod;
    const PREFIX: &'static str = "/registry/pods/";
    const FIELDS: &'static [&'static str] = pod::FIELDS;

    fn fields(object: &Pod) -> Vec<(&'static str, String)> {
        super::fields_of(pod::FIELDS, |field| pod::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Pod) {
        pod::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut Pod) {
        pod::prepare_create(object);
    }

    fn validate_create(&self, object: &Pod) -> ErrorList {
        pod::validate(object)
    }

    fn prepare_update(&self, new: &mut Pod, old: &Pod) {
        pod::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Pod, old: &Pod) -> ErrorList {
        pod::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut Pod, old: &Pod) {
        pod::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &Pod, old: &Pod) -> ErrorList {
        pod::validate_status_update(new, old)
    }

    fn deletion(&self, object: &Pod, options: &DeleteOptions) -> Result<Deletion<Pod>, ApiError> {
        let asked =
            options.grace_period_seconds.or(object.spec.termination_grace_period_seconds).unwrap_or(30);
        // What is negative means the least there is, as in Kubernetes.
        let asked = if asked < 0 { 1 } else { asked.min(LONGEST_GRACE) };
        // Nothing runs yet, or nothing runs any more: there is nobody to be gracious to.
        let idle = object.spec.node_name.is_empty() || pod::is_terminal(object);
        let grace = if idle { 0 } else { asked };
        if grace == 0 {
            return Ok(Deletion::Now);
        }
        let shortened = object
            .metadata
            .deletion_grace_period_seconds
            .is_none_or(|left| options.grace_period_seconds.is_some() && grace < left);
        if !shortened {
            return Ok(Deletion::Under);
        }
        Ok(Deletion::Later(Box::new(with_grace(object, grace))))
    }
}

// === impl Registry ===

impl Registry<PodStrategy> {
    /// Puts a pod on a node: one compare-and-set.
    ///
    /// # Errors
    /// NotFound, Invalid for a bad target, Conflict if the pod has a node already or is being deleted.
    pub(crate) async fn bind(&self, namespace: &str, binding: Binding) -> Result<(), ApiError> {
        let name = binding.metadata.name.as_str();
        let namespace = if namespace.is_empty() { &binding.metadata.namespace } else { namespace };
        if !["", "Node", "Minion"].contains(&binding.target.kind.as_str()) || binding.target.name.is_empty() {
            return Err(ApiError::bad_request(format!(
                "binding {name}: the target must be a Node with a name"
            )));
        }
        let path = Self::path(namespace, name);
        let bound = self.mutate(&path, false, |old| {
            let refuse = |why: String| Err(ApiError::conflict_because("pods/binding", name, why));
            if !binding.metadata.uid.is_empty() && binding.metadata.uid != old.metadata.uid {
                return refuse(format!(
                    "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                    binding.metadata.uid, old.metadata.uid
                ));
            }
            if old.metadata.deletion_timestamp.is_some() {
                return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
            }
            if !old.spec.node_name.is_empty() {
                return refuse(format!("pod {name} is already assigned to node \"{}\"", old.spec.node_name));
            }
            if !old.spec.scheduling_gates.is_empty() {
                return refuse(format!("pod {name} has non-empty .spec.schedulingGates"));
            }
            let mut new = Box::new(old.clone());
            new.spec.node_name.clone_from(&binding.target.name);
            new.metadata_mut().annotations.extend(binding.metadata.annotations.clone());
            let scheduled = PodCondition {
                r#type: "PodScheduled".to_owned(),
                status: conditions::TRUE.to_owned(),
                ..PodCondition::default()
            };
            conditions::set(&mut new.status.conditions, scheduled, Time::now());
            Ok(Change::Write(new))
        });
        bound.await.map(drop)
    }
}
