//! What transcoding needs to know of messages: their fields in the order of the JSON form, as plain tables.

use std::collections::HashMap;

use keelson_proto::json::Value;
use keelson_proto::{Message, authentication, authorization, intstr, meta, resource, runtime};
use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use super::Unlike;

/// All messages that a root refers to.
#[derive(Debug, Default)]
pub(super) struct Schema {
    messages: Vec<Layout>,
}

/// A message: the fields of its JSON object.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// In the order of the JSON form.
    pub(super) fields: Vec<Field>,
    /// The place in `fields` of each field number.
    places: Vec<Option<u16>>,
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    /// `"name":`
    pub(super) key: Box<str>,
    pub(super) kind: FieldKind,
    pub(super) count: Count,
    pub(super) presence: Presence,
}

/// How many values a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    One,
    /// One message, whose fields belong to the object of the message that holds it.
    Inline,
    List,
    /// By name; the values have the field's kind.
    Map,
}

/// When a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// If it holds something.
    NonEmpty,
    /// If it is there.
    Present,
    /// Always, with what it holds by default.
    Always,
    /// Always, as `null` if it is not there.
    AlwaysOrNull,
    /// Always, as `[]` if it is not there.
    AlwaysOrList,
}

/// What a field's values are.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldKind {
    Bool,
    Int32,
    Int64,
    Text,
    Bytes,
    /// A message, by its place in the schema.
    Message(usize),
    /// A message whose JSON is written by hand.
    Leaf(Leaf),
}

/// Appends the JSON of an encoded message; the flag says that `null` stands for one that holds nothing.
pub(super) type Leaf = fn(&[u8], bool, &mut Vec<u8>) -> Result<(), Unlike>;

/// Field numbers are looked up in a table this long; none of v1's is larger.
const MOST_NUMBERS: u32 = 4096;

// === impl Schema ===

