//! Events: what happened to objects; their rules and the fields they are found by.

use std::borrow::Cow;

use keelson_proto::core::Event;

use crate::field::{ErrorList, FieldError, Path};
use crate::{meta, names};

/// The namespaces of events about objects that live in none.
const NAMESPACES_OF_OTHERS: &[&str] = &["default", "kube-system"];

/// The fields that events can be selected by.
pub const FIELDS: &[&str] = &[
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "metadata.name",
    "metadata.namespace",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(event: &'a Event, field: &str) -> Option<Cow<'a, str>> {
    let object = &event.involved_object;
    let value = match field {
        "involvedObject.apiVersion" => &object.api_version,
        "involvedObject.fieldPath" => &object.field_path,
        "involvedObject.kind" => &object.kind,
        "involvedObject.name" => &object.name,
        "involvedObject.namespace" => &object.namespace,
        "involvedObject.resourceVersion" => &object.resource_version,
        "involvedObject.uid" => &object.uid,
        "reason" => &event.reason,
        "reportingComponent" => &event.reporting_component,
        "source" if event.source.component.is_empty() => &event.reporting_component,
        "source" => &event.source.component,
        "type" => &event.r#type,
        _ => return meta::fields(&event.metadata, field),
    };
    Some(Cow::Borrowed(value))
}

/// An event has no defaults; the function is here because every kind has it.
pub fn set_defaults(_: &mut Event) {}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut Event, old: &Event) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks an event: it lives in the namespace of its object, or in `default` or `kube-system` if that has none. Its
/// name may be anything that can stand in a path: clients make it of the object's name, a dot and more.
pub fn validate(event: &Event) -> ErrorList {
    let mut errors = meta::validate(&event.metadata, true, names::path_segment, &Path::new("metadata"));
    let (own, objects) = (event.metadata.namespace.as_str(), event.involved_object.namespace.as_str());
    let is_beside = if objects.is_empty() { NAMESPACES_OF_OTHERS.contains(&own) } else { own == objects };
    if !is_beside {
        let path = Path::new("involvedObject").child("namespace");
        errors.push(FieldError::invalid(&path, objects, "does not match event.namespace"));
    }
    if !event.reporting_component.is_empty() {
        let path = Path::new("reportingComponent");
        errors.push_invalid(
            &path,
            &event.reporting_component,
            names::qualified_name(&event.reporting_component),
        );
    }
    errors
}

/// Checks a changed event.
pub fn validate_update(new: &Event, old: &Event) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::{EventSource, ObjectReference};
    use keelson_proto::meta::ObjectMeta;

    use super::*;

    fn mk_event(namespace: &str, objects: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                name: "web.1".to_owned(),
                namespace: namespace.to_owned(),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                kind: "Pod".to_owned(),
                name: "web".to_owned(),
                namespace: objects.to_owned(),
                ..ObjectReference::default()
            },
            reason: "Started".to_owned(),
            r#type: "Normal".to_owned(),
            source: EventSource { component: "kubelet".to_owned(), ..EventSource::default() },
            ..Event::default()
        }
    }

    #[test]
    fn an_event_lives_beside_its_object() {
        for (own, objects, good) in
            [("dev", "dev", true), ("dev", "default", false), ("default", "", true), ("dev", "", false)]
        {
            assert_eq!(validate(&mk_event(own, objects)).is_empty(), good, "{own} {objects}");
        }
    }

    #[test]
    fn the_name_is_anything_that_stands_in_a_path() {
        for (name, prefix, good) in
            [("Web_1.17", "", true), ("a/b", "", false), ("", "web.", true), ("", "web/", false)]
        {
            let mut event = mk_event("dev", "dev");
            event.metadata.name = name.to_owned();
            event.metadata.generate_name = prefix.to_owned();
            assert_eq!(validate(&event).is_empty(), good, "{name} {prefix}");
        }
    }

    #[test]
    fn events_are_found_by_their_object() {
        let event = mk_event("dev", "dev");
        let table = [
            ("involvedObject.kind", "Pod"),
            ("involvedObject.name", "web"),
            ("involvedObject.namespace", "dev"),
            ("reason", "Started"),
            ("source", "kubelet"),
            ("type", "Normal"),
            ("metadata.name", "web.1"),
        ];
        for (field, value) in table {
            assert_eq!(fields(&event, field).as_deref(), Some(value), "{field}");
        }
        assert!(FIELDS.iter().all(|field| fields(&event, field).is_some()));
        assert_eq!(fields(&event, "message"), None);
    }

    #[test]
    fn a_count_may_grow_but_the_name_stays() {
        let old = mk_event("dev", "dev");
        let mut new = Event { count: 2, ..old.clone() };
        assert!(validate_update(&new, &old).is_empty());
        new.metadata.name = "web.2".to_owned();
        assert_eq!(validate_update(&new, &old).len(), 1);
    }
}
