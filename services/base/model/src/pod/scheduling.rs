//! The rules for where a pod may run: tolerations, affinity, spread and gates.

use std::collections::HashSet;

use keelson_proto::core::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
    PodSpec, Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use keelson_proto::meta::LabelSelector;

use crate::checks;
use crate::field::{ErrorList, FieldError, Path};
use crate::labels::Selector;
use crate::{meta, names};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];

/// Checks all of it.
pub(super) fn validate(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    if !spec.scheduler_name.is_empty() {
        let name = spec.scheduler_name.as_str();
        errors.push_invalid(&path.child("schedulerName"), name, names::qualified_name(name));
    }
    errors.extend(meta::validate_labels(&spec.node_selector, &path.child("nodeSelector")));
    for (index, toleration) in spec.tolerations.iter().enumerate() {
        validate_toleration(toleration, &path.child("tolerations").index(index), errors);
    }
    if let Some(affinity) = &spec.affinity {
        validate_affinity(affinity, &path.child("affinity"), errors);
    }
    validate_spread(&spec.topology_spread_constraints, &path.child("topologySpreadConstraints"), errors);
    let mut gates = HashSet::new();
    for (index, gate) in spec.scheduling_gates.iter().enumerate() {
        let path = path.child("schedulingGates").index(index);
        errors.push_invalid(&path, &gate.name, names::qualified_name(&gate.name));
        if !gates.insert(&gate.name) {
            errors.push(FieldError::duplicate(&path, gate.name.as_str()));
        }
    }
}

fn validate_toleration(toleration: &Toleration, path: &Path, errors: &mut ErrorList) {
    let (operator, effect) = (path.child("operator"), path.child("effect"));
    if !toleration.key.is_empty() {
        errors.push_invalid(&path.child("key"), &toleration.key, names::qualified_name(&toleration.key));
    } else if toleration.operator != "Exists" {
        let why =
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(FieldError::invalid(&operator, toleration.operator.as_str(), why));
    }
    if toleration.toleration_seconds.is_some() && toleration.effect != "NoExecute" {
        let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(&effect, toleration.effect.as_str(), why));
    }
    let value = toleration.value.as_str();
    match toleration.operator.as_str() {
        "Equal" | "" => errors.push_invalid(&operator, value, names::label_value(value)),
        "Exists" if !value.is_empty() => {
            let why = "value must be empty when `operator` is 'Exists'";
            errors.push(FieldError::invalid(&operator, value, why));
        }
        "Exists" => {}
        other => errors.push(FieldError::not_supported(&operator, other, &["Equal", "Exists"])),
    }
    let given = Some(toleration.effect.as_str()).filter(|effect| !effect.is_empty());
    checks::none_or_one_of(given, EFFECTS, &effect, errors);
}

fn validate_affinity(affinity: &Affinity, path: &Path, errors: &mut ErrorList) {
    if let Some(nodes) = &affinity.node_affinity {
        validate_node_affinity(nodes, &path.child("nodeAffinity"), errors);
    }
    if let Some(pods) = &affinity.pod_affinity {
        let path = path.child("podAffinity");
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        validate_pod_terms(required, preferred, &path, errors);
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let path = path.child("podAntiAffinity");
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        validate_pod_terms(required, preferred, &path, errors);
    }
}

fn validate_node_affinity(nodes: &NodeAffinity, path: &Path, errors: &mut ErrorList) {
    if let Some(selector) = &nodes.required_during_scheduling_ignored_during_execution {
        validate_node_selector(selector, &path.child(REQUIRED), errors);
    }
    let preferred = &nodes.preferred_during_scheduling_ignored_during_execution;
    for (index, term) in preferred.iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        validate_weight(term.weight, &path, errors);
        validate_node_term(&term.preference, &path.child("preference"), errors);
    }
}

/// Checks which nodes are chosen: at least one term, and each can be understood.
pub(crate) fn validate_node_selector(selector: &NodeSelector, path: &Path, errors: &mut ErrorList) {
    let path = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.push(FieldError::required(&path, "must have at least one node selector term"));
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        validate_node_term(term, &path.index(index), errors);
    }
}

