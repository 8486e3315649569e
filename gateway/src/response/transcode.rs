//! Encoded objects to JSON without decoding them: the fields are found in the bytes and spelled where they stand.
//!
//! The text is the same that the generated code writes of the decoded object. Whatever is unusual (bytes that are no
//! message, a field of another type) is left to that code, which also knows what to say of it.

mod schema;

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_proto::REGISTERED;
use prost::encoding::{WireType, decode_varint};

use self::schema::{Count, Field, FieldKind, Layout, Presence, Schema};

/// The bytes are not quite what this code knows; nothing is said of what was written before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unlike;

/// Messages may be nested this deep, as for other readers of protobuf.
const DEEPEST: usize = 100;

/// The schema of all kinds, and where each begins.
static SCHEMA: LazyLock<(Schema, HashMap<&'static str, usize>)> = LazyLock::new(|| {
    let roots: Vec<&'static str> = REGISTERED.iter().map(|kind| kind.message).collect();
    Schema::new(&roots)
});

/// A value as it stands in the bytes.
#[derive(Clone, Copy, Debug)]
enum Raw<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// Values found in a message, by the places of their fields. Those of the messages around it come before.
type Found<'a> = Vec<(u16, Raw<'a>)>;

/// Appends the JSON of an encoded message, a registered kind's by its full name, beginning with its `apiVersion` and
/// `kind` if they are given. False, with nothing appended, if that is for others to do.
pub(crate) fn write(
    message: &str,
    type_meta: Option<(&str, &str)>,
    object: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let (schema, roots) = &*SCHEMA;
    let Some(root) = roots.get(message).and_then(|root| schema.message(*root)) else { return false };
    let begin = out.len();
    out.push(b'{');
    if let Some((api_version, kind)) = type_meta {
        head(api_version, kind, out);
    }
    let mut found = Found::with_capacity(64);
    let written = Transcoder { schema, out }.fields(root, object, &mut found, 0);
    match written {
        Ok(()) => out.push(b'}'),
        Err(Unlike) => out.truncate(begin),
    }
    written.is_ok()
}

/// Neither has anything to escape.
fn head(api_version: &str, kind: &str, out: &mut Vec<u8>) {
    for part in ["\"kind\":\"", kind, "\",\"apiVersion\":\"", api_version, "\""] {
        out.extend_from_slice(part.as_bytes());
    }
}

struct Transcoder<'s, 'o> {
    schema: &'s Schema,
    out: &'o mut Vec<u8>,
}

// === impl Transcoder ===

