//! Service accounts.

use keelson_base_model::field::ErrorList;
use keelson_base_model::serviceaccount;
use keelson_proto::core::ServiceAccount;

use crate::registry::Strategy;

/// What is particular to service accounts: of secrets they keep the names alone.
pub(crate) struct ServiceAccountStrategy;

// === impl ServiceAccountStrategy ===

impl Strategy for ServiceAccountStrategy {
    type Object = ServiceAccount;
    const PREFIX: &'static str = "/registry/serviceaccounts/";
    const FIELDS: &'static [&'static str] = serviceaccount::FIELDS;

    fn fields(object: &ServiceAccount) -> Vec<(&'static str, String)> {
        super::fields_of(serviceaccount::FIELDS, |field| serviceaccount::fields(object, field))
    }

    fn set_defaults(&self, object: &mut ServiceAccount) {
        serviceaccount::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut ServiceAccount) {
        serviceaccount::prepare_create(object);
    }

    fn validate_create(&self, object: &ServiceAccount) -> ErrorList {
        serviceaccount::validate(object)
    }

    fn prepare_update(&self, new: &mut ServiceAccount, old: &ServiceAccount) {
        serviceaccount::prepare_update(new, old);
    }

    fn validate_update(&self, new: &ServiceAccount, old: &ServiceAccount) -> ErrorList {
        serviceaccount::validate_update(new, old)
    }
}
