//! Scale: how many replicas a controller has, as an object of its own.

use keelson_proto::autoscaling::{Scale, ScaleSpec, ScaleStatus};
use keelson_proto::core::ReplicationController;
use keelson_proto::meta::ObjectMeta;

use crate::field::{ErrorList, Path};
use crate::{checks, meta, names, rc};

/// The scale of a replication controller.
pub fn of_rc(controller: &ReplicationController) -> Scale {
    let from = &controller.metadata;
    Scale {
        metadata: ObjectMeta {
            name: from.name.clone(),
            namespace: from.namespace.clone(),
            uid: from.uid.clone(),
            resource_version: from.resource_version.clone(),
            creation_timestamp: from.creation_timestamp,
            ..ObjectMeta::default()
        },
        spec: ScaleSpec { replicas: rc::replicas(controller) },
        status: ScaleStatus {
            replicas: controller.status.replicas,
            selector: rc::selector(controller).to_string(),
        },
    }
}

/// Writes the wanted number, and the version that the client read, into the controller.
pub fn apply(scale: &Scale, controller: &mut ReplicationController) {
    controller.spec.replicas = Some(scale.spec.replicas);
    if !scale.metadata.resource_version.is_empty() {
        controller.metadata.resource_version.clone_from(&scale.metadata.resource_version);
    }
}

/// Checks a scale.
pub fn validate(scale: &Scale) -> ErrorList {
    let mut errors = meta::validate(&scale.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    checks::not_negative(scale.spec.replicas, &Path::new("spec").child("replicas"), &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::mk_rc;

    #[test]
    fn a_scale_shows_and_sets_the_replicas() {
        let mut controller = mk_rc();
        controller.metadata.resource_version = "7".to_owned();
        controller.status.replicas = 2;
        let mut scale = of_rc(&controller);
        assert_eq!((scale.spec.replicas, scale.status.replicas), (3, 2));
        assert_eq!(scale.status.selector, "app=web");
        scale.spec.replicas = 5;
        scale.metadata.resource_version = "6".to_owned();
        apply(&scale, &mut controller);
        assert_eq!(controller.spec.replicas, Some(5));
        assert_eq!(controller.metadata.resource_version, "6", "a stale scale must conflict");
    }

    #[test]
    fn replicas_are_not_negative() {
        let mut scale = of_rc(&mk_rc());
        assert!(validate(&scale).is_empty());
        scale.spec.replicas = -1;
        let errors = validate(&scale).to_string();
        assert_eq!(errors, "spec.replicas: Invalid value: -1: must be greater than or equal to 0");
    }
}
