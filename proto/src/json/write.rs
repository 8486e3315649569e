//! Writing: messages as objects, each field as Kubernetes' encoder would.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::json::{Message, Value};

/// Writes a field unless it is empty.
pub fn write<M: SerializeMap, T: Value>(map: &mut M, name: &'static str, value: &T) -> Result<(), M::Error> {
    if value.is_empty() { Ok(()) } else { map.serialize_entry(name, &Written(value)) }
}

/// Writes a field, as `null` if it holds nothing.
pub fn write_always<M: SerializeMap, T: Value>(
    map: &mut M,
    name: &'static str,
    value: &T,
) -> Result<(), M::Error> {
    if value.is_nil() { map.serialize_entry(name, &()) } else { map.serialize_entry(name, &Written(value)) }
}

/// Writes a field, as `[]` if it holds nothing.
pub fn write_list<M: SerializeMap, T: Value>(
    map: &mut M,
    name: &'static str,
    value: &T,
) -> Result<(), M::Error> {
    map.serialize_entry(name, &Written(value))
}

/// Writes a whole object, kind and apiVersion first.
pub fn write_object<T: Message, S: Serializer>(object: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if let Some((api_version, kind)) = T::TYPE_META {
        map.serialize_entry("kind", kind)?;
        map.serialize_entry("apiVersion", api_version)?;
    }
    object.write_fields(&mut map)?;
    map.end()
}

/// Writes a message inside another: without kind and apiVersion.
pub fn write_message<T: Message, S: Serializer>(message: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    message.write_fields(&mut map)?;
    map.end()
}

/// A value as serde is to see it.
pub(super) struct Written<'a, T>(pub(super) &'a T);

// === impl Written ===

impl<T: Value> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}
