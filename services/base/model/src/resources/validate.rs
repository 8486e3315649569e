//! The rules for requests and limits.

use keelson_proto::core::ResourceRequirements;
use keelson_proto::resource;

use super::known::{comes_in_wholes, may_overcommit, validate_container_name};
use super::quantity;
use crate::checks::NOT_NEGATIVE;
use crate::field::{ErrorList, FieldError, Path};
use crate::quantity::Quantity;

/// Kubernetes' words for a text that is not a quantity.
const NOT_A_QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Checks what a container asks for: known names, quantities that are not negative, no request above its limit.
pub fn validate_requirements(requirements: &ResourceRequirements, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (list, name) in [(&requirements.limits, "limits"), (&requirements.requests, "requests")] {
        for (resource, amount) in list {
            let path = path.child(name).key(resource);
            validate_container_name(resource, &path, &mut errors);
            validate_amount(resource, amount, &path, &mut errors);
        }
    }
    for (resource, request) in &requirements.requests {
        let limit = requirements.limits.get(resource);
        validate_against_limit(resource, request, limit, path, &mut errors);
    }
    errors
}

/// Checks one quantity of a resource: readable, not negative, whole where the resource has no parts.
pub fn validate_amount(resource: &str, amount: &resource::Quantity, path: &Path, errors: &mut ErrorList) {
    let text = amount.string.as_str();
    let Some(quantity) = quantity(amount) else {
        errors.push(FieldError::invalid(path, text, NOT_A_QUANTITY));
        return;
    };
    if quantity < Quantity::default() {
        errors.push(FieldError::invalid(path, text, NOT_NEGATIVE));
    } else if comes_in_wholes(resource) && quantity.milli() % 1000 != 0 {
        errors.push(FieldError::invalid(path, text, "must be an integer"));
    }
}

/// Checks one quantity that must be more than nothing.
pub(crate) fn validate_positive(amount: &resource::Quantity, path: &Path, errors: &mut ErrorList) {
    let text = amount.string.as_str();
    match quantity(amount) {
        None => errors.push(FieldError::invalid(path, text, NOT_A_QUANTITY)),
        Some(quantity) if quantity <= Quantity::default() => {
            errors.push(FieldError::invalid(path, text, "must be greater than zero"));
        }
        Some(_) => {}
    }
}

fn validate_against_limit(
    resource: &str,
    request: &resource::Quantity,
    limit: Option<&resource::Quantity>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let exact = !may_overcommit(resource);
    let Some(limit) = limit else {
        if exact {
            let why = "Limit must be set for non overcommitable resources";
            errors.push(FieldError::required(&path.child("limits"), why));
        }
        return;
    };
    let (Some(asked), Some(most)) = (quantity(request), quantity(limit)) else {
        return;
    };
    let text = request.string.as_str();
    if exact && asked != most {
        let why = format!("must be equal to {resource} limit of {}", limit.string);
        errors.push(FieldError::invalid(&path.child("requests"), text, why));
    } else if asked > most {
        let why = format!("must be less than or equal to {resource} limit of {}", limit.string);
        errors.push(FieldError::invalid(&path.child("requests"), text, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::tests::mk_list;

    #[test]
    fn requests_and_limits_keep_their_rules() {
        type Entries = &'static [(&'static str, &'static str)];
        let table: &[(Entries, Entries, &str)] = &[
            (&[("cpu", "100m"), ("memory", "1Gi"), ("ephemeral-storage", "1Gi")], &[], ""),
            (&[("cpu", "2")], &[("cpu", "2000m")], ""),
            (
                &[("cpu", "2")],
                &[("cpu", "1")],
                "r.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            ),
            (
                &[("cpu", "-1")],
                &[],
                "r.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
            ),
            (
                &[],
                &[("disk", "1")],
                "r.limits[disk]: Invalid value: \"disk\": must be a standard resource for containers",
            ),
            (
                &[],
                &[("kubernetes.io/x", "1")],
                "r.limits[kubernetes.io/x]: Invalid value: \"kubernetes.io/x\": doesn't follow extended resource name standard",
            ),
            (&[("example.com/gpu", "1")], &[("example.com/gpu", "1")], ""),
            (
                &[("example.com/gpu", "1")],
                &[],
                "r.limits: Required value: Limit must be set for non overcommitable resources",
            ),
            (
                &[("example.com/gpu", "1")],
                &[("example.com/gpu", "2")],
                "r.requests: Invalid value: \"1\": must be equal to example.com/gpu limit of 2",
            ),
            (
                &[],
                &[("example.com/gpu", "1500m")],
                "r.limits[example.com/gpu]: Invalid value: \"1500m\": must be an integer",
            ),
        ];
        for (requests, limits, expected) in table {
            let requirements = ResourceRequirements {
                limits: mk_list(limits),
                requests: mk_list(requests),
                ..ResourceRequirements::default()
            };
            let errors = validate_requirements(&requirements, &Path::new("r"));
            let text = if errors.is_empty() { String::new() } else { errors.to_string() };
            assert_eq!(text, *expected);
        }
    }

    #[test]
    fn a_text_that_is_no_quantity_is_named() {
        let requirements =
            ResourceRequirements { limits: mk_list(&[("cpu", "much")]), ..ResourceRequirements::default() };
        let errors = validate_requirements(&requirements, &Path::new("r")).to_string();
        assert!(
            errors.starts_with("r.limits[cpu]: Invalid value: \"much\": quantities must match"),
            "{errors}"
        );
    }
}
