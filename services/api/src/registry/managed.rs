//! `metadata.managedFields` when an object is written in another way than by applying.

use keelson_base_model::apply::{self, Writer};
use keelson_base_model::patch::Schema;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::meta::{ManagedFieldsEntry, Time};
use serde_json::Value;

use crate::registry::update::Part;

/// Who sets fields with a write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Managing<'a> {
    /// The party of this name.
    By(&'a str),
    /// Whoever it was: the new object's managers are right already.
    Settled,
}

/// The managers of a changed object. One that nobody has applied has none; reading and comparing it is spared then.
///
/// # Errors
/// An internal error if an object cannot be written as JSON.
pub(super) fn settle<K: Object>(
    new: &mut K,
    old: &K,
    part: Part,
    managing: Managing<'_>,
) -> Result<(), ApiError> {
    let Managing::By(manager) = managing else { return Ok(()) };
    let given = std::mem::take(&mut new.metadata_mut().managed_fields);
    let kept = &old.metadata().managed_fields;
    let managed = match part {
        Part::Whole if given == [ManagedFieldsEntry::default()] => return Ok(()),
        Part::Whole if apply::is_readable(&given) => given,
        _ => kept.clone(),
    };
    if managed.is_empty() {
        return Ok(());
    }
    let api_version = K::KIND.api_version();
    let writer =
        Writer { manager, subresource: part.subresource(), api_version: &api_version, now: Time::now() };
    let (live, now) = (json(old)?, json(new)?);
    new.metadata_mut().managed_fields = apply::track(Schema::of_kind(K::KIND), &live, &now, &managed, writer);
    Ok(())
}

/// A stored object as JSON.
///
/// # Errors
/// An internal error if it has no JSON form.
pub(super) fn json<K: Object>(object: &K) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|error| {
        ApiError::internal(format!("cannot write a stored {} as JSON: {error}", K::KIND.kind))
    })
}
