//! What the generated JSON code stands on.
//!
//! The form is that of Kubernetes' own encoder: empty fields are left out unless their type holds them by
//! value, times are RFC 3339, bytes base64, and a field set to `null` is as good as absent. Reading never
//! fails for an unknown or repeated field (the last one wins); a [`Report`] collects them with their paths,
//! so that callers can warn or refuse.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A message with a JSON form: its fields, to and from an open JSON object.
pub trait Message: Value {
    /// `apiVersion` and `kind`, for a message that is a top-level kind.
    const TYPE_META: Option<(&'static str, &'static str)>;
    /// Fields of its JSON object, inlined ones included.
    const FIELDS: u32;
    /// Writes the fields into an open object.
    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
    /// Reads the value of `key` if that is a field of this message, and tells whether it is. The bits of
    /// this message's fields in `seen` begin at `base`.
    fn read_field<'de, M: MapAccess<'de>>(
        &mut self,
        key: &str,
        base: u32,
        map: &mut M,
        seen: &mut Seen,
        at: &At<'_>,
    ) -> Result<bool, M::Error>;
}

/// A value with a JSON form.
pub trait Value: Default {
    /// Whether `omitempty` leaves the value out.
    fn is_empty(&self) -> bool;
    /// Whether the value is written as `null` where it must be written.
    fn is_nil(&self) -> bool {
        false
    }
    /// Writes the value.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads a value that is not null.
    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error>;
}

/// What reading noticed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Paths of fields that the kind does not have.
    pub unknown: Vec<String>,
    /// Paths of fields that were given more than once.
    pub duplicate: Vec<String>,
    /// Path of the value that could not be read.
    pub failed: Option<String>,
    /// The object's `apiVersion`, if it gave one.
    pub api_version: Option<String>,
    /// The object's `kind`, if it gave one.
    pub kind: Option<String>,
}

/// A value that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", .path.as_deref().map(|path| format!("{path}: ")).unwrap_or_default())]
pub struct Error {
    /// Where it stands; None if the text is not JSON at all.
    pub path: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// Where in an object reading is. A list of frames on the stack; it costs nothing until something is noticed.
#[derive(Debug)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    segment: Segment<'a>,
    report: Option<&'a RefCell<Report>>,
}

#[derive(Debug)]
enum Segment<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

/// The fields that an object has given so far.
#[derive(Debug, Default)]
pub struct Seen(u128);

/// Most unknown or duplicate fields that a report holds: enough for a person, bounded for a hostile body.
const MOST_NOTICED: usize = 64;

/// Reads an object from JSON text.
pub fn from_slice<T: Message>(text: &[u8]) -> Result<(T, Report), Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = from_deserializer(&mut deserializer)?;
    deserializer.end().map_err(|error| Error { path: None, message: error.to_string() })?;
    Ok(read)
}

/// Reads an object from any self-describing format.
pub fn from_deserializer<'de, T: Message, D: Deserializer<'de>>(deserializer: D) -> Result<(T, Report), Error> {
    let report = RefCell::new(Report::default());
    let mut value = T::default();
    let root = At { parent: None, segment: Segment::Root, report: Some(&report) };
    let read = value.read(deserializer, &root);
    let report = report.into_inner();
    match read {
        Ok(()) => Ok((value, report)),
        Err(error) => Err(Error { path: report.failed, message: error.to_string() }),
    }
}

/// Writes a field unless it is empty.
pub fn write<M: SerializeMap, T: Value>(map: &mut M, name: &'static str, value: &T) -> Result<(), M::Error> {
    if value.is_empty() { Ok(()) } else { map.serialize_entry(name, &Written(value)) }
}

/// Writes a field, as `null` if it holds nothing.
pub fn write_always<M: SerializeMap, T: Value>(map: &mut M, name: &'static str, value: &T) -> Result<(), M::Error> {
    if value.is_nil() { map.serialize_entry(name, &()) } else { map.serialize_entry(name, &Written(value)) }
}

/// Writes a field, as `[]` if it holds nothing.
pub fn write_list<M: SerializeMap, T: Value>(map: &mut M, name: &'static str, value: &T) -> Result<(), M::Error> {
    map.serialize_entry(name, &Written(value))
}

/// Reads a field's value. A field given again replaces what it was.
pub fn read<'de, M: MapAccess<'de>, T: Value>(
    map: &mut M,
    name: &'static str,
    value: &mut T,
    bit: u32,
    seen: &mut Seen,
    at: &At<'_>,
) -> Result<(), M::Error> {
    let here = at.field(name);
    if !seen.insert(bit) {
        here.notice(|report| &mut report.duplicate);
        *value = T::default();
    }
    map.next_value_seed(Slot { value, at: &here })
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

/// Reads a message.
pub fn read_message<'de, T: Message, D: Deserializer<'de>>(
    message: &mut T,
    deserializer: D,
    at: &At<'_>,
) -> Result<(), D::Error> {
    deserializer.deserialize_map(MessageVisitor { message, at })
}

/// Implements `Value` and serde's traits for a message.
macro_rules! message {
    ($path:path) => {
        impl $crate::json::Value for $path {
            fn is_empty(&self) -> bool {
                false
            }
            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::write_message(self, serializer)
            }
            fn read<'de, D: serde::Deserializer<'de>>(
                &mut self,
                deserializer: D,
                at: &$crate::json::At<'_>,
            ) -> Result<(), D::Error> {
                $crate::json::read_message(self, deserializer, at)
            }
        }
        impl serde::Serialize for $path {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::write_object(self, serializer)
            }
        }
        impl<'de> serde::Deserialize<'de> for $path {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut value = Self::default();
                $crate::json::Value::read(&mut value, deserializer, &$crate::json::At::root())?;
                Ok(value)
            }
        }
    };
}
pub(crate) use message;

