//! Resource quotas: their rules.

mod scopes;
mod usage;

pub use self::usage::{
    Counted, Excess, constrained, covers, exceeded, increase, matches, must_specify, names_of, used_of,
};

use std::borrow::Cow;

use keelson_proto::core::{ResourceQuota, ResourceQuotaStatus};

use crate::field::{ErrorList, FieldError, Path};
use crate::meta::IMMUTABLE;
use crate::resources::{self, ResourceList};
use crate::{meta, names};

/// The fields that resource quotas can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(quota: &'a ResourceQuota, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&quota.metadata, field)
}

/// Nothing may be left out; the quantities become canonical.
pub fn set_defaults(quota: &mut ResourceQuota) {
    resources::canonicalize(&mut quota.spec.hard);
    resources::canonicalize(&mut quota.status.hard);
    resources::canonicalize(&mut quota.status.used);
}

/// What the server writes into a quota that begins to exist: an empty status.
pub fn prepare_create(quota: &mut ResourceQuota) {
    quota.status = ResourceQuotaStatus::default();
}

/// Carries over what an ordinary update does not touch.
pub fn prepare_update(new: &mut ResourceQuota, old: &ResourceQuota) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
}

/// Leaves of a status write only the status.
pub fn prepare_status_update(new: &mut ResourceQuota, old: &ResourceQuota) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks a resource quota.
pub fn validate(quota: &ResourceQuota) -> ErrorList {
    let mut errors = meta::validate(&quota.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    validate_list(&quota.spec.hard, &Path::new("spec").child("hard"), &mut errors);
    scopes::validate(&quota.spec, &Path::new("spec"), &mut errors);
    validate_status(&quota.status, &mut errors);
    errors
}

/// Checks a changed quota: what it counts stays.
pub fn validate_update(new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    if scopes::set(&new.spec) != scopes::set(&old.spec) {
        let path = Path::new("spec").child("scopes");
        errors.push(FieldError::invalid(&path, new.spec.scopes.clone(), IMMUTABLE));
    }
    errors
}

/// Checks a status write.
pub fn validate_status_update(new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    validate_status(&new.status, &mut errors);
    errors
}

fn validate_status(status: &ResourceQuotaStatus, errors: &mut ErrorList) {
    let path = Path::new("status");
    validate_list(&status.hard, &path.child("hard"), errors);
    validate_list(&status.used, &path.child("used"), errors);
}

fn validate_list(list: &ResourceList, path: &Path, errors: &mut ErrorList) {
    for (resource, amount) in list {
        let path = path.key(resource);
        resources::validate_quota_name(resource, &path, errors);
        resources::validate_amount(resource, amount, &path, errors);
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::resource::Quantity;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{text, with};

    fn mk_quota(spec: Value) -> ResourceQuota {
        let mut quota = ResourceQuota::default();
        quota.metadata.name = "quota".to_owned();
        quota.metadata.namespace = "default".to_owned();
        let mut quota = with(&quota, json!({"spec": spec}));
        set_defaults(&mut quota);
        quota
    }

    #[test]
    fn quotas_keep_their_rules() {
        let table = [
            (json!({"hard": {"pods": "10", "requests.cpu": "1500m", "count/jobs.batch": "2"}}), ""),
            (
                json!({"hard": {"pods": "1500m"}}),
                "spec.hard[pods]: Invalid value: \"1500m\": must be an integer",
            ),
            (
                json!({"hard": {"cpu": "-1"}}),
                "spec.hard[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
            ),
            (
                json!({"hard": {"storage": "1"}}),
                "spec.hard[storage]: Invalid value: \"storage\": must be a standard resource for quota",
            ),
            (
                json!({"scopes": ["Sometimes"]}),
                "spec.scopes: Invalid value: [\"Sometimes\"]: unsupported scope",
            ),
            (
                json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}),
                "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource",
            ),
            (
                json!({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}),
                "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\"]: conflicting scopes",
            ),
        ];
        for (spec, expected) in table {
            assert_eq!(text(&validate(&mk_quota(spec))), expected);
        }
    }

    #[test]
    fn what_a_quota_counts_stays() {
        let old = mk_quota(json!({"hard": {"pods": "1"}, "scopes": ["BestEffort"]}));
        let mut new = mk_quota(json!({"hard": {"pods": "2"}, "scopes": ["BestEffort"]}));
        assert_eq!(text(&validate_update(&new, &old)), "");
        new.spec.scopes.clear();
        assert_eq!(text(&validate_update(&new, &old)), "spec.scopes: Invalid value: []: field is immutable");
    }

    #[test]
    fn spec_and_status_are_written_apart() {
        let mut old = mk_quota(json!({"hard": {"pods": "1"}}));
        old.status.used = mk_quota(json!({"hard": {"pods": "1"}})).spec.hard;
        let mut new = mk_quota(json!({"hard": {"pods": "2"}}));
        prepare_update(&mut new, &old);
        assert_eq!(new.status, old.status);
        let mut status = mk_quota(json!({"hard": {"pods": "2"}}));
        status.status.hard.clone_from(&status.spec.hard);
        prepare_status_update(&mut status, &old);
        assert_eq!(status.spec, old.spec);
        assert_eq!(text(&validate_status_update(&status, &old)), "");
        status.status.used.insert("shoes".to_owned(), Quantity { string: "1".to_owned() });
        assert_eq!(validate_status_update(&status, &old).len(), 2);
        prepare_create(&mut status);
        assert_eq!(status.status, ResourceQuotaStatus::default());
    }
}