impl Transcoder<'_, '_> {
    /// Appends the fields of a message to an open object.
    fn fields<'a>(
        &mut self,
        message: &Layout,
        bytes: &'a [u8],
        found: &mut Found<'a>,
        depth: usize,
    ) -> Result<(), Unlike> {
        if depth > DEEPEST {
            return Err(Unlike);
        }
        let base = found.len();
        find(message, bytes, found)?;
        if !found[base..].is_sorted_by_key(|(place, _)| *place) {
            found[base..].sort_by_key(|(place, _)| *place);
        }
        let (mut next, end) = (base, found.len());
        for (place, field) in (0..).zip(&message.fields) {
            let first = next;
            while next < end && found[next].0 == place {
                next += 1;
            }
            self.field(field, first..next, found, depth)?;
        }
        found.truncate(base);
        Ok(())
    }

    /// Appends a field with the values found at these indices.
    fn field<'a>(
        &mut self,
        field: &Field,
        values: std::ops::Range<usize>,
        found: &mut Found<'a>,
        depth: usize,
    ) -> Result<(), Unlike> {
        if values.is_empty() {
            return self.absent(field, depth);
        }
        match field.count {
            Count::List => {
                self.key(field);
                self.out.push(b'[');
                for (number, index) in values.enumerate() {
                    if number > 0 {
                        self.out.push(b',');
                    }
                    self.value(field.kind, found[index].1, false, found, depth)?;
                }
                self.out.push(b']');
                Ok(())
            }
            Count::Map => self.map(field, values, found, depth),
            Count::One | Count::Inline => {
                let last = found[values.end - 1].1;
                match (field.kind, last) {
                    (FieldKind::Message(_) | FieldKind::Leaf(_), Raw::Bytes(_)) if values.len() > 1 => {
                        // A message in pieces is the message of all their bytes.
                        let mut whole = Vec::new();
                        for (_, piece) in &found[values] {
                            let Raw::Bytes(piece) = piece else { return Err(Unlike) };
                            whole.extend_from_slice(piece);
                        }
                        self.single(field, Raw::Bytes(&whole), &mut Found::with_capacity(32), depth)
                    }
                    _ => self.single(field, last, found, depth),
                }
            }
        }
    }

    fn single<'a>(
        &mut self,
        field: &Field,
        value: Raw<'a>,
        found: &mut Found<'a>,
        depth: usize,
    ) -> Result<(), Unlike> {
        if field.presence == Presence::NonEmpty && is_empty(field.kind, value) {
            return Ok(());
        }
        if let (Count::Inline, FieldKind::Message(place), Raw::Bytes(bytes)) =
            (field.count, field.kind, value)
        {
            let message = self.schema.message(place).ok_or(Unlike)?;
            return self.fields(message, bytes, found, depth + 1);
        }
        if field.presence == Presence::AlwaysOrNull
            && matches!(field.kind, FieldKind::Bytes)
            && is_empty(field.kind, value)
        {
            self.key(field);
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        self.key(field);
        self.value(field.kind, value, field.presence == Presence::Always, found, depth)
    }

    /// Appends a field of which nothing was found.
    fn absent(&mut self, field: &Field, depth: usize) -> Result<(), Unlike> {
        let default = match field.kind {
            FieldKind::Bool | FieldKind::Int32 | FieldKind::Int64 => Raw::Varint(0),
            _ => Raw::Bytes(b""),
        };
        match field.presence {
            Presence::NonEmpty | Presence::Present => Ok(()),
            Presence::Always => self.single(field, default, &mut Found::new(), depth),
            Presence::AlwaysOrNull => {
                self.key(field);
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            Presence::AlwaysOrList => {
                self.key(field);
                self.out.extend_from_slice(b"[]");
                Ok(())
            }
        }
    }

    /// Appends a map: by name, and of each name the last value.
    fn map<'a>(
        &mut self,
        field: &Field,
        values: std::ops::Range<usize>,
        found: &mut Found<'a>,
        depth: usize,
    ) -> Result<(), Unlike> {
        let mut entries = found[values]
            .iter()
            .map(|(_, entry)| Entry::read(*entry, field.kind))
            .collect::<Result<Vec<_>, _>>()?;
        if !entries.is_sorted_by_key(|entry| entry.name) {
            entries.sort_by_key(|entry| entry.name);
        }
        self.key(field);
        self.out.push(b'{');
        let mut written = false;
        for (index, entry) in entries.iter().enumerate() {
            if entries.get(index + 1).is_some_and(|next| next.name == entry.name) {
                continue;
            }
            if std::mem::replace(&mut written, true) {
                self.out.push(b',');
            }
            text(entry.name, self.out)?;
            self.out.push(b':');
            self.value(field.kind, entry.value, false, found, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn value<'a>(
        &mut self,
        kind: FieldKind,
        value: Raw<'a>,
        null_if_nil: bool,
        found: &mut Found<'a>,
        depth: usize,
    ) -> Result<(), Unlike> {
        match (kind, value) {
            (FieldKind::Bool, Raw::Varint(value)) => {
                self.out.extend_from_slice(if value != 0 { b"true" } else { b"false" });
                Ok(())
            }
            (FieldKind::Int32, Raw::Varint(value)) => number(i64::from(value as i32), self.out),
            (FieldKind::Int64, Raw::Varint(value)) => number(value as i64, self.out),
            (FieldKind::Text, Raw::Bytes(bytes)) => {
                text(std::str::from_utf8(bytes).map_err(|_| Unlike)?, self.out)
            }
            (FieldKind::Bytes, Raw::Bytes(bytes)) => {
                self.out.push(b'"');
                self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                self.out.push(b'"');
                Ok(())
            }
            (FieldKind::Leaf(write), Raw::Bytes(bytes)) => write(bytes, null_if_nil, self.out),
            (FieldKind::Message(place), Raw::Bytes(bytes)) => {
                let message = self.schema.message(place).ok_or(Unlike)?;
                self.out.push(b'{');
                self.fields(message, bytes, found, depth + 1)?;
                self.out.push(b'}');
                Ok(())
            }
            _ => Err(Unlike),
        }
    }

    /// Appends a field's name, and what separates it from the field before.
    fn key(&mut self, field: &Field) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.extend_from_slice(field.key.as_bytes());
    }
}

/// An entry of a map.
struct Entry<'a> {
    name: &'a str,
    value: Raw<'a>,
}

