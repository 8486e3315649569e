//! Objects that go by two names: events of `events.k8s.io` are core's events, which api keeps, with other names for
//! some of their fields.
//!
//! What a client sends is turned into core's form before it goes to api, and api's answers into the client's. For
//! kinds with one name nothing happens.

use bytes::Bytes;
use keelson_base_model::patch::Form;
use keelson_base_model::status::ApiError;
use keelson_proto::v1::{RawList, RawWatchEvent};
use keelson_proto::{Kind, Message, Object as _, core, events};
use serde_json::{Map, Value};

/// The names of fields that have two: core's, and those of `events.k8s.io`.
const NAMES: [(&str, &str); 8] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
    ("source.component", "deprecatedSource.component"),
];

/// Whether objects of the kind are kept as another kind's.
pub(crate) fn is(kind: &Kind) -> bool {
    *kind == *events::Event::KIND
}

/// An object as api keeps it.
pub(crate) fn inward(kind: &Kind, object: &Bytes) -> Result<Bytes, ApiError> {
    if !is(kind) {
        return Ok(object.clone());
    }
    let event = events::Event::decode(object.clone()).map_err(unreadable)?;
    Ok(to_core(event).encode_to_vec().into())
}

/// An object as the client knows it.
pub(crate) fn outward(kind: &Kind, object: Bytes) -> Result<Bytes, ApiError> {
    if !is(kind) {
        return Ok(object);
    }
    let event = core::Event::decode(object).map_err(unreadable)?;
    Ok(from_core(event).encode_to_vec().into())
}

/// A page of a list, as the client knows its objects.
pub(crate) fn page(kind: &Kind, mut page: RawList) -> Result<RawList, ApiError> {
    if is(kind) {
        page.items = page.items.into_iter().map(|item| outward(kind, item)).collect::<Result<_, _>>()?;
        // The objects have other sizes now.
        page.items_bytes = 0;
    }
    Ok(page)
}

/// A change, with the object as the client knows it.
pub(crate) fn change(kind: &Kind, mut event: RawWatchEvent) -> Result<RawWatchEvent, ApiError> {
    if is(kind) {
        event.object = outward(kind, event.object)?;
    }
    Ok(event)
}

/// A field selector with the names that api knows.
pub(crate) fn selector(kind: &Kind, selector: String) -> String {
    if !is(kind) || selector.is_empty() {
        return selector;
    }
    let terms = selector.split(',').map(|term| {
        let end = term.find(['=', '!']).unwrap_or(term.len());
        let (field, rest) = term.split_at(end);
        let found = NAMES.iter().find_map(|(core, name)| {
            let below = field.trim().strip_prefix(name)?;
            (below.is_empty() || below.starts_with('.')).then(|| format!("{core}{below}"))
        });
        found.map_or_else(|| term.to_owned(), |field| format!("{field}{rest}"))
    });
    terms.collect::<Vec<_>>().join(",")
}

/// A patch with the names that api knows; one that cannot be read passes, for api to say so.
pub(crate) fn patch(kind: &Kind, content_type: &str, patch: Bytes) -> Bytes {
    if !is(kind) {
        return patch;
    }
    let renamed = match Form::from_content_type(content_type) {
        Some(Form::Json) => serde_json::from_slice(&patch).ok().map(renamed_operations),
        Some(Form::Merge | Form::Strategic) => serde_json::from_slice(&patch).ok().map(renamed_fields),
        None => yaml_serde::from_slice(&patch).ok().map(renamed_fields),
    };
    renamed.map_or(patch, |value| value.to_string().into())
}

fn core_name(name: &str) -> &str {
    NAMES.iter().find(|(_, newer)| *newer == name).map_or(name, |(core, _)| core)
}

fn renamed_fields(patch: Value) -> Value {
    let Value::Object(fields) = patch else { return patch };
    let renamed = fields.into_iter().map(|(name, value)| match (name.as_str(), value) {
        ("apiVersion", Value::String(version)) if version == events::Event::KIND.api_version() => {
            (name, core::Event::KIND.api_version().into())
        }
        (newer, value) => (core_name(newer).to_owned(), value),
    });
    Value::Object(renamed.collect::<Map<_, _>>())
}

fn renamed_operations(patch: Value) -> Value {
    let Value::Array(mut operations) = patch else { return patch };
    for operation in &mut operations {
        for pointer in ["path", "from"] {
            let Some(Value::String(path)) = operation.get_mut(pointer) else { continue };
            let mut steps: Vec<&str> = path.split('/').collect();
            if let Some(first) = steps.get_mut(1) {
                *first = core_name(first);
            }
            *path = steps.join("/");
        }
    }
    Value::Array(operations)
}

