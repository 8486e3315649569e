//! Which objects a quota counts.

use std::collections::BTreeSet;

use keelson_proto::core::{Pod, ResourceQuotaSpec, ScopedResourceSelectorRequirement};

use crate::field::{ErrorList, FieldError, Path};
use crate::{pod, resources};

const BEST_EFFORT: &str = "BestEffort";
const NOT_BEST_EFFORT: &str = "NotBestEffort";
const TERMINATING: &str = "Terminating";
const NOT_TERMINATING: &str = "NotTerminating";
const PRIORITY_CLASS: &str = "PriorityClass";
const CROSS_NAMESPACE_AFFINITY: &str = "CrossNamespacePodAffinity";

/// Scopes of which nothing meets both.
const OPPOSITES: [[&str; 2]; 2] = [[BEST_EFFORT, NOT_BEST_EFFORT], [TERMINATING, NOT_TERMINATING]];

const ONLY_EXISTS: &str = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

/// Whether a pod meets every scope of a quota.
pub(super) fn met_by(pod: &Pod, spec: &ResourceQuotaSpec) -> bool {
    let selected = spec.scope_selector.iter().flat_map(|selector| &selector.match_expressions);
    spec.scopes.iter().all(|scope| has(pod, scope, "Exists", &[]))
        && selected.into_iter().all(|one| has(pod, &one.scope_name, &one.operator, &one.values))
}

/// Whether there are scopes at all. Nothing but pods meets any.
pub(super) fn any(spec: &ResourceQuotaSpec) -> bool {
    let selected =
        spec.scope_selector.as_ref().is_some_and(|selector| !selector.match_expressions.is_empty());
    selected || !spec.scopes.is_empty()
}

