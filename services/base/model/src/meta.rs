//! The metadata that all objects share: its rules, and what the server itself writes into it.

mod update;
mod validate;

use std::borrow::Cow;
use std::collections::BTreeMap;

use keelson_proto::meta::{ObjectMeta, Time};

pub(crate) use self::update::IMMUTABLE;
pub use self::update::{prepare_update, validate_update};
pub use self::validate::{validate, validate_finalizer, validate_labels, validate_metadata_of_template};
use crate::fields::{FieldSelector, Requirement};

/// The most bytes of all annotations of one object, keys and values.
pub const MAX_ANNOTATIONS_BYTES: usize = 256 << 10;

/// A rule for names: the messages that say what is wrong with one; none if it is right.
pub type NameRule = fn(&str) -> Vec<String>;

/// What the server writes into the metadata of an object that begins to exist. Names are generated elsewhere
/// ([`crate::names::generate_name`]), because they can collide.
pub fn prepare_create(metadata: &mut ObjectMeta, uid: String, now: Time) {
    metadata.uid = uid;
    metadata.creation_timestamp = Some(now);
    metadata.deletion_timestamp = None;
    metadata.deletion_grace_period_seconds = None;
    metadata.self_link.clear();
    metadata.resource_version.clear();
    metadata.generation = 0;
}

/// The fields that objects of every kind in a namespace can be selected by.
pub const FIELDS: &[&str] = &["metadata.name", "metadata.namespace"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(metadata: &'a ObjectMeta, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "metadata.name" => Some(Cow::Borrowed(&metadata.name)),
        "metadata.namespace" => Some(Cow::Borrowed(&metadata.namespace)),
        _ => None,
    }
}

/// Whether the object is meant, whose selectable fields `get` knows: for fields that are not texts in the object.
pub fn selected<'a>(selector: &FieldSelector, get: impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
    let holds = |one: &Requirement| (get(&one.field).unwrap_or_default() == one.value) == one.equal;
    selector.requirements().iter().all(holds)
}

/// Whether the object is being deleted.
pub fn is_deleting(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some()
}

/// Whether each pair of `selector` is among `labels`; an empty selector selects nothing.
pub(crate) fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests;
