//! A pod as the decision sees it: what it asks for, added up once.

use std::sync::Arc;

use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod;
use keelson_base_model::resources::{self, CPU, MEMORY, Resources};
use keelson_proto::core::{Container, Pod};

/// What a container that requests no cpu counts as in priorities, in thousandths of a core (1.0).
pub const DEFAULT_MILLI_CPU: i64 = 100;

/// What a container that requests no memory counts as in priorities, in bytes (1.0).
pub const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// A pod with its needs added up.
#[derive(Clone, Debug, PartialEq)]
pub struct PodInfo {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// The object.
    pub pod: Arc<Pod>,
    /// What it asks a node for; predicates compare this.
    pub requests: Resources,
    /// Its cpu for priorities, in thousandths of a core: containers that ask for none count as
    /// [`DEFAULT_MILLI_CPU`], so that a crowd of them is not weightless.
    pub weighed_cpu: i64,
    /// Its memory for priorities, in bytes, with [`DEFAULT_MEMORY`] for containers that ask for none.
    pub weighed_memory: i64,
}

// === impl PodInfo ===

impl PodInfo {
    /// Adds up what the pod asks for.
    pub fn new(pod: Arc<Pod>) -> Self {
        let weighed = |of: fn(&Container) -> i64| {
            let containers = pod.spec.containers.iter();
            containers.fold(0_i64, |sum, container| sum.saturating_add(of(container)))
        };
        Self {
            key: pod::key(&pod),
            requests: pod::requests(&pod),
            weighed_cpu: weighed(|container| match container.resources.requests.contains_key(CPU) {
                true => resources::milli(&container.resources.requests, CPU),
                false => DEFAULT_MILLI_CPU,
            }),
            weighed_memory: weighed(|container| match container.resources.requests.contains_key(MEMORY) {
                true => resources::value(&container.resources.requests, MEMORY),
                false => DEFAULT_MEMORY,
            }),
            pod,
        }
    }

    /// The pod's uid: names come back, uids do not.
    pub fn uid(&self) -> &str {
        &self.pod.metadata.uid
    }

    /// The pod's namespace.
    pub fn namespace(&self) -> &str {
        &self.key.namespace
    }

    /// The node the pod is assigned to, or asks for by name; "" for none.
    pub fn node_name(&self) -> &str {
        &self.pod.spec.node_name
    }

    /// Whether `other` is the same to a scheduler: same needs, same labels. Its status may differ.
    pub fn is_alike(&self, other: &Self) -> bool {
        let (one, two) = (&self.pod, &other.pod);
        one.metadata.uid == two.metadata.uid
            && one.metadata.labels == two.metadata.labels
            && one.spec == two.spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mk_pod;

    #[test]
    fn silent_containers_have_a_default_weight_but_request_nothing() {
        let pod = mk_pod("web").container(&[]).container(&[("cpu", "1"), ("memory", "0")]).info();
        assert_eq!((pod.requests.milli_cpu, pod.requests.memory), (1000, 0));
        assert_eq!((pod.weighed_cpu, pod.weighed_memory), (1100, DEFAULT_MEMORY));
    }

    #[test]
    fn status_does_not_make_a_pod_another() {
        let before = mk_pod("web").container(&[]).info();
        let mut pod = (*before.pod).clone();
        pod.status.phase = "Running".to_owned();
        assert!(before.is_alike(&PodInfo::new(Arc::new(pod.clone()))));
        pod.metadata.labels.insert("a".into(), "b".into());
        assert!(!before.is_alike(&PodInfo::new(Arc::new(pod))));
    }
}
