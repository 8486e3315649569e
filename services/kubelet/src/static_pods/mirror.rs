//! What a static pod and its mirror have in common. Pure.

use keelson_proto::core::{Pod, PodStatus};

/// On a mirror: the hash of the static pod that it shows.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";
/// On a static pod: the hash of its wording.
pub(super) const HASH: &str = "kubernetes.io/config.hash";
/// Where a pod comes from: `file` or `http`.
pub(super) const SOURCE: &str = "kubernetes.io/config.source";
/// When it was first seen.
pub(super) const SEEN: &str = "kubernetes.io/config.seen";

/// Namespace and name.
pub(crate) type Name = (String, String);

/// Namespace and name of a pod.
pub(crate) fn name_of(pod: &Pod) -> Name {
    (pod.metadata.namespace.clone(), pod.metadata.name.clone())
}

/// Whether the pod comes from a manifest, and is not the mirror of one.
pub(crate) fn is_static(pod: &Pod) -> bool {
    let annotations = &pod.metadata.annotations;
    annotations.contains_key(HASH) && annotations.contains_key(SOURCE) && !annotations.contains_key(MIRROR)
}

/// The uid of the static pod that `pod` mirrors; none if it is no mirror.
pub(crate) fn mirrored(pod: &Pod) -> Option<&str> {
    pod.metadata.annotations.get(MIRROR).map(String::as_str)
}

/// The mirror to make of a static pod.
pub(crate) fn likeness(pod: &Pod) -> Pod {
    let mut mirror = pod.clone();
    mirror.metadata.annotations.insert(MIRROR.to_owned(), pod.metadata.uid.clone());
    mirror.metadata.uid.clear();
    mirror.metadata.creation_timestamp = None;
    mirror.status = PodStatus::default();
    mirror
}
