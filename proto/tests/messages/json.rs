//! The JSON form: every field under its name, inlined messages in the object that holds them, leaves in their
//! own forms; and what is written is read back whole.

use std::fmt::Debug;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keelson_proto::json::{Message, from_slice};
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};
use serde_json::{Map, json};

use crate::random::{Fill, POOL, Random, descriptor, flag};
use crate::table::pairs;

/// Sends an encoded message through JSON, which must not change it, and answers with the JSON.
pub(crate) fn round_trip<T>(bytes: &[u8]) -> serde_json::Value
where
    T: Message + keelson_proto::Message + serde::Serialize + PartialEq + Debug,
{
    let message = T::decode(bytes).unwrap();
    let text = serde_json::to_vec(&message).unwrap();
    let (read, report) = from_slice::<T>(&text).unwrap();
    assert_eq!((&report.unknown, &report.duplicate), (&vec![], &vec![]));
    assert_eq!((report.api_version.as_deref(), report.kind.as_deref()), T::TYPE_META.unzip());
    assert_eq!(read, message);
    serde_json::from_slice(&text).unwrap()
}

/// What Kubernetes' documentation says of the JSON form, applied to a message that has every field.
fn documented(message: &DynamicMessage) -> serde_json::Value {
    let field = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    match message.descriptor().name() {
        "Time" => time(message, "%Y-%m-%dT%H:%M:%SZ"),
        "MicroTime" => time(message, "%Y-%m-%dT%H:%M:%S.%6fZ"),
        "Quantity" => json!(field("string").as_str()),
        "IntOrString" if field("type").as_i64() == Some(1) => json!(field("strVal").as_str()),
        "IntOrString" => json!(field("intVal").as_i32()),
        "RawExtension" => serde_json::from_slice(field("raw").as_bytes().unwrap()).unwrap(),
        "FieldsV1" => serde_json::from_slice(field("Raw").as_bytes().unwrap()).unwrap(),
        "Verbs" | "ExtraValue" => value(&field("items")),
        _ => object(message).into(),
    }
}

fn object(message: &DynamicMessage) -> Map<String, serde_json::Value> {
    let mut object = Map::new();
    for (field, content) in message.fields() {
        match content {
            Value::Message(inlined) if flag(&field, "inline") => {
                object.extend(documented(inlined).as_object().unwrap().clone());
            }
            _ => assert_eq!(object.insert(field.name().to_owned(), value(content)), None),
        }
    }
    object
}

fn value(content: &Value) -> serde_json::Value {
    match content {
        Value::Message(message) => documented(message),
        Value::List(list) => list.iter().map(value).collect(),
        Value::Map(map) => map.iter().map(|(key, content)| (key_text(key), value(content))).collect(),
        Value::String(text) => json!(text),
        Value::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Value::Bool(flag) => json!(flag),
        Value::I32(number) => json!(number),
        Value::I64(number) => json!(number),
        other => panic!("no field of v1 is {other:?}"),
    }
}

fn key_text(key: &MapKey) -> String {
    key.as_str().unwrap().to_owned()
}

fn time(message: &DynamicMessage, format: &str) -> serde_json::Value {
    let part = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    let at =
        jiff::Timestamp::new(part("seconds").as_i64().unwrap(), part("nanos").as_i32().unwrap()).unwrap();
    json!(at.strftime(format).to_string())
}

/// `kind` and `apiVersion`, if the message is a kind.
fn type_meta(message: &DynamicMessage) -> Option<[(String, serde_json::Value); 2]> {
    let extension = POOL.get_extension_by_name("keelson.options.kind").unwrap();
    let options = message.descriptor().options();
    if !options.has_extension(&extension) {
        return None;
    }
    let kind = options.get_extension(&extension).as_message().unwrap().clone();
    let text = |name: &str| kind.get_field_by_name(name).unwrap().as_str().unwrap().to_owned();
    let api_version = match (text("group"), text("version")) {
        (group, version) if group.is_empty() => version,
        (group, version) => format!("{group}/{version}"),
    };
    Some([("kind".to_owned(), json!(text("kind"))), ("apiVersion".to_owned(), json!(api_version))])
}

#[test]
fn every_field_of_every_message_is_written_under_its_name_and_read_back() {
    for (seed, pair) in (0u64..).zip(pairs()) {
        let Some(json) = &pair.json else { continue };
        let descriptor = descriptor(&pair);
        let mut random = Random::new(seed, Fill::WholeValid);
        for _ in 0..3 {
            println!("{}", descriptor.full_name());
            let message = random.message(&descriptor);
            let mut expected = object(&message);
            expected.extend(type_meta(&message).into_iter().flatten());
            let written = (json.round_trip)(&prost_reflect::prost::Message::encode_to_vec(&message));
            assert_eq!(written, serde_json::Value::Object(expected));
        }
    }
}

#[test]
fn every_message_with_fields_unset_is_read_back() {
    for (seed, pair) in (2000u64..).zip(pairs()) {
        let Some(json) = &pair.json else { continue };
        let descriptor = descriptor(&pair);
        let mut random = Random::new(seed, Fill::SparseValid);
        for _ in 0..8 {
            println!("{}", descriptor.full_name());
            (json.round_trip)(&random.bytes(&descriptor));
        }
    }
}
