//! MatchNodeSelector: the pod's node selector, and the node affinity that it requires.

use std::collections::BTreeMap;

use keelson_proto::core::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};

use crate::pod::PodInfo;
use crate::snapshot::NodeInfo;

/// Whether the node has all labels of the selector and meets the required affinity.
pub(super) fn matches(pod: &PodInfo, node: &NodeInfo) -> bool {
    let spec = &pod.pod.spec;
    let labels = &node.node.metadata.labels;
    if !spec.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value)) {
        return false;
    }
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required =
        affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    required.is_none_or(|required| meets(required, node))
}

/// Whether one of the terms holds.
fn meets(required: &NodeSelector, node: &NodeInfo) -> bool {
    let fields = BTreeMap::from([("metadata.name".to_owned(), node.name().to_owned())]);
    required.node_selector_terms.iter().any(|term| term_holds(term, &node.node.metadata.labels, &fields))
}

/// Whether all requirements of the term hold; a term without any holds nowhere.
fn term_holds(
    term: &NodeSelectorTerm,
    labels: &BTreeMap<String, String>,
    fields: &BTreeMap<String, String>,
) -> bool {
    let is_empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    !is_empty
        && term.match_expressions.iter().all(|requirement| holds(requirement, labels))
        && term.match_fields.iter().all(|requirement| holds(requirement, fields))
}

fn holds(requirement: &NodeSelectorRequirement, values: &BTreeMap<String, String>) -> bool {
    let value = values.get(&requirement.key);
    let is_listed = value.is_some_and(|value| requirement.values.contains(value));
    let compared = || {
        let wanted: i64 = requirement.values.first()?.parse().ok()?;
        Some(value?.parse::<i64>().ok()?.cmp(&wanted))
    };
    match requirement.operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(std::cmp::Ordering::is_gt),
        "Lt" => compared().is_some_and(std::cmp::Ordering::is_lt),
        _ => false,
    }
}
