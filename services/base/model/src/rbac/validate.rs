//! The rules for roles and their bindings.

use keelson_proto::meta::ObjectMeta;
use keelson_proto::rbac::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::{GROUP, subject_kind};
use crate::field::{ErrorList, FieldError, Path};
use crate::labels::Selector;
use crate::{meta, names};

/// Checks a role, changed from `old` if there is one.
pub fn validate_role(role: &Role, old: Option<&Role>) -> ErrorList {
    let mut errors = metadata(&role.metadata, old.map(|old| &old.metadata), true);
    validate_rules(&role.rules, true, &mut errors);
    errors
}

/// Checks a cluster role, changed from `old` if there is one.
pub fn validate_cluster_role(role: &ClusterRole, old: Option<&ClusterRole>) -> ErrorList {
    let mut errors = metadata(&role.metadata, old.map(|old| &old.metadata), false);
    validate_rules(&role.rules, false, &mut errors);
    if let Some(rule) = &role.aggregation_rule {
        validate_aggregation(rule, &Path::new("aggregationRule"), &mut errors);
    }
    errors
}

/// Checks a role binding, changed from `old` if there is one.
pub fn validate_role_binding(binding: &RoleBinding, old: Option<&RoleBinding>) -> ErrorList {
    let mut errors = metadata(&binding.metadata, old.map(|old| &old.metadata), true);
    validate_binding(&binding.role_ref, &["ClusterRole", "Role"], &binding.subjects, true, &mut errors);
    if let Some(old) = old {
        validate_role_ref_update(&binding.role_ref, &old.role_ref, &mut errors);
    }
    errors
}

/// Checks a cluster role binding, changed from `old` if there is one.
pub fn validate_cluster_role_binding(
    binding: &ClusterRoleBinding,
    old: Option<&ClusterRoleBinding>,
) -> ErrorList {
    let mut errors = metadata(&binding.metadata, old.map(|old| &old.metadata), false);
    validate_binding(&binding.role_ref, &["ClusterRole"], &binding.subjects, false, &mut errors);
    if let Some(old) = old {
        validate_role_ref_update(&binding.role_ref, &old.role_ref, &mut errors);
    }
    errors
}

/// That a binding keeps its role: whoever may change its subjects could otherwise give them any.
pub fn validate_role_ref_update(new: &RoleRef, old: &RoleRef, errors: &mut ErrorList) {
    if new != old {
        let value = serde_json::to_value(new).unwrap_or_default();
        errors.push(FieldError::invalid(&Path::new("roleRef"), value, "cannot change roleRef"));
    }
}

fn metadata(new: &ObjectMeta, old: Option<&ObjectMeta>, namespaced: bool) -> ErrorList {
    let path = Path::new("metadata");
    let mut errors = old.map(|old| meta::validate_update(new, old, &path)).unwrap_or_default();
    errors.extend(meta::validate(new, namespaced, names::path_segment, &path));
    errors
}

fn validate_rules(rules: &[PolicyRule], namespaced: bool, errors: &mut ErrorList) {
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, namespaced, &Path::new("rules").index(index), errors);
    }
}

fn validate_rule(rule: &PolicyRule, namespaced: bool, path: &Path, errors: &mut ErrorList) {
    if rule.verbs.is_empty() {
        errors.push(FieldError::required(&path.child("verbs"), "verbs must contain at least one value"));
    }
    if !rule.non_resource_urls.is_empty() {
        let path = path.child("nonResourceURLs");
        let mut invalid = |why: &str| {
            errors.push(FieldError::invalid(&path, rule.non_resource_urls.clone(), why));
        };
        if namespaced {
            invalid("namespaced rules cannot apply to non-resource URLs");
        }
        if !(rule.api_groups.is_empty() && rule.resources.is_empty() && rule.resource_names.is_empty()) {
            invalid("rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if rule.api_groups.is_empty() {
        let why = "resource rules must supply at least one api group";
        errors.push(FieldError::required(&path.child("apiGroups"), why));
    }
    if rule.resources.is_empty() {
        let why = "resource rules must supply at least one resource";
        errors.push(FieldError::required(&path.child("resources"), why));
    }
}

fn validate_aggregation(rule: &AggregationRule, path: &Path, errors: &mut ErrorList) {
    let path = path.child("clusterRoleSelectors");
    if rule.cluster_role_selectors.is_empty() {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        errors.push(FieldError::required(&path, why));
    }
    for (index, selector) in rule.cluster_role_selectors.iter().enumerate() {
        if let Err(error) = Selector::from_label_selector(Some(selector)) {
            let value = serde_json::to_value(selector).unwrap_or_default();
            errors.push(FieldError::invalid(&path.index(index), value, error.to_string()));
        }
    }
}

fn validate_binding(
    role: &RoleRef,
    kinds: &[&str],
    subjects: &[Subject],
    namespaced: bool,
    errors: &mut ErrorList,
) {
    let path = Path::new("roleRef");
    if role.api_group != GROUP {
        let group = role.api_group.as_str();
        errors.push(FieldError::not_supported(&path.child("apiGroup"), group, &[GROUP]));
    }
    if !kinds.contains(&role.kind.as_str()) {
        errors.push(FieldError::not_supported(&path.child("kind"), role.kind.as_str(), kinds));
    }
    let name = path.child("name");
    match role.name.as_str() {
        "" => errors.push(FieldError::required(&name, "")),
        text => errors.push_invalid(&name, text, names::path_segment(text)),
    }
    for (index, subject) in subjects.iter().enumerate() {
        validate_subject(subject, namespaced, &Path::new("subjects").index(index), errors);
    }
}

fn validate_subject(subject: &Subject, namespaced: bool, path: &Path, errors: &mut ErrorList) {
    if subject.name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    }
    let group = match subject.kind.as_str() {
        subject_kind::SERVICE_ACCOUNT => {
            if !subject.name.is_empty() {
                errors.push_invalid(&path.child("name"), &subject.name, names::dns_subdomain(&subject.name));
            }
            if !namespaced && subject.namespace.is_empty() {
                errors.push(FieldError::required(&path.child("namespace"), ""));
            }
            ""
        }
        subject_kind::USER | subject_kind::GROUP => GROUP,
        other => {
            let kinds = [subject_kind::GROUP, subject_kind::SERVICE_ACCOUNT, subject_kind::USER];
            errors.push(FieldError::not_supported(&path.child("kind"), other, &kinds));
            return;
        }
    };
    if subject.api_group != group {
        let path = path.child("apiGroup");
        errors.push(FieldError::not_supported(&path, subject.api_group.as_str(), &[group]));
    }
}
