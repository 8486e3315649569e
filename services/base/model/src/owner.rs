//! Who made an object and answers for it: owner references.

use keelson_proto::Object;
use keelson_proto::meta::{ObjectMeta, OwnerReference};

/// The reference to the one controller of an object, if it has one.
pub fn controller_of(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().find(|owner| owner.controller == Some(true))
}

/// Whether the object's controller is the one with this uid. (Names come back after deletion, uids do not.)
pub fn is_controlled_by(metadata: &ObjectMeta, uid: &str) -> bool {
    controller_of(metadata).is_some_and(|owner| owner.uid == uid)
}

/// A reference to `owner`, which does not make it the controller.
pub fn owner_reference<K: Object>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::KIND.api_version(),
        kind: K::KIND.kind.to_owned(),
        name: owner.metadata().name.clone(),
        uid: owner.metadata().uid.clone(),
        ..OwnerReference::default()
    }
}

/// A reference to `owner` as the controller, whose deletion waits for the object's.
pub fn controller_reference<K: Object>(owner: &K) -> OwnerReference {
    OwnerReference { controller: Some(true), block_owner_deletion: Some(true), ..owner_reference(owner) }
}

#[cfg(test)]
mod tests {
    use keelson_proto::coordination::Lease;
    use keelson_proto::core::ReplicationController;

    use super::*;

    fn metadata(name: &str, uid: &str) -> ObjectMeta {
        ObjectMeta { name: name.to_owned(), uid: uid.to_owned(), ..ObjectMeta::default() }
    }

    #[test]
    fn the_controller_is_the_owner_that_says_so() {
        let mut rc = ReplicationController::default();
        *rc.metadata_mut() = metadata("web", "u1");
        let mut pod = metadata("web-x", "u2");
        pod.owner_references.push(owner_reference(&rc));
        assert_eq!(controller_of(&pod), None);
        pod.owner_references.push(controller_reference(&rc));
        let found = controller_of(&pod).unwrap();
        assert_eq!((found.kind.as_str(), found.name.as_str()), ("ReplicationController", "web"));
        assert_eq!((found.api_version.as_str(), found.block_owner_deletion), ("v1", Some(true)));
        assert!(is_controlled_by(&pod, "u1") && !is_controlled_by(&pod, "u2"));
    }

    #[test]
    fn a_grouped_kind_has_its_group_in_the_version() {
        assert_eq!(owner_reference(&Lease::default()).api_version, "coordination.k8s.io/v1");
    }
}
