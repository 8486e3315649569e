//! Endpoint slices.

use keelson_base_model::endpointslice;
use keelson_base_model::field::ErrorList;
use keelson_proto::discovery::EndpointSlice;

use crate::registry::Strategy;

/// What is particular to endpoint slices: a generation that counts changes.
pub(crate) struct EndpointSliceStrategy;

// === impl EndpointSliceStrategy ===

impl Strategy for EndpointSliceStrategy {
    type Object = EndpointSlice;
    const PREFIX: &'static str = "/registry/endpointslices/";
    const FIELDS: &'static [&'static str] = endpointslice::FIELDS;

    fn fields(object: &EndpointSlice) -> Vec<(&'static str, String)> {
        super::fields_of(endpointslice::FIELDS, |field| endpointslice::fields(object, field))
    }

    fn set_defaults(&self, object: &mut EndpointSlice) {
        endpointslice::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut EndpointSlice) {
        endpointslice::prepare_create(object);
    }

    fn validate_create(&self, object: &EndpointSlice) -> ErrorList {
        endpointslice::validate(object)
    }

    fn prepare_update(&self, new: &mut EndpointSlice, old: &EndpointSlice) {
        endpointslice::prepare_update(new, old);
    }

    fn validate_update(&self, new: &EndpointSlice, old: &EndpointSlice) -> ErrorList {
        endpointslice::validate_update(new, old)
    }
}