fn has(pod: &Pod, scope: &str, operator: &str, values: &[String]) -> bool {
    match scope {
        BEST_EFFORT => pod::qos_class(pod) == BEST_EFFORT,
        NOT_BEST_EFFORT => pod::qos_class(pod) != BEST_EFFORT,
        TERMINATING => pod.spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0),
        NOT_TERMINATING => pod.spec.active_deadline_seconds.is_none_or(|seconds| seconds < 0),
        CROSS_NAMESPACE_AFFINITY => crosses_namespaces(pod),
        PRIORITY_CLASS => {
            let class = &pod.spec.priority_class_name;
            match operator {
                "In" => values.contains(class),
                "NotIn" => !values.contains(class),
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        _ => false,
    }
}

/// Whether the pod wants to be near to, or far from, pods of other namespaces.
fn crosses_namespaces(pod: &Pod) -> bool {
    let affinity = pod.spec.affinity.as_ref();
    let near = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
    let far = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let near = near.map(|one| {
        (
            &one.required_during_scheduling_ignored_during_execution,
            &one.preferred_during_scheduling_ignored_during_execution,
        )
    });
    let far = far.map(|one| {
        (
            &one.required_during_scheduling_ignored_during_execution,
            &one.preferred_during_scheduling_ignored_during_execution,
        )
    });
    near.into_iter().chain(far).any(|(required, preferred)| {
        let terms = required.iter().chain(preferred.iter().map(|one| &one.pod_affinity_term));
        terms.into_iter().any(|term| !term.namespaces.is_empty() || term.namespace_selector.is_some())
    })
}

/// The scopes of a quota, in any order.
pub(super) fn set(spec: &ResourceQuotaSpec) -> BTreeSet<&str> {
    spec.scopes.iter().map(String::as_str).collect()
}

/// Checks scopes and scope selector: known, of use for what is limited, and such that something can meet them all.
pub(super) fn validate(spec: &ResourceQuotaSpec, path: &Path, errors: &mut ErrorList) {
    let scopes = path.child("scopes");
    for scope in &spec.scopes {
        validate_scope(scope, spec, &scopes, &scopes, spec.scopes.clone().into(), errors);
    }
    validate_opposites(&set(spec), &scopes, spec, errors);
    let Some(selector) = &spec.scope_selector else { return };
    let path = path.child("scopeSelector").child("matchExpressions");
    let shown = serde_json::to_value(selector).unwrap_or_default();
    for requirement in &selector.match_expressions {
        let scope = requirement.scope_name.as_str();
        let at = path.child("scopeName");
        if !is_scope(scope) {
            errors.push(FieldError::invalid(&at, scope, "unsupported scope"));
        } else {
            validate_scope(scope, spec, &at, &path, shown.clone(), errors);
        }
        validate_requirement(requirement, &path, errors);
    }
    let names = selector.match_expressions.iter().map(|one| one.scope_name.as_str()).collect();
    validate_opposites(&names, &path, spec, errors);
}

/// Checks one scope. `at` is where its name stands, `all` where all of them do, which is `shown`.
fn validate_scope(
    scope: &str,
    spec: &ResourceQuotaSpec,
    at: &Path,
    all: &Path,
    shown: serde_json::Value,
    errors: &mut ErrorList,
) {
    if !is_scope(scope) {
        errors.push(FieldError::invalid(at, shown.clone(), "unsupported scope"));
    }
    for resource in spec.hard.keys().filter(|name| resources::is_of_quota(name)) {
        if !counts(scope, resource) {
            errors.push(FieldError::invalid(all, shown.clone(), "unsupported scope applied to resource"));
        }
    }
}

fn validate_requirement(
    requirement: &ScopedResourceSelectorRequirement,
    path: &Path,
    errors: &mut ErrorList,
) {
    let (operator, values) = (path.child("operator"), path.child("values"));
    let named = requirement.operator.as_str();
    if is_scope(&requirement.scope_name) && requirement.scope_name != PRIORITY_CLASS && named != "Exists" {
        errors.push(FieldError::invalid(&operator, named, ONLY_EXISTS));
    }
    match named {
        "In" | "NotIn" if requirement.values.is_empty() => {
            let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.push(FieldError::required(&values, why));
        }
        "Exists" | "DoesNotExist" if !requirement.values.is_empty() => {
            let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.push(FieldError::invalid(&values, requirement.values.clone(), why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.push(FieldError::invalid(&operator, other, "not a valid selector operator")),
    }
}

fn validate_opposites(
    scopes: &BTreeSet<&str>,
    path: &Path,
    spec: &ResourceQuotaSpec,
    errors: &mut ErrorList,
) {
    for _ in OPPOSITES.iter().filter(|pair| pair.iter().all(|scope| scopes.contains(scope))) {
        errors.push(FieldError::invalid(path, spec.scopes.clone(), "conflicting scopes"));
    }
}

fn is_scope(scope: &str) -> bool {
    OPPOSITES.iter().flatten().any(|known| *known == scope)
        || [PRIORITY_CLASS, CROSS_NAMESPACE_AFFINITY].contains(&scope)
}

/// Whether a quota with this scope can say something of the resource.
fn counts(scope: &str, resource: &str) -> bool {
    match (scope, resource) {
        (BEST_EFFORT, _) => resource == resources::PODS,
        (scope, _) if !is_scope(scope) => true,
        (_, "pods" | "cpu" | "memory") => true,
        (_, resource) => {
            let (kind, name) = resource.split_once('.').unwrap_or_default();
            ["limits", "requests"].contains(&kind) && ["cpu", "memory"].contains(&name)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::text;

    fn faults(hard: Value, expression: Value) -> String {
        let spec = json!({"hard": hard, "scopeSelector": {"matchExpressions": [expression]}});
        let mut errors = ErrorList::new();
        validate(&serde_json::from_value(spec).unwrap(), &Path::new("spec"), &mut errors);
        text(&errors)
    }

    #[test]
    fn a_pod_meets_the_scopes_that_it_should() {
        let near = |term: Value| json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
        let limited = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]});
        let class = |operator: &str, values: Value| json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}});
        let scope = |name: &str| json!({"scopes": [name]});
        let high = json!({"priorityClassName": "high"});
        let table = [
            (json!({}), json!({}), true),
            (scope(BEST_EFFORT), json!({}), true),
            (scope(BEST_EFFORT), limited.clone(), false),
            (scope(NOT_BEST_EFFORT), limited, true),
            (scope(TERMINATING), json!({"activeDeadlineSeconds": 5}), true),
            (scope(TERMINATING), json!({}), false),
            (scope(NOT_TERMINATING), json!({}), true),
            (scope(PRIORITY_CLASS), high.clone(), true),
            (class("In", json!(["high"])), high.clone(), true),
            (class("In", json!(["low"])), high.clone(), false),
            (class("NotIn", json!(["low"])), high, true),
            (class("Exists", json!([])), json!({}), false),
            (class("DoesNotExist", json!([])), json!({}), true),
            (scope(CROSS_NAMESPACE_AFFINITY), near(json!({"topologyKey": "a"})), false),
            (scope(CROSS_NAMESPACE_AFFINITY), near(json!({"topologyKey": "a", "namespaces": ["b"]})), true),
        ];
        for (spec, pod, expected) in table {
            let quota: ResourceQuotaSpec = serde_json::from_value(spec.clone()).unwrap();
            let pod: Pod = serde_json::from_value(json!({"spec": pod})).unwrap();
            assert_eq!(met_by(&pod, &quota), expected, "{spec} {pod:?}");
            assert_eq!(any(&quota), spec != json!({}));
        }
    }

    #[test]
    fn selectors_of_scopes_keep_their_rules() {
        let at = "spec.scopeSelector.matchExpressions";
        let class = |operator: &str, values: Value| json!({"scopeName": "PriorityClass", "operator": operator, "values": values});
        let table = [
            (class("In", json!(["high"])), String::new()),
            (class("Exists", json!([])), String::new()),
            (
                class("In", json!([])),
                format!(
                    "{at}.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                ),
            ),
            (
                class("Exists", json!(["high"])),
                format!(
                    "{at}.values: Invalid value: [\"high\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                ),
            ),
            (
                class("Near", json!([])),
                format!("{at}.operator: Invalid value: \"Near\": not a valid selector operator"),
            ),
            (
                json!({"scopeName": "Sometimes", "operator": "Exists"}),
                format!("{at}.scopeName: Invalid value: \"Sometimes\": unsupported scope"),
            ),
            (
                json!({"scopeName": "BestEffort", "operator": "DoesNotExist"}),
                format!("{at}.operator: Invalid value: \"DoesNotExist\": {ONLY_EXISTS}"),
            ),
        ];
        for (expression, expected) in table {
            assert_eq!(faults(json!({"pods": "1"}), expression), expected);
        }
        let storage = faults(json!({"requests.storage": "1"}), class("Exists", json!([])));
        assert!(storage.ends_with("unsupported scope applied to resource"), "{storage}");
        assert_eq!(faults(json!({"requests.cpu": "1", "count/a.b": "1"}), class("Exists", json!([]))), "");
    }
}
