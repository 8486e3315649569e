//! Messages with random content, made from their descriptors.

use std::collections::HashMap;
use std::sync::LazyLock;

use heck::ToUpperCamelCase;
use keelson_proto::DESCRIPTORS;
use prost_reflect::prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

use crate::table::Pair;

/// Every published descriptor.
pub(crate) static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap());

/// Our messages by package and Rust name: those of the v1 API.
pub(crate) static MESSAGES: LazyLock<HashMap<(String, String), MessageDescriptor>> = LazyLock::new(|| {
    POOL.all_messages()
        .filter(|message| message.package_name().starts_with("k8s.io") && !message.is_map_entry())
        .map(|message| ((message.package_name().to_owned(), message.name().to_upper_camel_case()), message))
        .collect()
});

/// Messages inside messages; none of v1 is that deep, so nothing is left out.
const DEEPEST: usize = 24;

/// How to fill a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Every field, with values that are not their type's default.
    Whole,
    /// Every field, and every time, quantity and the like is one that has a JSON form.
    WholeValid,
    /// Each field or not (but quantities: an absent one is the same as 0); every time, quantity and the like
    /// is one that has a JSON form.
    SparseValid,
    /// Each field or not, with any value.
    Sparse,
}

/// A source of messages.
pub(crate) struct Random {
    rng: fastrand::Rng,
    fill: Fill,
}

/// The descriptor of a pair.
pub(crate) fn descriptor(pair: &Pair) -> MessageDescriptor {
    MESSAGES[&(pair.package.to_owned(), pair.name.to_owned())].clone()
}

/// Whether a boolean option of options.proto is set on the field.
pub(crate) fn flag(field: &FieldDescriptor, option: &str) -> bool {
    let extension = POOL.get_extension_by_name(&format!("keelson.options.{option}")).unwrap();
    field.options().get_extension(&extension).as_bool().unwrap()
}

// === impl Random ===

impl Random {
    /// A source whose messages are the same in every run.
    pub(crate) fn new(seed: u64, fill: Fill) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), fill }
    }

    /// A message.
    pub(crate) fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        self.message_at(descriptor, 0)
    }

    /// An encoded message.
    pub(crate) fn bytes(&mut self, descriptor: &MessageDescriptor) -> Vec<u8> {
        self.message(descriptor).encode_to_vec()
    }

    fn message_at(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        assert!(depth < DEEPEST, "{} is recursive", descriptor.full_name());
        let mut message = DynamicMessage::new(descriptor.clone());
        if self.valid() && self.leaf(descriptor.name(), &mut message) {
            return message;
        }
        for field in descriptor.fields() {
            if self.whole() || self.rng.u8(..4) != 0 || (self.valid() && is_quantity(&field)) {
                let value = self.field(&field, depth + 1);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn whole(&self) -> bool {
        matches!(self.fill, Fill::Whole | Fill::WholeValid)
    }

    fn valid(&self) -> bool {
        matches!(self.fill, Fill::WholeValid | Fill::SparseValid)
    }

    /// Fills a message whose JSON form is not an object, as its documentation has it.
    fn leaf(&mut self, name: &str, message: &mut DynamicMessage) -> bool {
        let number = self.rng.i32(1..);
        match name {
            "Time" => message.set_field_by_name("seconds", Value::I64(number.into())),
            "MicroTime" => {
                message.set_field_by_name("seconds", Value::I64(number.into()));
                message.set_field_by_name("nanos", Value::I32(number % 1_000_000 * 1000));
            }
            "Quantity" => message.set_field_by_name("string", Value::String(format!("{number}m"))),
            "IntOrString" if number % 2 == 0 => message.set_field_by_name("intVal", Value::I32(number)),
            "IntOrString" => {
                message.set_field_by_name("type", Value::I64(1));
                message.set_field_by_name("strVal", Value::String(self.text()));
            }
            "RawExtension" => message.set_field_by_name("raw", Value::Bytes(embedded(number))),
            "FieldsV1" => message.set_field_by_name("Raw", Value::Bytes(embedded(number))),
            _ => return false,
        }
        true
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let many = match depth {
            0..4 => self.rng.usize(1..3),
            _ => 1,
        };
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!() };
            let value = entry.map_entry_value_field();
            let entries = (0..many).map(|_| (MapKey::String(self.text()), self.scalar(&value.kind(), depth)));
            Value::Map(entries.collect())
        } else if field.is_list() {
            Value::List((0..many).map(|_| self.scalar(&field.kind(), depth)).collect())
        } else {
            self.scalar(&field.kind(), depth)
        }
    }

    fn scalar(&mut self, kind: &Kind, depth: usize) -> Value {
        match kind {
            Kind::Message(message) => Value::Message(self.message_at(message, depth)),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Bool => Value::Bool(self.whole() || self.rng.bool()),
            Kind::Int32 => Value::I32(self.rng.i32(..) | 1),
            Kind::Int64 => Value::I64(self.rng.i64(..) | 1),
            other => panic!("no field of v1 is a {other:?}"),
        }
    }

    /// Text of any letters, some of them special to JSON.
    fn text(&mut self) -> String {
        let len = self.rng.usize(1..9);
        let mut letter = || match self.rng.u8(..4) {
            0 => self.rng.char('\0'..='\u{ff}'),
            1 => self.rng.char('\u{100}'..),
            _ => self.rng.alphanumeric(),
        };
        (0..len).map(|_| letter()).collect()
    }
}

fn is_quantity(field: &FieldDescriptor) -> bool {
    field.kind().as_message().is_some_and(|message| message.name() == "Quantity")
}

fn embedded(number: i32) -> prost_reflect::bytes::Bytes {
    format!(r#"{{"f:metadata":{{"n":{number}}},"list":[null,"x"]}}"#).into()
}
