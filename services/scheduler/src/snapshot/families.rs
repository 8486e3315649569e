//! Pods told apart by namespace and labels only, counted by node.
//!
//! The pods of one controller have the same labels, so a selector is asked once for all of them.

use std::collections::{BTreeMap, HashMap};

use keelson_base_model::labels::Selector;

use crate::pod::PodInfo;

type Labels = BTreeMap<String, String>;
type ByNode = BTreeMap<String, usize>;

/// How many pods with the same labels each node has, by namespace and labels. Holds no zeros.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Families {
    namespaces: HashMap<String, HashMap<Labels, ByNode>>,
}

// === impl Families ===

impl Families {
    pub(super) fn add(&mut self, pod: &PodInfo, node: &str) {
        let families = match self.namespaces.get_mut(pod.namespace()) {
            Some(families) => families,
            None => self.namespaces.entry(pod.namespace().to_owned()).or_default(),
        };
        let labels = &pod.pod.metadata.labels;
        let by_node = match families.get_mut(labels) {
            Some(by_node) => by_node,
            None => families.entry(labels.clone()).or_default(),
        };
        match by_node.get_mut(node) {
            Some(count) => *count += 1,
            None => {
                by_node.insert(node.to_owned(), 1);
            }
        }
    }

    pub(super) fn remove(&mut self, pod: &PodInfo, node: &str) {
        let Some(families) = self.namespaces.get_mut(pod.namespace()) else { return };
        let labels = &pod.pod.metadata.labels;
        let Some(by_node) = families.get_mut(labels) else { return };
        let left = by_node.get_mut(node).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            by_node.remove(node);
        }
        if by_node.is_empty() {
            families.remove(labels);
        }
        if families.is_empty() {
            self.namespaces.remove(pod.namespace());
        }
    }

    /// How many pods of a namespace that match the selector each node has.
    pub(super) fn by_node(&self, namespace: &str, selector: &Selector) -> BTreeMap<&str, usize> {
        let mut sums = BTreeMap::new();
        let families = self.namespaces.get(namespace).into_iter().flatten();
        for (_, by_node) in families.filter(|(labels, _)| selector.matches(labels)) {
            for (node, count) in by_node {
                *sums.entry(node.as_str()).or_default() += count;
            }
        }
        sums
    }
}
