//! The names of resources: which ones Kubernetes itself knows, and where each may stand.

use crate::field::{ErrorList, FieldError, Path};
use crate::names;

use super::{CPU, EPHEMERAL_STORAGE, MEMORY, PODS, STORAGE};

/// What counts objects of a namespace, in whole numbers.
const COUNTS: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    PODS,
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// What a quota limits in sum.
const SUMS: &[&str] = &[
    CPU,
    EPHEMERAL_STORAGE,
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    MEMORY,
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
];

/// Checks the name of any resource: one that Kubernetes knows, or one with a domain.
pub(crate) fn validate_name(name: &str, path: &Path, errors: &mut ErrorList) {
    let faults = names::qualified_name(name);
    if !faults.is_empty() {
        errors.push_invalid(path, name, faults);
    } else if !name.contains('/') && name != STORAGE && !is_of_quota(name) {
        errors.push(FieldError::invalid(path, name, "must be a standard resource type or fully qualified"));
    }
}

/// Checks the name of a resource that containers request or limit.
pub(crate) fn validate_container_name(name: &str, path: &Path, errors: &mut ErrorList) {
    let faults = names::qualified_name(name);
    if !faults.is_empty() {
        errors.push_invalid(path, name, faults);
    } else if !name.contains('/') && !is_of_container(name) {
        errors.push(FieldError::invalid(path, name, "must be a standard resource for containers"));
    } else if name.contains('/') && !is_extended(name) {
        errors.push(FieldError::invalid(path, name, "doesn't follow extended resource name standard"));
    }
}

/// Checks the name of a resource that a quota limits.
pub(crate) fn validate_quota_name(name: &str, path: &Path, errors: &mut ErrorList) {
    validate_name(name, path, errors);
    if !name.contains('/') && !is_of_quota(name) {
        errors.push(FieldError::invalid(path, name, "must be a standard resource for quota"));
    }
}

/// Whether a quota knows the resource by its bare name.
pub(crate) fn is_of_quota(name: &str) -> bool {
    let huge = name.strip_prefix("requests.").unwrap_or(name).starts_with("hugepages-");
    huge || COUNTS.contains(&name) || SUMS.contains(&name)
}

/// Whether the resource exists in whole numbers only.
pub(super) fn comes_in_wholes(name: &str) -> bool {
    is_extended(name) || COUNTS.contains(&name)
}

/// Whether containers may request less of the resource than they limit.
pub(crate) fn may_overcommit(name: &str) -> bool {
    !is_extended(name) && !name.starts_with("hugepages-")
}

fn is_of_container(name: &str) -> bool {
    matches!(name, CPU | MEMORY | EPHEMERAL_STORAGE) || name.starts_with("hugepages-")
}

/// A resource that somebody else than Kubernetes defines.
fn is_extended(name: &str) -> bool {
    let foreign = |domain: &str| domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io");
    !name.starts_with("requests.") && name.split_once('/').is_some_and(|(domain, _)| foreign(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::text;

    fn fault(check: fn(&str, &Path, &mut ErrorList), name: &str) -> String {
        let mut errors = ErrorList::new();
        check(name, &Path::new("r"), &mut errors);
        text(&errors)
    }

    #[test]
    fn each_place_has_its_names() {
        let standard = "must be a standard resource type or fully qualified";
        let table: [(&str, [bool; 3]); 9] = [
            ("cpu", [true, true, true]),
            ("hugepages-2Mi", [true, true, true]),
            ("example.com/gpu", [true, true, true]),
            ("storage", [true, false, false]),
            ("pods", [true, false, true]),
            ("requests.storage", [true, false, true]),
            ("count/deployments.apps", [true, true, true]),
            ("requests.example.com/gpu", [true, false, true]),
            ("disk", [false, false, false]),
        ];
        for (name, expected) in table {
            let checks = [validate_name, validate_container_name, validate_quota_name];
            assert_eq!(checks.map(|check| fault(check, name).is_empty()), expected, "{name}");
        }
        assert_eq!(fault(validate_name, "disk"), format!("r: Invalid value: \"disk\": {standard}"));
        let quota = "must be a standard resource for quota";
        assert_eq!(fault(validate_quota_name, "storage"), format!("r: Invalid value: \"storage\": {quota}"));
    }

    #[test]
    fn objects_are_counted_in_wholes() {
        let whole = ["pods", "services.nodeports", "example.com/gpu", "count/pods"];
        assert!(whole.into_iter().all(comes_in_wholes));
        assert!(!["cpu", "requests.storage", "requests.example.com/gpu"].into_iter().any(comes_in_wholes));
    }
}