impl Schema {
    /// The schema of these messages, and their places in it. A message that has a part which is not known here is left
    /// out.
    pub(super) fn new(roots: &[&'static str]) -> (Self, HashMap<&'static str, usize>) {
        let mut schema = Self::default();
        let mut places = HashMap::new();
        let Ok(pool) = DescriptorPool::decode(keelson_proto::DESCRIPTORS) else { return (schema, places) };
        let mut known = HashMap::new();
        for root in roots {
            let message = pool.get_message_by_name(root);
            if let Some(place) = message.and_then(|message| schema.add(&message, &mut known)) {
                places.insert(*root, place);
            }
        }
        (schema, places)
    }

    pub(super) fn message(&self, place: usize) -> Option<&Layout> {
        self.messages.get(place)
    }

    /// Adds a message and those that it refers to.
    fn add(
        &mut self,
        message: &MessageDescriptor,
        known: &mut HashMap<String, Option<usize>>,
    ) -> Option<usize> {
        if let Some(place) = known.get(message.full_name()) {
            return *place;
        }
        let place = self.messages.len();
        self.messages.push(Layout::default());
        // Known before its fields are, for those that refer to it.
        known.insert(message.full_name().to_owned(), Some(place));
        let fields: Option<Vec<_>> =
            message.fields().map(|field| Some((field.number(), self.field(&field, known)?))).collect();
        let found = fields.and_then(Layout::new);
        if found.is_none() {
            known.insert(message.full_name().to_owned(), None);
        }
        *self.messages.get_mut(place)? = found?;
        Some(place)
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        known: &mut HashMap<String, Option<usize>>,
    ) -> Option<Field> {
        let value = match field.kind() {
            Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let kind = match value {
            Kind::Bool => FieldKind::Bool,
            Kind::Int32 => FieldKind::Int32,
            Kind::Int64 => FieldKind::Int64,
            Kind::String => FieldKind::Text,
            Kind::Bytes => FieldKind::Bytes,
            Kind::Message(message)
                if flag(message.options(), &message.parent_pool().clone(), "hand_json") =>
            {
                FieldKind::Leaf(leaf(message.full_name())?)
            }
            Kind::Message(message) => FieldKind::Message(self.add(&message, known)?),
            _ => return None,
        };
        let count = match field.cardinality() {
            _ if field.is_map() => Count::Map,
            Cardinality::Repeated => Count::List,
            _ if option(field, "inline") => Count::Inline,
            _ => Count::One,
        };
        let key = format!("\"{}\":", field.name()).into_boxed_str();
        Some(Field { key, kind, count, presence: presence(field, count, kind) })
    }
}

/// When a field is written; as proto/build/json.rs has it, and by the types that proto/build/rewrite.rs gives fields.
fn presence(field: &FieldDescriptor, count: Count, kind: FieldKind) -> Presence {
    let (pointer, always) = (option(field, "ptr"), option(field, "always"));
    let message = matches!(kind, FieldKind::Message(_) | FieldKind::Leaf(_));
    match count {
        Count::List | Count::Map if always && field.name() == "items" => Presence::AlwaysOrList,
        Count::List | Count::Map if always => Presence::AlwaysOrNull,
        Count::List | Count::Map => Presence::NonEmpty,
        Count::Inline => Presence::Always,
        Count::One if pointer && always => Presence::AlwaysOrNull,
        Count::One if pointer => Presence::Present,
        // Go's zero time is none.
        Count::One if is_time(field) => Presence::AlwaysOrNull,
        Count::One if always && matches!(kind, FieldKind::Bytes) => Presence::AlwaysOrNull,
        Count::One if always || message => Presence::Always,
        Count::One => Presence::NonEmpty,
    }
}

// === impl Layout ===

impl Layout {
    fn new(fields: Vec<(u32, Field)>) -> Option<Self> {
        let mut message = Self::default();
        for (number, field) in fields {
            if number >= MOST_NUMBERS {
                return None;
            }
            let index = number as usize;
            if message.places.len() <= index {
                message.places.resize(index + 1, None);
            }
            *message.places.get_mut(index)? = Some(u16::try_from(message.fields.len()).ok()?);
            message.fields.push(field);
        }
        Some(message)
    }

    /// The place of a field number among the fields.
    pub(super) fn place(&self, number: u32) -> Option<u16> {
        self.places.get(number as usize).copied().flatten()
    }
}

/// The messages whose JSON is written by hand.
fn leaf(message: &str) -> Option<Leaf> {
    Some(match message.strip_prefix("k8s.io.")? {
        "api.authentication.v1.ExtraValue" => write::<authentication::ExtraValue>,
        "api.authorization.v1.ExtraValue" => write::<authorization::ExtraValue>,
        "apimachinery.pkg.api.resource.Quantity" => write::<resource::Quantity>,
        "apimachinery.pkg.apis.meta.v1.Duration" => write::<meta::Duration>,
        "apimachinery.pkg.apis.meta.v1.FieldsV1" => write::<meta::FieldsV1>,
        "apimachinery.pkg.apis.meta.v1.MicroTime" => write::<meta::MicroTime>,
        "apimachinery.pkg.apis.meta.v1.Time" => write::<meta::Time>,
        "apimachinery.pkg.apis.meta.v1.Verbs" => write::<meta::Verbs>,
        "apimachinery.pkg.runtime.RawExtension" => write::<runtime::RawExtension>,
        "apimachinery.pkg.util.intstr.IntOrString" => write::<intstr::IntOrString>,
        _ => return None,
    })
}

fn write<T: Value + Message + Default>(
    encoded: &[u8],
    null_if_nil: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unlike> {
    let value = T::decode(encoded).map_err(|_| Unlike)?;
    if null_if_nil && value.is_nil() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    value.write(&mut serde_json::Serializer::new(out)).map_err(|_| Unlike)
}

fn is_time(field: &FieldDescriptor) -> bool {
    let names =
        ["k8s.io.apimachinery.pkg.apis.meta.v1.Time", "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime"];
    field.kind().as_message().is_some_and(|message| names.contains(&message.full_name()))
}

/// Whether a boolean option of options.proto is set on a field.
fn option(field: &FieldDescriptor, option: &str) -> bool {
    flag(field.options(), field.parent_pool(), option)
}

fn flag(options: prost_reflect::DynamicMessage, pool: &DescriptorPool, option: &str) -> bool {
    let extension = pool.get_extension_by_name(&format!("keelson.options.{option}"));
    extension.is_some_and(|extension| options.get_extension(&extension).as_bool().unwrap_or(false))
}
