//! Endpoints.

use keelson_base_model::endpoints;
use keelson_base_model::field::ErrorList;
use keelson_proto::core::Endpoints;

use crate::registry::Strategy;

/// What is particular to endpoints: subsets are kept in one canonical form, and an update creates.
pub(crate) struct EndpointsStrategy;

// === impl EndpointsStrategy ===

impl Strategy for EndpointsStrategy {
    type Object = Endpoints;
    const PREFIX: &'static str = "/registry/services/endpoints/";
    const FIELDS: &'static [&'static str] = endpoints::FIELDS;

    fn fields(object: &Endpoints) -> Vec<(&'static str, String)> {
        super::fields_of(endpoints::FIELDS, |field| endpoints::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Endpoints) {
        endpoints::set_defaults(object);
    }

    fn canonicalize(&self, object: &mut Endpoints) {
        endpoints::canonicalize(object);
    }

    fn validate_create(&self, object: &Endpoints) -> ErrorList {
        endpoints::validate(object)
    }

    fn prepare_update(&self, new: &mut Endpoints, old: &Endpoints) {
        endpoints::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Endpoints, old: &Endpoints) -> ErrorList {
        endpoints::validate_update(new, old)
    }

    fn create_on_update(&self) -> bool {
        true
    }
}
