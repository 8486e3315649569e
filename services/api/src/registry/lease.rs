//! Leases.

use keelson_base_model::field::ErrorList;
use keelson_base_model::lease;
use keelson_proto::coordination::Lease;

use crate::registry::Strategy;

/// What is particular to leases: an update creates, but names the version that it has seen.
pub(crate) struct LeaseStrategy;

// === impl LeaseStrategy ===

impl Strategy for LeaseStrategy {
    type Object = Lease;
    const PREFIX: &'static str = "/registry/leases/";
    const FIELDS: &'static [&'static str] = lease::FIELDS;

    fn fields(object: &Lease) -> Vec<(&'static str, String)> {
        super::fields_of(lease::FIELDS, |field| lease::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Lease) {
        lease::set_defaults(object);
    }

    fn validate_create(&self, object: &Lease) -> ErrorList {
        lease::validate(object)
    }

    fn prepare_update(&self, new: &mut Lease, old: &Lease) {
        lease::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Lease, old: &Lease) -> ErrorList {
        lease::validate_update(new, old)
    }

    fn create_on_update(&self) -> bool {
        true
    }

    fn unconditional_update(&self) -> bool {
        false
    }
}
