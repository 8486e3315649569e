//! Patches: what cannot be applied is refused with a 4xx, and nothing takes long or panics. An input is an object and a
//! patch with a NUL between them; without one it is a patch of a pod.

use keelson_base_model::apply::{self, Set, Writer};
use keelson_base_model::patch::{self, Form, Schema};
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::Pod;
use keelson_proto::meta::Time;
use serde_json::{Value, json};

pub(super) fn json(bytes: &[u8]) {
    patched(Form::Json, bytes);
}

pub(super) fn merge(bytes: &[u8]) {
    if let Some((patch, patched)) = patched(Form::Merge, bytes) {
        let again = patch::apply(Form::Merge, schema(), &patched, &patch);
        assert_eq!(again.ok(), Some(patched), "a merge patch applies twice as once");
    }
}

pub(super) fn strategic(bytes: &[u8]) {
    patched(Form::Strategic, bytes);
}

pub(super) fn apply(bytes: &[u8]) {
    let (live, config) = split(bytes);
    let Ok(config) = yaml_serde::from_slice::<Value>(&config) else { return };
    let writer = Writer { manager: "fuzz", subresource: "", api_version: "v1", now: Time::default() };
    let schema = schema();
    let applied = apply::apply(schema, Some(&live), &[], &config, writer, true);
    let Some(applied) = kept(applied) else { return };
    let again = apply::apply(schema, Some(&applied.object), &applied.managed, &config, writer, false);
    assert!(
        again.as_ref().is_ok_and(|again| *again == applied),
        "to apply again changes something: {again:?}"
    );
}

pub(super) fn managed_fields(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Some(set) = Set::decode(&value) {
        assert_eq!(Set::decode(&set.encode()), Some(set), "a set does not survive being written");
    }
}

fn patched(form: Form, bytes: &[u8]) -> Option<(Vec<u8>, Value)> {
    let (object, patch) = split(bytes);
    let patched = kept(patch::apply(form, schema(), &object, &patch))?;
    Some((patch, patched))
}

/// What came of it; a refusal must be the client's fault.
fn kept<T>(result: Result<T, ApiError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!((400..500).contains(&error.code()), "{error}");
            None
        }
    }
}

fn schema() -> Schema {
    Schema::of_kind(Pod::KIND)
}

fn split(bytes: &[u8]) -> (Value, Vec<u8>) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let first = parts.next().unwrap_or_default();
    let Some(second) = parts.next() else { return (pod(), first.to_vec()) };
    let object = serde_json::from_slice(first).ok().filter(Value::is_object);
    (object.unwrap_or_else(pod), second.to_vec())
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"app": "web"}, "finalizers": ["a/b", "c/d"]},
        "spec": {
            "nodeSelector": {"disk": "ssd"},
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [
                {"name": "a", "image": "1", "args": ["x"], "env": [{"name": "E", "value": "1"}]},
                {"name": "b", "image": "1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            ],
        },
    })
}
