//! Whose pods are whose: the controller's own, those it takes in, and those it lets go.

use std::sync::Arc;

use keelson_base_client::ApiError;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{meta, owner, pod, rc};
use keelson_proto::core::{Pod, ReplicationController};

use super::ReplicationLoop;

/// The active pods that concern a controller.
#[derive(Debug, Default, PartialEq)]
struct Claim {
    /// Its own, which its selector still matches.
    members: Vec<Arc<Pod>>,
    /// Those without a controller that its selector matches: they become its own.
    adopt: Vec<Arc<Pod>>,
    /// Its own that its selector does not match any more: they are on their own from now on.
    release: Vec<Arc<Pod>>,
}

// === impl Claim ===

impl Claim {
    /// Sorts pods by what they are to the controller. Those that have ended or are being deleted are nothing to it.
    fn of(rc: &ReplicationController, pods: impl IntoIterator<Item = Arc<Pod>>) -> Self {
        let mut claim = Self::default();
        for pod in pods.into_iter().filter(|pod| pod::is_active(pod)) {
            let matches = rc::selects(rc, &pod);
            match owner::controller_of(&pod.metadata) {
                Some(owner) if owner.uid == rc.metadata.uid && matches => claim.members.push(pod),
                Some(owner) if owner.uid == rc.metadata.uid => claim.release.push(pod),
                None if matches => claim.adopt.push(pod),
                _ => {}
            }
        }
        claim
    }
}

// === impl ReplicationLoop ===

impl ReplicationLoop {
    /// The controller's active pods, after it took in and let go what it had to.
    pub(super) async fn claim(&self, rc: &ReplicationController) -> Result<Vec<Arc<Pod>>, ApiError> {
        let own = self.caches.pods_of(&rc.metadata.uid);
        let alone = self.caches.pods_without_controller(&rc.metadata.namespace);
        let mut claim = Claim::of(rc, own.into_iter().chain(alone));
        if !claim.adopt.is_empty() && self.may_adopt(rc).await? {
            for pod in claim.adopt {
                let mut adopted = Pod::clone(&pod);
                adopted.metadata.owner_references.push(owner::controller_reference(rc));
                claim.members.extend(self.write(&adopted).await?.map(Arc::new));
            }
        }
        for pod in claim.release {
            let mut released = Pod::clone(&pod);
            let owners = &mut released.metadata.owner_references;
            owners.retain(|owner| owner.uid != rc.metadata.uid);
            self.write(&released).await?;
        }
        Ok(claim.members)
    }

    /// Whether the controller still is there: its pods would otherwise be adopted into the grave.
    async fn may_adopt(&self, rc: &ReplicationController) -> Result<bool, ApiError> {
        let key = ObjectKey::of(&rc.metadata);
        match self.rcs.namespaced(&key.namespace).get(&key.name).await {
            Ok(now) => Ok(now.metadata.uid == rc.metadata.uid && !meta::is_deleting(&now.metadata)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces a pod that has not changed since; none if it is gone.
    async fn write(&self, pod: &Pod) -> Result<Option<Pod>, ApiError> {
        match self.pods.update(pod).await {
            Ok(pod) => Ok(Some(pod)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{mk_pod, mk_rc};

    #[test]
    fn pods_are_sorted_by_owner_and_labels() {
        let rc = mk_rc("web", 3);
        let other = mk_rc("other", 1);
        let table = [
            ("its own", Some(&rc), "web", "Running", "member"),
            ("its own, relabelled", Some(&rc), "debug", "Running", "release"),
            ("its own, ended", Some(&rc), "web", "Failed", ""),
            ("its own, relabelled and ended", Some(&rc), "debug", "Succeeded", ""),
            ("nobody's", None, "web", "Pending", "adopt"),
            ("nobody's, ended", None, "web", "Failed", ""),
            ("nobody's, with other labels", None, "debug", "Running", ""),
            ("another's", Some(&other), "web", "Running", ""),
        ];
        for (what, owner, app, phase, expected) in table {
            let mut pod = mk_pod("p", app, phase);
            pod.metadata.owner_references.extend(owner.map(owner::controller_reference));
            let claim = Claim::of(&rc, [Arc::new(pod)]);
            let found: Vec<_> =
                [("member", &claim.members), ("adopt", &claim.adopt), ("release", &claim.release)]
                    .into_iter()
                    .filter(|(_, pods)| !pods.is_empty())
                    .map(|(name, _)| name)
                    .collect();
            assert_eq!(found.join(" "), expected, "{what}");
        }
    }

    #[test]
    fn pods_that_are_being_deleted_or_elsewhere_do_not_count() {
        let rc = mk_rc("web", 3);
        let mut deleting = mk_pod("a", "web", "Running");
        deleting.metadata.deletion_timestamp = Some(keelson_proto::meta::Time::now());
        let mut elsewhere = mk_pod("b", "web", "Running");
        elsewhere.metadata.namespace = "other".to_owned();
        let claim = Claim::of(&rc, [deleting, elsewhere].map(Arc::new));
        assert_eq!(claim, Claim::default());
    }
}