/// A value as serde is to see it.
struct Written<'a, T>(&'a T);

/// A place to read a value into; `null` leaves it as it is.
struct Slot<'a, T> {
    value: &'a mut T,
    at: &'a At<'a>,
}

struct MessageVisitor<'a, T> {
    message: &'a mut T,
    at: &'a At<'a>,
}

struct ListVisitor<'a, T> {
    list: &'a mut Vec<T>,
    at: &'a At<'a>,
}

struct MapVisitor<'a, T> {
    entries: &'a mut BTreeMap<String, T>,
    at: &'a At<'a>,
}

/// A key, borrowed from the text where it can be.
struct Key<'de>(Cow<'de, str>);

// === impl At ===

impl<'a> At<'a> {
    /// The top of an object that nobody wants a report of.
    pub fn root() -> Self {
        At { parent: None, segment: Segment::Root, report: None }
    }

    fn field(&'a self, name: &'a str) -> At<'a> {
        At { parent: Some(self), segment: Segment::Field(name), report: self.report }
    }

    fn index(&'a self, index: usize) -> At<'a> {
        At { parent: Some(self), segment: Segment::Index(index), report: self.report }
    }

    fn path(&self) -> String {
        let mut path = self.parent.map(At::path).unwrap_or_default();
        match self.segment {
            Segment::Root => {}
            Segment::Field(name) if path.is_empty() => path.push_str(name),
            Segment::Field(name) => {
                path.push('.');
                path.push_str(name);
            }
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    fn notice(&self, list: impl FnOnce(&mut Report) -> &mut Vec<String>) {
        if let Some(report) = self.report {
            let mut report = report.borrow_mut();
            let list = list(&mut report);
            if list.len() < MOST_NOTICED {
                list.push(self.path());
            }
        }
    }

    fn fail(&self) {
        if let Some(report) = self.report {
            let mut report = report.borrow_mut();
            if report.failed.is_none() {
                report.failed = Some(self.path());
            }
        }
    }

    fn type_meta(&self, key: &str, text: String) {
        if let (Some(report), None) = (self.report, self.parent) {
            let mut report = report.borrow_mut();
            match key {
                "kind" => report.kind = Some(text),
                _ => report.api_version = Some(text),
            }
        }
    }
}

// === impl Seen ===

impl Seen {
    fn insert(&mut self, bit: u32) -> bool {
        let mask = 1u128 << (bit & 127);
        let new = self.0 & mask == 0;
        self.0 |= mask;
        new
    }
}

// === impl Written ===

impl<T: Value> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

// === impl Slot ===

impl<'de, T: Value> DeserializeSeed<'de> for Slot<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Value> Visitor<'de> for Slot<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.value.read(deserializer, self.at).inspect_err(|_| self.at.fail())
    }
}

// === impl MessageVisitor ===

impl<'de, T: Message> Visitor<'de> for MessageVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut seen = Seen::default();
        while let Some(Key(key)) = map.next_key()? {
            if self.message.read_field(&key, 0, &mut map, &mut seen, self.at)? {
                continue;
            }
            if T::TYPE_META.is_some() && matches!(&*key, "kind" | "apiVersion") {
                let mut text = String::new();
                map.next_value_seed(Slot { value: &mut text, at: &self.at.field(&key) })?;
                self.at.type_meta(&key, text);
            } else {
                self.at.field(&key).notice(|report| &mut report.unknown);
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

// === impl ListVisitor ===

impl<'de, T: Value> Visitor<'de> for ListVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let mut value = T::default();
            let at = self.at.index(self.list.len());
            if list.next_element_seed(Slot { value: &mut value, at: &at })?.is_none() {
                return Ok(());
            }
            self.list.push(value);
        }
    }
}

// === impl MapVisitor ===

impl<'de, T: Value> Visitor<'de> for MapVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = map.next_key()? {
            let at = self.at.field(&key);
            let mut value = T::default();
            map.next_value_seed(Slot { value: &mut value, at: &at })?;
            if self.entries.contains_key(&*key) {
                at.notice(|report| &mut report.duplicate);
            }
            self.entries.insert(key.into_owned(), value);
        }
        Ok(())
    }
}

// === impl Key ===

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for KeyVisitor<'de> {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
            fn visit_string<E>(self, key: String) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key)))
            }
        }
        deserializer.deserialize_str(KeyVisitor(PhantomData))
    }
}

// === impl Value for containers ===

impl<T: Value> Value for Option<T> {
    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.write(serializer),
            None => serializer.serialize_unit(),
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        self.insert(T::default()).read(deserializer, at)
    }
}

impl<T: Value> Value for Vec<T> {
    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }

    fn is_nil(&self) -> bool {
        Vec::is_empty(self)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for value in self {
            list.serialize_element(&Written(value))?;
        }
        list.end()
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        deserializer.deserialize_seq(ListVisitor { list: self, at })
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn is_empty(&self) -> bool {
        BTreeMap::is_empty(self)
    }

    fn is_nil(&self) -> bool {
        BTreeMap::is_empty(self)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(key, &Written(value))?;
        }
        map.end()
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        deserializer.deserialize_map(MapVisitor { entries: self, at })
    }
}

#[cfg(test)]
mod tests;
