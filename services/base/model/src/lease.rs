//! Leases, by which one of several processes leads.

use std::borrow::Cow;

use keelson_proto::coordination::{Lease, LeaseSpec};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names};

/// The fields that leases can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(lease: &'a Lease, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&lease.metadata, field)
}

/// A lease has no defaults; the function is here because every kind has it.
pub fn set_defaults(_: &mut Lease) {}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut Lease, old: &Lease) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks a lease.
pub fn validate(lease: &Lease) -> ErrorList {
    let mut errors = meta::validate(&lease.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    validate_spec(&lease.spec, &Path::new("spec"), &mut errors);
    errors
}

/// Checks a changed lease.
pub fn validate_update(new: &Lease, old: &Lease) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

fn validate_spec(spec: &LeaseSpec, path: &Path, errors: &mut ErrorList) {
    if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        let path = path.child("leaseDurationSeconds");
        errors.push(FieldError::invalid(&path, seconds, "must be greater than 0"));
    }
    if let Some(transitions) = spec.lease_transitions {
        checks::not_negative(transitions, &path.child("leaseTransitions"), errors);
    }
    if let Some(strategy) = &spec.strategy {
        errors.push_invalid(&path.child("strategy"), strategy, names::qualified_name(strategy));
    } else if spec.preferred_holder.as_deref().is_some_and(|holder| !holder.is_empty()) {
        let why = "may only be specified if `strategy` is defined";
        errors.push(FieldError::forbidden(&path.child("preferredHolder"), why));
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::meta::ObjectMeta;

    use super::*;

    fn mk_lease(spec: LeaseSpec) -> Lease {
        let metadata = ObjectMeta {
            name: "scheduler".to_owned(),
            namespace: "kube-system".to_owned(),
            ..ObjectMeta::default()
        };
        Lease { metadata, spec }
    }

    #[test]
    fn leases_keep_their_rules() {
        let table = [
            (LeaseSpec::default(), ""),
            (
                LeaseSpec {
                    lease_duration_seconds: Some(15),
                    lease_transitions: Some(0),
                    ..LeaseSpec::default()
                },
                "",
            ),
            (
                LeaseSpec { lease_duration_seconds: Some(0), ..LeaseSpec::default() },
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            ),
            (
                LeaseSpec { lease_transitions: Some(-1), ..LeaseSpec::default() },
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                LeaseSpec { preferred_holder: Some("b".to_owned()), ..LeaseSpec::default() },
                "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
            ),
        ];
        for (spec, expected) in table {
            let errors = validate(&mk_lease(spec));
            let text = if errors.is_empty() { String::new() } else { errors.to_string() };
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn any_holder_may_take_a_lease_over_but_not_rename_it() {
        let old = mk_lease(LeaseSpec { holder_identity: Some("a".to_owned()), ..LeaseSpec::default() });
        let mut new = mk_lease(LeaseSpec { holder_identity: Some("b".to_owned()), ..LeaseSpec::default() });
        assert!(validate_update(&new, &old).is_empty());
        new.metadata.name = "other".to_owned();
        assert_eq!(validate_update(&new, &old).len(), 1);
    }
}
