//! Limit ranges: their defaults and rules.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use keelson_proto::core::{LimitRange, LimitRangeItem};

use crate::field::{ErrorList, FieldError, Path};
use crate::quantity::Quantity;
use crate::resources::{self, ResourceList, STORAGE};
use crate::{meta, names};

/// What is limited.
pub mod limit_type {
    /// The sum of a pod's containers.
    pub const POD: &str = "Pod";
    /// Each container.
    pub const CONTAINER: &str = "Container";
    /// Each claim of storage.
    pub const CLAIM: &str = "PersistentVolumeClaim";
}

/// The fields that limit ranges can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(range: &'a LimitRange, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&range.metadata, field)
}

/// Fills in what may be left out: containers are limited to the most there may be, request what they are limited
/// to, and else the least there may be. The quantities become canonical.
pub fn set_defaults(range: &mut LimitRange) {
    for item in &mut range.spec.limits {
        let lists = [&mut item.max, &mut item.min, &mut item.default, &mut item.default_request];
        lists.into_iter().for_each(resources::canonicalize);
        resources::canonicalize(&mut item.max_limit_request_ratio);
        if item.r#type == limit_type::CONTAINER {
            fill(&mut item.default, &item.max);
            fill(&mut item.default_request, &item.default);
            fill(&mut item.default_request, &item.min);
        }
    }
}

fn fill(list: &mut ResourceList, from: &ResourceList) {
    for (name, amount) in from {
        list.entry(name.clone()).or_insert_with(|| amount.clone());
    }
}