fn validate_weight(weight: i32, path: &Path, errors: &mut ErrorList) {
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(&path.child("weight"), weight, "must be in the range 1-100"));
    }
}

fn validate_node_term(term: &NodeSelectorTerm, path: &Path, errors: &mut ErrorList) {
    let lists = [("matchExpressions", &term.match_expressions), ("matchFields", &term.match_fields)];
    for (name, requirements) in lists {
        for (index, requirement) in requirements.iter().enumerate() {
            validate_node_requirement(requirement, &path.child(name).index(index), errors);
        }
    }
}

fn validate_node_requirement(requirement: &NodeSelectorRequirement, path: &Path, errors: &mut ErrorList) {
    let (values, count) = (path.child("values"), requirement.values.len());
    match requirement.operator.as_str() {
        "In" | "NotIn" if count == 0 => {
            errors
                .push(FieldError::required(&values, "must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if count > 0 => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(&values, why));
        }
        "Gt" | "Lt" if count != 1 => {
            let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(&values, why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => {
            errors.push(FieldError::invalid(&path.child("operator"), other, "not a valid selector operator"))
        }
    }
    errors.push_invalid(&path.child("key"), &requirement.key, names::qualified_name(&requirement.key));
}

fn validate_pod_terms(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    path: &Path,
    errors: &mut ErrorList,
) {
    for (index, term) in required.iter().enumerate() {
        validate_pod_term(term, &path.child(REQUIRED).index(index), errors);
    }
    for (index, term) in preferred.iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        validate_weight(term.weight, &path, errors);
        validate_pod_term(&term.pod_affinity_term, &path.child("podAffinityTerm"), errors);
    }
}

fn validate_pod_term(term: &PodAffinityTerm, path: &Path, errors: &mut ErrorList) {
    validate_label_selector(term.label_selector.as_ref(), &path.child("labelSelector"), errors);
    validate_label_selector(term.namespace_selector.as_ref(), &path.child("namespaceSelector"), errors);
    for (index, namespace) in term.namespaces.iter().enumerate() {
        errors.push_invalid(&path.child("namespaces").index(index), namespace, names::dns_label(namespace));
    }
    let key = path.child("topologyKey");
    match term.topology_key.as_str() {
        "" => errors.push(FieldError::required(&key, "can not be empty")),
        name => errors.push_invalid(&key, name, names::qualified_name(name)),
    }
}

/// Checks that a label selector can be understood.
pub(crate) fn validate_label_selector(selector: Option<&LabelSelector>, path: &Path, errors: &mut ErrorList) {
    if let Some(selector) = selector
        && let Err(error) = Selector::from_label_selector(Some(selector))
    {
        errors.push(FieldError::invalid(
            path,
            serde_json::to_value(selector).unwrap_or_default(),
            error.to_string(),
        ));
    }
}

fn validate_spread(constraints: &[TopologySpreadConstraint], path: &Path, errors: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        if constraint.max_skew <= 0 {
            let path = path.child("maxSkew");
            errors.push(FieldError::invalid(&path, constraint.max_skew, "must be greater than zero"));
        }
        let key = path.child("topologyKey");
        match constraint.topology_key.as_str() {
            "" => errors.push(FieldError::required(&key, "can not be empty")),
            name => errors.push_invalid(&key, name, names::qualified_name(name)),
        }
        let actions = &["DoNotSchedule", "ScheduleAnyway"];
        let action = path.child("whenUnsatisfiable");
        checks::one_of(&constraint.when_unsatisfiable, actions, &action, errors);
        validate_label_selector(constraint.label_selector.as_ref(), &path.child("labelSelector"), errors);
        if !seen.insert((&constraint.topology_key, &constraint.when_unsatisfiable)) {
            let pair = format!("{{{}, {}}}", constraint.topology_key, constraint.when_unsatisfiable);
            errors.push(FieldError::duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), pair));
        }
    }
}