// === impl Entry ===

impl<'a> Entry<'a> {
    fn read(entry: Raw<'a>, kind: FieldKind) -> Result<Self, Unlike> {
        let Raw::Bytes(mut bytes) = entry else { return Err(Unlike) };
        let (mut name, mut value) = (None, None);
        while let Some((number, raw)) = next(&mut bytes)? {
            let slot = match number {
                1 => &mut name,
                2 => &mut value,
                _ => return Err(Unlike),
            };
            if slot.replace(raw).is_some() {
                return Err(Unlike);
            }
        }
        let name = match name {
            Some(Raw::Bytes(name)) => std::str::from_utf8(name).map_err(|_| Unlike)?,
            Some(Raw::Varint(_)) => return Err(Unlike),
            None => "",
        };
        let value = value.unwrap_or(match kind {
            FieldKind::Bool | FieldKind::Int32 | FieldKind::Int64 => Raw::Varint(0),
            _ => Raw::Bytes(b""),
        });
        Ok(Self { name, value })
    }
}

/// Finds the values of a message's fields.
fn find<'a>(message: &Layout, mut bytes: &'a [u8], found: &mut Found<'a>) -> Result<(), Unlike> {
    while let Some((number, raw)) = next(&mut bytes)? {
        let Some(place) = message.place(number) else { continue };
        let Some(field) = message.fields.get(usize::from(place)) else { continue };
        let varint = matches!(field.kind, FieldKind::Bool | FieldKind::Int32 | FieldKind::Int64);
        match raw {
            // Numbers in a list may be packed.
            Raw::Bytes(mut packed) if varint && field.count == Count::List => {
                while !packed.is_empty() {
                    found.push((place, Raw::Varint(decode_varint(&mut packed).map_err(|_| Unlike)?)));
                }
            }
            Raw::Varint(_) if varint && field.count != Count::Map => found.push((place, raw)),
            Raw::Bytes(_) if !varint || field.count == Count::Map => found.push((place, raw)),
            _ => return Err(Unlike),
        }
    }
    Ok(())
}

/// The next field of a message: its number and value.
fn next<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u32, Raw<'a>)>, Unlike> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let key = decode_varint(bytes).map_err(|_| Unlike)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0).ok_or(Unlike)?;
    let raw = match WireType::try_from(key & 7).map_err(|_| Unlike)? {
        WireType::Varint => Raw::Varint(decode_varint(bytes).map_err(|_| Unlike)?),
        WireType::LengthDelimited => {
            let len = decode_varint(bytes).map_err(|_| Unlike)?;
            let len = usize::try_from(len).map_err(|_| Unlike)?;
            let (value, rest) = bytes.split_at_checked(len).ok_or(Unlike)?;
            *bytes = rest;
            Raw::Bytes(value)
        }
        _ => return Err(Unlike),
    };
    Ok(Some((number, raw)))
}

/// Whether a scalar is what it is by default.
fn is_empty(kind: FieldKind, value: Raw<'_>) -> bool {
    match (kind, value) {
        // As a number it is cut to its type first.
        (FieldKind::Int32, Raw::Varint(value)) => value as i32 == 0,
        (_, Raw::Varint(value)) => value == 0,
        (_, Raw::Bytes(bytes)) => bytes.is_empty(),
    }
}

fn number(value: i64, out: &mut Vec<u8>) -> Result<(), Unlike> {
    serde_json::to_writer(out, &value).map_err(|_| Unlike)
}

/// Appends a string. Most need no escapes.
fn text(text: &str, out: &mut Vec<u8>) -> Result<(), Unlike> {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return serde_json::to_writer(out, text).map_err(|_| Unlike);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests;
