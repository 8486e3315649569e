//! Config maps.

use keelson_base_model::configmap;
use keelson_base_model::field::ErrorList;
use keelson_proto::core::ConfigMap;

use crate::registry::Strategy;

/// What is particular to config maps: nothing but their rules.
pub(crate) struct ConfigMapStrategy;

// === impl ConfigMapStrategy ===

impl Strategy for ConfigMapStrategy {
    type Object = ConfigMap;
    const PREFIX: &'static str = "/registry/configmaps/";
    const FIELDS: &'static [&'static str] = configmap::FIELDS;

    fn fields(object: &ConfigMap) -> Vec<(&'static str, String)> {
        super::fields_of(configmap::FIELDS, |field| configmap::fields(object, field))
    }

    fn set_defaults(&self, object: &mut ConfigMap) {
        configmap::set_defaults(object);
    }

    fn validate_create(&self, object: &ConfigMap) -> ErrorList {
        configmap::validate(object)
    }

    fn prepare_update(&self, new: &mut ConfigMap, old: &ConfigMap) {
        configmap::prepare_update(new, old);
    }

    fn validate_update(&self, new: &ConfigMap, old: &ConfigMap) -> ErrorList {
        configmap::validate_update(new, old)
    }
}
