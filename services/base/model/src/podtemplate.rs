//! Pod templates that stand on their own: their defaults and rules are those of the template in them.

use std::borrow::Cow;

use keelson_proto::core::PodTemplate;

use crate::field::{ErrorList, Path};
use crate::{meta, names, pod};

/// The fields that pod templates can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(template: &'a PodTemplate, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&template.metadata, field)
}

/// Fills in what may be left out of the pods' spec.
pub fn set_defaults(template: &mut PodTemplate) {
    pod::set_spec_defaults(&mut template.template.spec);
}

/// What the server writes into a template that begins to exist: the first generation.
pub fn prepare_create(template: &mut PodTemplate) {
    template.metadata.generation = 1;
}

/// Carries over what an update does not touch, and counts a changed template as a new generation.
pub fn prepare_update(new: &mut PodTemplate, old: &PodTemplate) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    if new.template != old.template {
        new.metadata.generation = old.metadata.generation + 1;
    }
}

/// Checks a pod template. Call [`set_defaults`] first.
pub fn validate(template: &PodTemplate) -> ErrorList {
    let mut errors = meta::validate(&template.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    errors.extend(pod::validate_template(&template.template, &Path::new("template")));
    errors
}

/// Checks a changed pod template; all of it may change, by the rules of a new one.
pub fn validate_update(new: &PodTemplate, old: &PodTemplate) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{mk_pod, text, with};

    fn mk_template() -> PodTemplate {
        let mut template = PodTemplate::default();
        template.metadata.name = "web".to_owned();
        template.metadata.namespace = "default".to_owned();
        template.template.spec = mk_pod().spec;
        set_defaults(&mut template);
        prepare_create(&mut template);
        template
    }

    #[test]
    fn a_template_is_checked_like_the_pods_made_from_it() {
        let template = mk_template();
        assert_eq!(template.template.spec.restart_policy, "Always");
        assert_eq!(text(&validate(&template)), "");
        let empty = with(&template, json!({"template": {"spec": {"containers": null}}}));
        assert_eq!(text(&validate(&empty)), "template.spec.containers: Required value");
    }

    #[test]
    fn a_changed_template_is_a_new_generation() {
        let old = mk_template();
        let mut labelled = with(&old, json!({"metadata": {"labels": {"a": "b"}}}));
        prepare_update(&mut labelled, &old);
        assert_eq!(labelled.metadata.generation, 1);
        let mut changed = with(&old, json!({"template": {"metadata": {"labels": {"a": "b"}}}}));
        prepare_update(&mut changed, &old);
        assert_eq!(changed.metadata.generation, 2);
        assert_eq!(text(&validate_update(&changed, &old)), "");
    }
}