/// A limit range needs no name: its uid will do.
pub fn prepare_create(range: &mut LimitRange) {
    if range.metadata.name.is_empty() {
        range.metadata.name.clone_from(&range.metadata.uid);
    }
}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut LimitRange, old: &LimitRange) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks a limit range. Call [`set_defaults`] first.
pub fn validate(range: &LimitRange) -> ErrorList {
    let mut errors = meta::validate(&range.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    let path = Path::new("spec").child("limits");
    let mut seen = HashSet::new();
    for (index, item) in range.spec.limits.iter().enumerate() {
        let path = path.index(index);
        validate_type(&item.r#type, &path.child("type"), &mut errors);
        if !seen.insert(&item.r#type) {
            errors.push(FieldError::duplicate(&path.child("type"), item.r#type.as_str()));
        }
        validate_names(item, &path, &mut errors);
        validate_order(item, &path, &mut errors);
    }
    errors
}

/// Checks a changed limit range; all of it may change, by the rules of a new one.
pub fn validate_update(new: &LimitRange, old: &LimitRange) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

fn validate_type(name: &str, path: &Path, errors: &mut ErrorList) {
    let faults = names::qualified_name(name);
    if !faults.is_empty() {
        errors.push_invalid(path, name, faults);
    } else if !name.contains('/')
        && ![limit_type::POD, limit_type::CONTAINER, limit_type::CLAIM].contains(&name)
    {
        errors.push(FieldError::invalid(path, name, "must be a standard limit type or fully qualified"));
    }
}

/// That the lists hold readable amounts of resources that the type has, and that those are given which it needs.
fn validate_names(item: &LimitRangeItem, path: &Path, errors: &mut ErrorList) {
    let check = match item.r#type.as_str() {
        limit_type::POD | limit_type::CONTAINER => resources::validate_container_name,
        _ => resources::validate_name,
    };
    for (list, name) in lists(item) {
        let path = path.child(name);
        if item.r#type == limit_type::POD && name.starts_with("default") {
            if !list.is_empty() {
                let why = "may not be specified when `type` is 'Pod'";
                errors.push(FieldError::forbidden(&path, why));
            }
            continue;
        }
        for (resource, amount) in list {
            check(resource, &path.key(resource), errors);
            if resources::quantity(amount).is_none() {
                resources::validate_amount(resource, amount, &path.key(resource), errors);
            }
        }
    }
    let bounded = item.min.contains_key(STORAGE) || item.max.contains_key(STORAGE);
    if item.r#type == limit_type::CLAIM && !bounded {
        let why = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(FieldError::required(&path.child("limits"), why));
    }
}

fn lists(item: &LimitRangeItem) -> [(&ResourceList, &'static str); 5] {
    [
        (&item.max, "max"),
        (&item.min, "min"),
        (&item.default, "default"),
        (&item.default_request, "defaultRequest"),
        (&item.max_limit_request_ratio, "maxLimitRequestRatio"),
    ]
}

/// That least, defaults and most of each resource follow one another.
fn validate_order(item: &LimitRangeItem, path: &Path, errors: &mut ErrorList) {
    let resources: BTreeSet<_> = lists(item).into_iter().flat_map(|(list, _)| list.keys()).collect();
    for resource in resources {
        let of = |list: &ResourceList| list.get(resource).and_then(resources::quantity);
        let (min, max) = (of(&item.min), of(&item.max));
        let (default, request) = (of(&item.default), of(&item.default_request));
        let mut ordered = |list: &str,
                           at: Option<Quantity>,
                           low: Option<Quantity>,
                           high: Option<Quantity>,
                           what: [&str; 2]| {
            if let (Some(at), Some(low), Some(high)) = (at, low, high)
                && low > high
            {
                let why = format!("{} value {low} is greater than {} value {high}", what[0], what[1]);
                errors.push(FieldError::invalid(&path.child(list).key(resource), at.to_string(), why));
            }
        };
        ordered("min", min, min, max, ["min", "max"]);
        if item.r#type != limit_type::POD {
            ordered("defaultRequest", request, min, request, ["min", "default request"]);
            ordered("defaultRequest", request, request, max, ["default request", "max"]);
            ordered("defaultRequest", request, request, default, ["default request", "default limit"]);
            ordered("default", min, min, default, ["min", "default"]);
            ordered("default", max, default, max, ["default", "max"]);
        }
        let ratio = of(&item.max_limit_request_ratio);
        validate_ratio(ratio, min, max, &path.child("maxLimitRequestRatio").key(resource), errors);
        if let (Some(default), Some(request)) = (default, request)
            && !resources::may_overcommit(resource)
            && default != request
        {
            let why =
                format!("default value {default} must equal to defaultRequest value {request} in {resource}");
            let path = path.child("defaultRequest").key(resource);
            errors.push(FieldError::invalid(&path, request.to_string(), why));
        }
    }
}

fn validate_ratio(
    ratio: Option<Quantity>,
    min: Option<Quantity>,
    max: Option<Quantity>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let Some(ratio) = ratio else { return };
    if ratio.milli() < 1000 {
        errors.push(FieldError::invalid(path, ratio.to_string(), format!("ratio {ratio} is less than 1")));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let most = max.as_f64() / min.as_f64();
        if ratio.as_f64() > most {
            let why = format!("ratio {ratio} is greater than max/min = {most:.6}");
            errors.push(FieldError::invalid(path, ratio.to_string(), why));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{text, with};

    fn mk_range(items: Value) -> LimitRange {
        let mut range = LimitRange::default();
        range.metadata.name = "limits".to_owned();
        range.metadata.namespace = "default".to_owned();
        let mut range = with(&range, json!({"spec": {"limits": items}}));
        set_defaults(&mut range);
        range
    }

    #[test]
    fn containers_get_what_they_may_have() {
        let range =
            mk_range(json!([{"type": "Container", "max": {"cpu": "2000m"}, "min": {"memory": "1Mi"}}]));
        let item = serde_json::to_value(&range.spec.limits[0]).unwrap();
        assert_eq!(item["default"], json!({"cpu": "2"}));
        assert_eq!(item["defaultRequest"], json!({"cpu": "2", "memory": "1Mi"}));
        let pods = mk_range(json!([{"type": "Pod", "max": {"cpu": "2"}}]));
        assert!(pods.spec.limits[0].default.is_empty());
    }

    #[test]
    fn limits_keep_their_rules() {
        let at = "spec.limits[0]";
        let table = [
            (
                json!({"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "100m"}, "maxLimitRequestRatio": {"cpu": "10"}}),
                String::new(),
            ),
            (
                json!({"type": "Car"}),
                format!(
                    "{at}.type: Invalid value: \"Car\": must be a standard limit type or fully qualified"
                ),
            ),
            (
                json!({"type": "Pod", "default": {"cpu": "1"}}),
                format!("{at}.default: Forbidden: may not be specified when `type` is 'Pod'"),
            ),
            (
                json!({"type": "Pod", "max": {"storage": "1"}}),
                format!(
                    "{at}.max[storage]: Invalid value: \"storage\": must be a standard resource for containers"
                ),
            ),
            (
                json!({"type": "PersistentVolumeClaim"}),
                format!(
                    "{at}.limits: Required value: either minimum or maximum storage value is required, but neither was provided"
                ),
            ),
            (json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}), String::new()),
            (
                json!({"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "2"}}),
                format!("{at}.min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1"),
            ),
            (
                json!({"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}}),
                format!(
                    "{at}.defaultRequest[cpu]: Invalid value: \"2\": default request value 2 is greater than default limit value 1"
                ),
            ),
            (
                json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "800m"}}),
                format!("{at}.maxLimitRequestRatio[cpu]: Invalid value: \"800m\": ratio 800m is less than 1"),
            ),
            (
                json!({"type": "Pod", "max": {"cpu": "2"}, "min": {"cpu": "1"}, "maxLimitRequestRatio": {"cpu": "3"}}),
                format!(
                    "{at}.maxLimitRequestRatio[cpu]: Invalid value: \"3\": ratio 3 is greater than max/min = 2.000000"
                ),
            ),
            (
                json!({"type": "Container", "default": {"a.b/c": "2"}, "defaultRequest": {"a.b/c": "1"}}),
                format!(
                    "{at}.defaultRequest[a.b/c]: Invalid value: \"1\": default value 2 must equal to defaultRequest value 1 in a.b/c"
                ),
            ),
        ];
        for (item, expected) in table {
            assert_eq!(text(&validate(&mk_range(json!([item])))), expected);
        }
        let twice = validate(&mk_range(json!([{"type": "Pod"}, {"type": "Pod"}])));
        assert_eq!(text(&twice), "spec.limits[1].type: Duplicate value: \"Pod\"");
    }

    #[test]
    fn a_nameless_range_is_called_after_its_uid() {
        let mut range = mk_range(json!([]));
        range.metadata.name.clear();
        range.metadata.uid = "0-1".to_owned();
        prepare_create(&mut range);
        assert_eq!(range.metadata.name, "0-1");
    }
}
