//! Who selects pods: services, or controllers.

use std::collections::BTreeMap;

use keelson_base_model::key::ObjectKey;
use keelson_base_model::labels::Selector;

use crate::pod::PodInfo;

/// Selectors by the namespace and name of whoever selects. An empty selector selects nothing and is not kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selectors {
    by_key: BTreeMap<ObjectKey, Selector>,
}

// === impl Selectors ===

impl Selectors {
    pub(super) fn set(&mut self, key: ObjectKey, labels: &BTreeMap<String, String>) {
        if labels.is_empty() {
            self.by_key.remove(&key);
        } else {
            self.by_key.insert(key, Selector::from_set(labels));
        }
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.by_key.remove(key);
    }

    /// The first, by name, that selects the pod.
    pub(super) fn first(&self, pod: &PodInfo) -> Option<&Selector> {
        let namespace = pod.namespace();
        let of_namespace = self.by_key.range(ObjectKey::new(namespace, "")..);
        of_namespace
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, selector)| selector)
            .find(|selector| selector.matches(&pod.pod.metadata.labels))
    }
}
