//! Transcoded and decoded, objects are the same text.

use bytes::Bytes;
use fastrand::Rng;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
    PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use keelson_proto::{Message as _, Object, wire};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, Value};

use super::*;

/// What the generated code writes.
fn decoded<K: Object>(object: &[u8]) -> String {
    serde_json::to_string(&K::decode(object).unwrap()).unwrap()
}

fn transcoded<K: Object>(object: &[u8]) -> Option<String> {
    let mut out = b"before".to_vec();
    let written = write(K::KIND.message, K::TYPE_META, object, &mut out);
    let text = String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned();
    assert!(written || text.is_empty());
    written.then_some(text)
}

/// Random messages of a kind, as `DynamicMessage`s.
struct Random {
    rng: Rng,
    pool: DescriptorPool,
}

impl Random {
    fn new(seed: u64) -> Self {
        let pool = DescriptorPool::decode(keelson_proto::DESCRIPTORS).unwrap();
        Self { rng: Rng::with_seed(seed), pool }
    }

    fn object<K: Object>(&mut self) -> Vec<u8> {
        let message = self.pool.get_message_by_name(K::KIND.message).unwrap();
        self.message(&message).encode_to_vec()
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut set = |field: &str, value: Value| message.set_field_by_name(field, value);
        match descriptor.name() {
            "Quantity" => set("string", Value::String("1500m".into())),
            "Time" | "MicroTime" => set("seconds", Value::I64(self.rng.i64(0..2_000_000_000))),
            "Duration" => set("duration", Value::I64(1_500_000_000)),
            "FieldsV1" => set("Raw", Value::Bytes(Bytes::from_static(b"{\"f:a\":{}}"))),
            "RawExtension" => set("raw", Value::Bytes(Bytes::from_static(b"{\"a\":[1,\"\\n\"]}"))),
            "IntOrString" => {
                set("type", Value::I64(0));
                return message;
            }
            _ => {
                for field in descriptor.fields() {
                    if self.rng.u8(..3) > 0 {
                        let value = self.field(&field);
                        message.set_field(&field, value);
                    }
                }
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let count = self.rng.usize(..3);
        if field.is_map() {
            let values = field.kind().as_message().unwrap().map_entry_value_field();
            let entry = |_| (MapKey::String(self.text()), self.value(&values));
            Value::Map((0..count).map(entry).collect())
        } else if field.is_list() {
            Value::List((0..count).map(|_| self.value(field)).collect())
        } else {
            self.value(field)
        }
    }

    fn value(&mut self, field: &FieldDescriptor) -> Value {
        use prost_reflect::Kind;
        match field.kind() {
            Kind::Bool => Value::Bool(self.rng.bool()),
            Kind::Int32 => Value::I32(self.rng.i32(-2..3)),
            Kind::Int64 => Value::I64(self.rng.i64(..) >> self.rng.u8(..64)),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Message(message) => Value::Message(self.message(&message)),
            other => panic!("v1 has no {other:?}"),
        }
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 6] =
            ["", "web", "a\"b\\c", "ä€\u{1f600}", "line\nnext\u{1}\u{7f}", "kubernetes.io/name"];
        self.rng.choice(TEXTS).unwrap().to_owned()
    }
}

fn agrees<K: Object>(random: &mut Random) -> &'static str {
    for round in 0..40 {
        let object = random.object::<K>();
        let object = if round % 2 == 0 { wire::with_resource_version(&object, round) } else { object.into() };
        assert_eq!(transcoded::<K>(&object).as_deref(), Some(&*decoded::<K>(&object)));
    }
    assert_eq!(transcoded::<K>(b"").as_deref(), Some(&*decoded::<K>(b"")));
    K::KIND.message
}

#[test]
fn every_kind_is_spelled_as_the_generated_code_does() {
    let seed = std::env::var("KEELSON_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("KEELSON_SEED={seed}");
    let random = &mut Random::new(seed);
    let kinds = [
        agrees::<ClusterRole>(random),
        agrees::<ClusterRoleBinding>(random),
        agrees::<ConfigMap>(random),
        agrees::<EndpointSlice>(random),
        agrees::<Endpoints>(random),
        agrees::<Event>(random),
        agrees::<Lease>(random),
        agrees::<LimitRange>(random),
        agrees::<Namespace>(random),
        agrees::<Node>(random),
        agrees::<PersistentVolume>(random),
        agrees::<PersistentVolumeClaim>(random),
        agrees::<Pod>(random),
        agrees::<PodTemplate>(random),
        agrees::<ReplicationController>(random),
        agrees::<ResourceQuota>(random),
        agrees::<Role>(random),
        agrees::<RoleBinding>(random),
        agrees::<Secret>(random),
        agrees::<Service>(random),
        agrees::<ServiceAccount>(random),
    ];
    for kind in kinds {
        assert!(SCHEMA.1.contains_key(kind), "{kind} is left to the generated code");
    }
}

#[test]
fn every_registered_kind_is_known() {
    let missing = REGISTERED.iter().filter(|kind| !SCHEMA.1.contains_key(kind.message));
    assert_eq!(missing.map(|kind| kind.kind).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn what_is_no_object_is_left_to_others() {
    let mut random = Random::new(1);
    let whole = random.object::<Pod>();
    for end in 0..whole.len() {
        let torn = &whole[..end];
        if let Some(text) = transcoded::<Pod>(torn) {
            assert_eq!(text, decoded::<Pod>(torn));
        }
    }
    for bytes in [&b"\x0a\x7f"[..], b"\x08\x01", b"\x0a\x03\x0a\x01\xff", b"\x00"] {
        assert_eq!(transcoded::<Pod>(bytes), None);
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let mut pod = Pod::default();
    pod.metadata.name = "web".into();
    let mut bytes = pod.encode_to_vec();
    bytes.extend_from_slice(b"\xfa\x3e\x01x\xf8\x3e\x05");
    assert_eq!(transcoded::<Pod>(&bytes).unwrap(), decoded::<Pod>(&bytes));
}

#[test]
fn the_last_of_two_values_counts_and_pieces_are_joined() {
    let (mut one, mut other) = (Pod::default(), Pod::default());
    one.metadata.labels.insert("a".into(), "1".into());
    one.metadata.name = "one".into();
    one.spec.node_name = "n1".into();
    other.metadata.labels.insert("a".into(), "2".into());
    other.metadata.name = "other".into();
    other.status.phase = "Running".into();
    let both = [one.encode_to_vec(), other.encode_to_vec()].concat();
    let text = transcoded::<Pod>(&both).unwrap();
    assert_eq!(text, decoded::<Pod>(&both));
    assert!(text.contains(r#""labels":{"a":"2"}"#) && text.contains(r#""name":"other""#));
}
