//! Reading: messages from objects, with a note of every field that is unknown or repeated.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::{At, JsonError, Message, Report, Seen, Value};

/// Reads an object from JSON text.
pub fn from_slice<T: Message>(text: &[u8]) -> Result<(T, Report), JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = from_deserializer(&mut deserializer)?;
    deserializer.end().map_err(|error| JsonError { path: None, message: error.to_string() })?;
    Ok(read)
}

/// Reads an object from any self-describing format.
pub fn from_deserializer<'de, T: Message, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(T, Report), JsonError> {
    let report = RefCell::new(Report::default());
    let mut value = T::default();
    let read = value.read(deserializer, &At::reported(&report));
    let report = report.into_inner();
    match read {
        Ok(()) => Ok((value, report)),
        Err(error) => Err(JsonError { path: report.failed, message: error.to_string() }),
    }
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

/// Reads a message.
pub fn read_message<'de, T: Message, D: Deserializer<'de>>(
    message: &mut T,
    deserializer: D,
    at: &At<'_>,
) -> Result<(), D::Error> {
    deserializer.deserialize_map(MessageVisitor { message, at })
}

/// A place to read a value into; `null` leaves it as it is.
struct Slot<'a, T> {
    value: &'a mut T,
    at: &'a At<'a>,
}

/// Reads the fields of a message.
struct MessageVisitor<'a, T> {
    message: &'a mut T,
    at: &'a At<'a>,
}

/// Reads the elements of a list.
pub(super) struct ListVisitor<'a, T> {
    pub(super) list: &'a mut Vec<T>,
    pub(super) at: &'a At<'a>,
}

/// Reads the entries of a map.
pub(super) struct MapVisitor<'a, T> {
    pub(super) entries: &'a mut BTreeMap<String, T>,
    pub(super) at: &'a At<'a>,
}

/// A key, borrowed from the text where it can be.
struct Key<'de>(Cow<'de, str>);

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
