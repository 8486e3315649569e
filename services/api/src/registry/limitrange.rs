//! Limit ranges.

use keelson_base_model::field::ErrorList;
use keelson_base_model::limitrange;
use keelson_proto::core::LimitRange;

use crate::registry::Strategy;

/// What is particular to limit ranges: they need no name.
pub(crate) struct LimitRangeStrategy;

// === impl LimitRangeStrategy ===

impl Strategy for LimitRangeStrategy {
    type Object = LimitRange;
    const PREFIX: &'static str = "/registry/limitranges/";
    const FIELDS: &'static [&'static str] = limitrange::FIELDS;

    fn fields(object: &LimitRange) -> Vec<(&'static str, String)> {
        super::fields_of(limitrange::FIELDS, |field| limitrange::fields(object, field))
    }

    fn set_defaults(&self, object: &mut LimitRange) {
        limitrange::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut LimitRange) {
        limitrange::prepare_create(object);
    }

    fn validate_create(&self, object: &LimitRange) -> ErrorList {
        limitrange::validate(object)
    }

    fn prepare_update(&self, new: &mut LimitRange, old: &LimitRange) {
        limitrange::prepare_update(new, old);
    }

    fn validate_update(&self, new: &LimitRange, old: &LimitRange) -> ErrorList {
        limitrange::validate_update(new, old)
    }
}
