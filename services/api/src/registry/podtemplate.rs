//! Pod templates.

use keelson_base_model::field::ErrorList;
use keelson_base_model::podtemplate;
use keelson_proto::core::PodTemplate;

use crate::registry::Strategy;

/// What is particular to pod templates: a generation that counts changes.
pub(crate) struct PodTemplateStrategy;

// === impl PodTemplateStrategy ===

impl Strategy for PodTemplateStrategy {
    type Object = PodTemplate;
    const PREFIX: &'static str = "/registry/podtemplates/";
    const FIELDS: &'static [&'static str] = podtemplate::FIELDS;

    fn fields(object: &PodTemplate) -> Vec<(&'static str, String)> {
        super::fields_of(podtemplate::FIELDS, |field| podtemplate::fields(object, field))
    }

    fn set_defaults(&self, object: &mut PodTemplate) {
        podtemplate::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut PodTemplate) {
        podtemplate::prepare_create(object);
    }

    fn validate_create(&self, object: &PodTemplate) -> ErrorList {
        podtemplate::validate(object)
    }

    fn prepare_update(&self, new: &mut PodTemplate, old: &PodTemplate) {
        podtemplate::prepare_update(new, old);
    }

    fn validate_update(&self, new: &PodTemplate, old: &PodTemplate) -> ErrorList {
        podtemplate::validate_update(new, old)
    }
}
