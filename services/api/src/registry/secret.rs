//! Secrets.

use keelson_base_model::field::ErrorList;
use keelson_base_model::secret;
use keelson_proto::core::Secret;

use crate::registry::Strategy;

/// What is particular to secrets: texts are kept as bytes.
pub(crate) struct SecretStrategy;

// === impl SecretStrategy ===

impl Strategy for SecretStrategy {
    type Object = Secret;
    const PREFIX: &'static str = "/registry/secrets/";
    const FIELDS: &'static [&'static str] = secret::FIELDS;

    fn fields(object: &Secret) -> Vec<(&'static str, String)> {
        super::fields_of(secret::FIELDS, |field| secret::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Secret) {
        secret::set_defaults(object);
    }

    fn validate_create(&self, object: &Secret) -> ErrorList {
        secret::validate(object)
    }

    fn prepare_update(&self, new: &mut Secret, old: &Secret) {
        secret::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Secret, old: &Secret) -> ErrorList {
        secret::validate_update(new, old)
    }
}
