//! How the loops delete: the object that they have seen, and no other that took its name.

use keelson_proto::meta::{DeleteOptions, ObjectMeta, Preconditions};

/// Deletes the object with this uid, with the grace that it has itself.
pub(crate) fn seen(metadata: &ObjectMeta) -> DeleteOptions {
    DeleteOptions {
        preconditions: Some(Preconditions { uid: Some(metadata.uid.clone()), ..Preconditions::default() }),
        ..DeleteOptions::default()
    }
}

/// The same if it has not changed since; its own dependents go after it.
pub(crate) fn unchanged(metadata: &ObjectMeta) -> DeleteOptions {
    DeleteOptions {
        preconditions: Some(Preconditions {
            uid: Some(metadata.uid.clone()),
            resource_version: Some(metadata.resource_version.clone()),
        }),
        propagation_policy: Some("Background".to_owned()),
        ..DeleteOptions::default()
    }
}

/// Deletes the object with this uid at once.
pub(crate) fn now(metadata: &ObjectMeta) -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(0), ..seen(metadata) }
}