fn to_core(event: events::Event) -> core::Event {
    core::Event {
        metadata: event.metadata,
        involved_object: event.regarding,
        reason: event.reason,
        message: event.note,
        source: event.deprecated_source,
        first_timestamp: event.deprecated_first_timestamp,
        last_timestamp: event.deprecated_last_timestamp,
        count: event.deprecated_count,
        r#type: event.r#type,
        event_time: event.event_time,
        series: event.series.map(|series| core::EventSeries {
            count: series.count,
            last_observed_time: series.last_observed_time,
        }),
        action: event.action,
        related: event.related,
        reporting_component: event.reporting_controller,
        reporting_instance: event.reporting_instance,
    }
}

fn from_core(event: core::Event) -> events::Event {
    events::Event {
        metadata: event.metadata,
        event_time: event.event_time,
        series: event.series.map(|series| events::EventSeries {
            count: series.count,
            last_observed_time: series.last_observed_time,
        }),
        reporting_controller: event.reporting_component,
        reporting_instance: event.reporting_instance,
        action: event.action,
        reason: event.reason,
        regarding: event.involved_object,
        related: event.related,
        note: event.message,
        r#type: event.r#type,
        deprecated_source: event.source,
        deprecated_first_timestamp: event.first_timestamp,
        deprecated_last_timestamp: event.last_timestamp,
        deprecated_count: event.count,
    }
}

fn unreadable(error: prost::DecodeError) -> ApiError {
    ApiError::internal(format!("cannot read an event: {error}"))
}

/// An event of `events.k8s.io` in core's form: its table is core's.
pub(crate) fn core_event(event: &events::Event) -> core::Event {
    to_core(event.clone())
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Pod;
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "kind": "Event", "apiVersion": "events.k8s.io/v1",
            "metadata": {"name": "e", "namespace": "n", "creationTimestamp": null},
            "eventTime": "2026-01-02T03:04:05.000006Z",
            "series": {"count": 3, "lastObservedTime": "2026-01-02T03:05:05.000006Z"},
            "reportingController": "c/d", "reportingInstance": "i", "action": "a", "reason": "r",
            "regarding": {"kind": "Pod", "name": "p"}, "note": "text", "type": "Normal",
            "deprecatedSource": {"component": "s"}, "deprecatedFirstTimestamp": "2026-01-02T03:04:05Z",
            "deprecatedLastTimestamp": "2026-01-02T03:04:06Z", "deprecatedCount": 2,
        })
    }

    #[test]
    fn an_event_is_the_same_under_both_names() {
        let kind = events::Event::KIND;
        let newer: events::Event = serde_json::from_value(event()).unwrap();
        let stored = inward(kind, &newer.encode_to_vec().into()).unwrap();
        let core = serde_json::to_value(core::Event::decode(stored.clone()).unwrap()).unwrap();
        for (old, new) in NAMES.iter().filter(|(old, _)| !old.contains('.')) {
            assert_eq!(core[old], event()[new], "{old}");
        }
        let back = events::Event::decode(outward(kind, stored).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(back).unwrap(), event());
    }

    #[test]
    fn selectors_and_patches_get_the_names_that_api_knows() {
        let kind = events::Event::KIND;
        assert_eq!(
            selector(kind, "regarding.kind=Pod,reason!=x,reportingController=c".into()),
            "involvedObject.kind=Pod,reason!=x,reportingComponent=c"
        );
        assert_eq!(selector(Pod::KIND, "regarding.kind=Pod".into()), "regarding.kind=Pod");
        for (content_type, before, after) in [
            (
                "application/merge-patch+json",
                r#"{"note":"x","series":null}"#,
                r#"{"message":"x","series":null}"#,
            ),
            (
                "application/json-patch+json",
                r#"[{"op":"replace","path":"/note","value":"x"},{"op":"move","from":"/regarding/name","path":"/x"}]"#,
                r#"[{"op":"replace","path":"/message","value":"x"},{"op":"move","from":"/involvedObject/name","path":"/x"}]"#,
            ),
            (
                "application/apply-patch+yaml",
                "apiVersion: events.k8s.io/v1\nkind: Event\nregarding: {kind: Pod}\n",
                r#"{"apiVersion":"v1","kind":"Event","involvedObject":{"kind":"Pod"}}"#,
            ),
            ("application/merge-patch+json", "{", "{"),
        ] {
            let patched = patch(kind, content_type, Bytes::copy_from_slice(before.as_bytes()));
            assert_eq!(patched, after);
        }
    }
}
