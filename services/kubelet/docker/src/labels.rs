//! Identity as Docker keeps it: labels and names.
//!
//! The names of Kubernetes' labels are those that tools around Docker know (`io.kubernetes.pod.name` and its
//! like).

use std::collections::HashMap;
use std::time::Duration;

use keelson_kubelet::runtime::{Identity, PodRef, Role};

const CLUSTER: &str = "io.keelson.cluster";
const NODE: &str = "io.keelson.node";
const ROLE: &str = "io.keelson.role";
const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
pub(crate) const POD_UID: &str = "io.kubernetes.pod.uid";
const POD_GRACE: &str = "io.kubernetes.pod.terminationGracePeriod";
const CONTAINER_NAME: &str = "io.kubernetes.container.name";
const CONTAINER_HASH: &str = "io.kubernetes.container.hash";
const CONTAINER_ATTEMPT: &str = "io.kubernetes.container.restartCount";

/// Whose containers these are: one node of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) cluster: String,
    pub(crate) node: String,
}

/// All labels of a container.
pub(crate) fn of(owner: &Owner, identity: &Identity) -> HashMap<String, String> {
    let Identity { pod, container, role, attempt, hash, grace } = identity;
    let labels = [
        (CLUSTER, owner.cluster.clone()),
        (NODE, owner.node.clone()),
        (ROLE, role_name(*role).to_owned()),
        (POD_NAME, pod.name.clone()),
        (POD_NAMESPACE, pod.namespace.clone()),
        (POD_UID, pod.uid.clone()),
        (POD_GRACE, grace.as_secs().to_string()),
        (CONTAINER_NAME, container.clone()),
        (CONTAINER_HASH, hash.clone()),
        (CONTAINER_ATTEMPT, attempt.to_string()),
    ];
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The identity in a container's labels; `None` if they are not (all) ours.
pub(crate) fn identity(labels: &HashMap<String, String>) -> Option<Identity> {
    let label = |key: &str| labels.get(key).cloned();
    Some(Identity {
        pod: PodRef { uid: label(POD_UID)?, namespace: label(POD_NAMESPACE)?, name: label(POD_NAME)? },
        container: label(CONTAINER_NAME)?,
        role: role(labels.get(ROLE)?)?,
        attempt: label(CONTAINER_ATTEMPT)?.parse().ok()?,
        hash: label(CONTAINER_HASH)?,
        grace: Duration::from_secs(label(POD_GRACE)?.parse().ok()?),
    })
}

/// The name of a container: two of one name are the same attempt at the same container of the same pod.
pub(crate) fn name(identity: &Identity) -> String {
    let Identity { pod, container, attempt, .. } = identity;
    format!("k8s_{container}_{}_{}_{}_{attempt}", pod.name, pod.namespace, pod.uid)
}

/// Docker's label filters for the containers of a node, or of one of its pods.
pub(crate) fn filters(owner: &Owner, pod_uid: Option<&str>) -> Vec<String> {
    let mut filters = vec![cluster_filter(&owner.cluster), format!("{NODE}={}", owner.node)];
    filters.extend(pod_uid.map(|uid| format!("{POD_UID}={uid}")));
    filters
}

/// Docker's label filter for the containers of a cluster.
pub(crate) fn cluster_filter(cluster: &str) -> String {
    format!("{CLUSTER}={cluster}")
}

// === impl Owner ===

impl Owner {
    /// Whether a container with these labels is this node's.
    pub(crate) fn owns(&self, labels: &HashMap<String, String>) -> bool {
        labels.get(CLUSTER) == Some(&self.cluster) && labels.get(NODE) == Some(&self.node)
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Infra => "infra",
        Role::Init => "init",
        Role::App => "app",
    }
}

fn role(name: &str) -> Option<Role> {
    [Role::Infra, Role::Init, Role::App].into_iter().find(|role| role_name(*role) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity_of(role: Role) -> Identity {
        Identity {
            pod: PodRef { uid: "u-1".into(), namespace: "default".into(), name: "web".into() },
            container: "nginx".into(),
            role,
            attempt: 3,
            hash: "cafe".into(),
            grace: Duration::from_secs(30),
        }
    }

    #[test]
    fn identity_survives_as_labels() {
        let owner = Owner { cluster: "c".into(), node: "n".into() };
        for role in [Role::Infra, Role::Init, Role::App] {
            let labels = of(&owner, &identity_of(role));
            assert_eq!(identity(&labels), Some(identity_of(role)));
            assert!(owner.owns(&labels));
        }
    }

    #[test]
    fn labels_that_miss_something_are_nobodys() {
        let owner = Owner { cluster: "c".into(), node: "n".into() };
        let whole = of(&owner, &identity_of(Role::App));
        for key in [
            ROLE,
            POD_NAME,
            POD_NAMESPACE,
            POD_UID,
            POD_GRACE,
            CONTAINER_NAME,
            CONTAINER_HASH,
            CONTAINER_ATTEMPT,
        ] {
            let mut labels = whole.clone();
            labels.remove(key);
            assert_eq!(identity(&labels), None, "without {key}");
        }
        assert!(!Owner { cluster: "c".into(), node: "other".into() }.owns(&whole));
    }

    #[test]
    fn names_are_kubernetes_names() {
        assert_eq!(name(&identity_of(Role::App)), "k8s_nginx_web_default_u-1_3");
    }
}
